"""Builds the API's services from the settings; the only place of the API that does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.request import getproxies_environment

from temporalio.client import Client

from api.services import Services
from portcall.adapters.database import open_database, the_secret_key
from portcall.adapters.delivery_log import TemporalDeliveryLog, WebUi
from portcall.adapters.event_log import TemporalEventLog
from portcall.adapters.failed_deliveries import TemporalFailedDeliveries
from portcall.adapters.http import HttpTransport
from portcall.adapters.oidc import OidcTokens
from portcall.adapters.pings import TemporalPings
from portcall.adapters.proxies import EnvironmentProxies
from portcall.adapters.redeliveries import TemporalRedeliveries
from portcall.adapters.temporal import TemporalEngine
from portcall.formats.known import load_formats
from portcall.settings import Settings
from portcall.sources.kinds import load_kinds


@asynccontextmanager
async def running_services(settings: Settings, client: Client) -> AsyncIterator[Services]:
    """Open the database and give everything that the routers need."""
    url = settings.resolved_database_url
    secret_key = the_secret_key(settings.secret_key, url, settings.data_dir)
    ui = WebUi(settings.ui_url, client.namespace)
    deliveries = TemporalDeliveryLog(client, ui)
    async with (
        open_database(url, secret_key, inbox_limit=settings.inbox_limit) as database,
        HttpTransport(
            settings.allowed,
            proxies=EnvironmentProxies(getproxies_environment()),
            proxy_resolves=settings.proxy_resolves,
        ) as transport,
    ):
        yield Services(
            store=database.store,
            inbox=database.inbox,
            activity=database.activity,
            engine=TemporalEngine(client),
            deliveries=deliveries,
            events=TemporalEventLog(client, deliveries, ui),
            tokens=OidcTokens(transport),
            states=database.states,
            pings=TemporalPings(client),
            failed=TemporalFailedDeliveries(client),
            redeliveries=TemporalRedeliveries(client, ui),
            kinds=load_kinds(),
            formats=load_formats(),
            admin_token=settings.admin_token,
            allowed=settings.allowed,
        )
