"""`Services`: all that the routers need from outside, built once by the entry point."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated

from fastapi import Depends, Request
from pydantic import SecretStr

from api.forwarder import Forwarder
from api.intake import Intake
from api.known_sources import KnownSources
from api.metrics import Metrics
from api.rejections import Rejections
from api.silence import Silence
from portcall.addresses import PUBLIC_ONLY, Allowed
from portcall.formats.format import Format
from portcall.ports import (
    DeliveryLog,
    Engine,
    EventLog,
    FailedDeliveries,
    Inbox,
    Pings,
    PolicyStore,
    Redeliveries,
    SourceActivity,
    TargetStates,
    TokenVerifier,
)
from portcall.sources.kind import SourceKind


@dataclass(kw_only=True)
class Services:
    """Ports, plug-ins and settings. Without `admin_token` the management API refuses."""

    store: PolicyStore
    inbox: Inbox
    engine: Engine
    deliveries: DeliveryLog
    events: EventLog
    tokens: TokenVerifier
    activity: SourceActivity
    states: TargetStates
    pings: Pings
    failed: FailedDeliveries
    redeliveries: Redeliveries
    kinds: Mapping[str, SourceKind] = field(default_factory=dict)
    formats: Mapping[str, Format] = field(default_factory=dict)
    admin_token: SecretStr | None = None
    allowed: Allowed = PUBLIC_ONLY
    metrics: Metrics = field(default_factory=Metrics)

    @cached_property
    def sources(self) -> KnownSources:
        """The configured sources as intake reads them."""
        return KnownSources(self.store.sources)

    @cached_property
    def intake(self) -> Intake:
        """What takes notifications."""
        return Intake(self.sources, self.kinds, self.engine, self.inbox, self.forwarder)

    @cached_property
    def forwarder(self) -> Forwarder:
        """What empties the inbox."""
        return Forwarder(self.engine, self.inbox)

    @cached_property
    def rejections(self) -> Rejections:
        """What has rejected notifications told."""
        return Rejections(self.intake)

    @cached_property
    def silence(self) -> Silence:
        """What has silent sources told."""
        return Silence(self.store.sources, self.activity, self.intake)


def the_services(request: Request) -> Services:
    """Give the services of the application that the request came to."""
    services: Services = request.app.state.services
    return services


TheServices = Annotated[Services, Depends(the_services)]
