"""One installation on one machine: its data directory, and all of Portcall running on it.

`prepared` finds out, before anything starts, whether it can; `running` starts the parts in
order and ends them in the reverse one.
"""

import asyncio
import os
import secrets
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from portcall.adapters.database import load_or_create_secret_key, migrate
from portcall.adapters.devserver import start_dev_server
from portcall.adapters.locks import try_lock
from portcall.adapters.processes import claim_port
from portcall.adapters.provision import provision
from portcall.adapters.temporal import connect
from portcall.adapters.tools import find_temporal
from portcall.cli.kept import Kept, Say, kept_part, kept_running
from portcall.cli.progress import shown_progress
from portcall.errors import ConfigurationError, UnavailableError
from portcall.settings import Settings

ANY_HOST = {"0.0.0.0": "127.0.0.1", "::": "::1"}
GRACE = 25.0
"""Seconds that a part has to finish what it is doing when it is told to stop."""


@dataclass(frozen=True)
class Installation:
    """What `prepared` found: everything that is needed to start."""

    settings: Settings
    temporal: Path | None
    temporal_port: int
    ui_port: int
    admin_token: str
    is_new_token: bool

    @property
    def api_url(self) -> str:
        """Where the API is for somebody on this machine."""
        host = ANY_HOST.get(self.settings.host, self.settings.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def port(self) -> int:
        """The API's port."""
        return self.settings.port

    @property
    def ui_url(self) -> str | None:
        """Where Temporal's Web UI is, as far as it is known."""
        embedded = f"http://127.0.0.1:{self.ui_port}" if self.temporal else None
        return self.settings.ui_url or embedded

    @property
    def logs(self) -> Path:
        """Where the parts write what they do."""
        return self.settings.data_dir / "logs"

    def environment(self) -> dict[str, str]:
        """Give what the parts are started with: this process's environment, made definite."""
        settings = self.settings
        own = {
            "PORTCALL_DATA_DIR": str(settings.data_dir),
            "PORTCALL_DATABASE_URL": settings.resolved_database_url,
            "PORTCALL_HOST": settings.host,
            "PORTCALL_PORT": str(settings.port),
            "PORTCALL_ADMIN_TOKEN": self.admin_token,
            **self._secret_key(),
        }
        return {
            "PORTCALL_LOG_FORMAT": "text",
            **os.environ,
            **own,
            **({"PORTCALL_UI_URL": self.ui_url} if self.ui_url else {}),
        }

    def _secret_key(self) -> dict[str, str]:
        """Give the key, unless the parts read it in its file, where it may be exchanged."""
        settings = self.settings
        key = settings.secret_key or load_or_create_secret_key(settings.data_dir)
        if settings.secret_key is None and settings.resolved_database_url.startswith("sqlite"):
            return {}
        return {"PORTCALL_SECRET_KEY": key.get_secret_value()}


@contextmanager
def prepared(settings: Settings, temporal_port: int, ui_port: int) -> Iterator[Installation]:
    """Hold the data directory for the block, its ports and programs found.

    Raises ConfigurationError where something is in the way.
    """
    data_dir = settings.data_dir.expanduser().absolute()
    token, is_new = _made_ready(settings, data_dir)
    with try_lock(data_dir / "lock") as mine:
        if not mine:
            raise ConfigurationError(f"another `portcall up` is running on {data_dir}")
        port = claim_port(settings.host, settings.port, "--port")
        program = None
        if not os.environ.get("TEMPORAL_ADDRESS"):
            temporal_port = claim_port("127.0.0.1", temporal_port, "--temporal-port")
            ui_port = claim_port("127.0.0.1", ui_port, "--ui-port")
            with shown_progress() as show:
                program = find_temporal(settings.cache_dir, show)
        settings = settings.model_copy(update={"data_dir": data_dir, "port": port})
        yield Installation(settings, program, temporal_port, ui_port, token, is_new)


def _made_ready(settings: Settings, data_dir: Path) -> tuple[str, bool]:
    try:
        (data_dir / "logs").mkdir(mode=0o700, parents=True, exist_ok=True)
        return _admin_token(settings, data_dir / "admin-token")
    except OSError as error:
        raise ConfigurationError(
            f"cannot write to the data directory {data_dir} ({error.strerror});"
            " name another with --data-dir or PORTCALL_DATA_DIR"
        ) from None


def _admin_token(settings: Settings, file: Path) -> tuple[str, bool]:
    if settings.admin_token:
        return settings.admin_token.get_secret_value(), False
    if file.exists():
        return file.read_text().strip(), False
    token = secrets.token_urlsafe(32)
    file.touch(mode=0o600, exist_ok=False)
    file.write_text(token + "\n")
    return token, True


@asynccontextmanager
async def running(installation: Installation, say: Say) -> AsyncIterator[None]:
    """Run Temporal (where it is embedded), API and worker for the block."""
    settings = installation.settings
    async with _temporal(installation, say):
        await asyncio.gather(migrate(settings.resolved_database_url), _provision(settings))
        env, logs = installation.environment(), installation.logs
        async with (
            kept_part("worker", logs / "worker.log", env, say, GRACE),
            kept_part("api", logs / "api.log", env, say, GRACE) as api,
        ):
            await _answers(installation, api)
            yield


async def _provision(settings: Settings) -> None:
    client = await connect()
    await provision(client, client.namespace, settings.log_retention)


@asynccontextmanager
async def _temporal(installation: Installation, say: Say) -> AsyncIterator[None]:
    if installation.temporal is None:
        yield
        return
    program, data_dir = installation.temporal, installation.settings.data_dir

    async def start() -> Process:
        server = await start_dev_server(
            program, data_dir, port=installation.temporal_port, ui_port=installation.ui_port
        )
        return server.process

    _point_sdk_at(f"127.0.0.1:{installation.temporal_port}")
    async with kept_running("temporal", start, say, grace=10):
        yield


def _point_sdk_at(address: str) -> None:
    """Let the SDK, here and in the parts, see the embedded server and no other setting."""
    for name in [name for name in os.environ if name.startswith("TEMPORAL_")]:
        if name != "TEMPORAL_NAMESPACE":
            del os.environ[name]
    os.environ["TEMPORAL_ADDRESS"] = address
    os.environ["TEMPORAL_CONFIG_FILE"] = os.devnull


async def _answers(installation: Installation, api: Kept, wait: float = 60) -> None:
    first = api.process
    async with httpx.AsyncClient(base_url=installation.api_url, trust_env=False) as http:
        for _ in range(int(wait / 0.1)):
            try:
                if (await http.get("/healthz")).is_success:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)
            if first.returncode is not None:
                break
    log = installation.logs / "api.log"
    raise UnavailableError(f"the API does not come up; {log} says why")
