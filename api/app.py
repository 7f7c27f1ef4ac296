"""The application: the routers, one per noun, and what holds for all of them."""

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema
from starlette.types import Lifespan

from api import (
    backtests,
    consent,
    deliveries,
    events,
    health,
    inbox,
    notifications,
    policies,
    previews,
    problems,
    redeliveries,
    rotation,
    sources,
    target_actions,
    target_health,
    targets,
    tries,
)
from api.services import Services

ROUTERS = (
    notifications.router,
    consent.router,
    sources.router,
    tries.router,
    targets.router,
    rotation.router,
    target_health.router,
    target_health.states_router,
    target_actions.router,
    policies.router,
    backtests.router,
    previews.router,
    events.router,
    deliveries.router,
    redeliveries.router,
    inbox.router,
    health.router,
)


class Application(FastAPI):
    """FastAPI, with the problem document declared in OpenAPI."""

    def openapi(self) -> dict[str, Any]:
        """Give the OpenAPI document."""
        document = super().openapi()
        _, schemas = models_json_schema(
            [(problems.Problem, "validation")], ref_template="#/components/schemas/{model}"
        )
        document["components"]["schemas"].update(schemas["$defs"])
        return document


def create_app(services: Services, lifespan: Lifespan[FastAPI] | None = None) -> FastAPI:
    """Put the application together; `lifespan` runs what the entry point needs beside it."""
    app = Application(
        title="Portcall",
        description="Durable, searchable, resendable webhooks for container registries.",
        version=version("portcall"),
        lifespan=lifespan,
    )
    app.state.services = services
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    return app
