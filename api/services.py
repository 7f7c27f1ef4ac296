"""`Services`: all that the routers need from outside, built once by the entry point."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Protocol

from fastapi import Depends, Request
from pydantic import SecretStr

from api.answers import NotificationAnswer
from portcall.addresses import Network
from portcall.formats.format import Format
from portcall.ports import Inbox, InboxEntry, PolicyStore
from portcall.sources.kind import SourceKind


class Replayer(Protocol):
    """Takes an inbox entry through intake once more, as if it had just arrived."""

    async def __call__(self, entry: InboxEntry) -> NotificationAnswer:
        """Parse (a parked entry) and start; leave the entry itself to the caller.

        What is still not understood is named in the answer's `parked`, or raised as
        NotificationError; raise EngineUnavailableError where Temporal is away.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Services:
    """Ports, plug-ins and settings. Without `admin_token` the management API refuses."""

    store: PolicyStore
    inbox: Inbox
    replay: Replayer
    kinds: Mapping[str, SourceKind] = field(default_factory=dict)
    formats: Mapping[str, Format] = field(default_factory=dict)
    admin_token: SecretStr | None = None
    allowed_networks: Sequence[Network] = ()


def the_services(request: Request) -> Services:
    """Give the services of the application that the request came to."""
    services: Services = request.app.state.services
    return services


TheServices = Annotated[Services, Depends(the_services)]
