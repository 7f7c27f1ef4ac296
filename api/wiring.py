"""Builds the API's services from the settings; the only place of the API that does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.client import Client

from api.intake import Intake
from api.known_sources import KnownSources
from api.metrics import Metrics
from api.services import Services
from portcall.adapters.database import open_database
from portcall.adapters.delivery_log import TemporalDeliveryLog, WebUi
from portcall.adapters.event_log import TemporalEventLog
from portcall.adapters.temporal import TemporalEngine
from portcall.formats.known import load_formats
from portcall.settings import Settings
from portcall.sources.kinds import load_kinds


@asynccontextmanager
async def running_services(settings: Settings, client: Client) -> AsyncIterator[Services]:
    """Open the database and give everything that the routers need."""
    kinds = load_kinds()
    ui = WebUi(settings.ui_url, client.namespace)
    deliveries = TemporalDeliveryLog(client, ui)
    async with open_database(
        settings.resolved_database_url,
        settings.secret_key,
        inbox_limit=settings.inbox_limit,
    ) as database:
        sources = KnownSources(database.store.sources)
        intake = Intake(sources, kinds, TemporalEngine(client), database.inbox)
        yield Services(
            store=database.store,
            inbox=database.inbox,
            sources=sources,
            intake=intake,
            replay=intake.replay,
            deliveries=deliveries,
            events=TemporalEventLog(client, deliveries, ui),
            kinds=kinds,
            formats=load_formats(),
            metrics=Metrics(),
            admin_token=settings.admin_token,
            allowed_networks=settings.allowed_networks,
        )
