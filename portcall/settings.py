"""Settings from the environment and `.env`; loaded by the entry points alone."""

import re
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import Field, InstanceOf, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from portcall.addresses import Allowed
from portcall.durations import Duration
from portcall.errors import ConfigurationError
from portcall.special_ranges import Network

_HOST = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")


class Settings(BaseSettings):
    """What an installation is told from outside. The names are `PORTCALL_<FIELD>`.

    The connection to Temporal follows the SDK's own variables (`TEMPORAL_ADDRESS`,
    `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`, `TEMPORAL_TLS_*`).
    """

    model_config = SettingsConfigDict(
        env_prefix="PORTCALL_", env_file=".env", extra="ignore", env_ignore_empty=True,
        hide_input_in_errors=True,
    )  # fmt: skip

    database_url: SecretStr | None = None
    data_dir: Path = Field(default_factory=lambda: platformdirs.user_data_path("portcall"))
    cache_dir: Path = Field(default_factory=lambda: platformdirs.user_cache_path("portcall"))
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    admin_token: SecretStr | None = None
    secret_key: SecretStr | None = None
    allowed_networks: Annotated[tuple[Network, ...], NoDecode] = ()
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    allowed_ports: Annotated[tuple[InstanceOf[range], ...], NoDecode] = ()
    proxy_resolves: bool = False
    log_retention: Duration = timedelta(days=30)
    log_format: Literal["text", "json"] | None = None
    ui_url: str | None = None
    url: str | None = None
    metrics_port: Annotated[int, Field(ge=0, le=65535)] | None = None
    inbox_limit: Annotated[int, Field(ge=1)] = 100_000

    @field_validator("allowed_networks", mode="before")
    @classmethod
    def _networks(cls, value: Any) -> Any:
        return tuple(map(ip_network, _parts(value))) if isinstance(value, str) else value

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _hosts(cls, value: Any) -> Any:
        return tuple(map(_host, _parts(value))) if isinstance(value, str) else value

    @field_validator("allowed_ports", mode="before")
    @classmethod
    def _ports(cls, value: Any) -> Any:
        return tuple(map(_port_range, _parts(value))) if isinstance(value, str) else value

    @property
    def allowed(self) -> Allowed:
        """What deliveries may reach besides public addresses, and at which ports."""
        return Allowed(self.allowed_networks, self.allowed_hosts, self.allowed_ports)

    @property
    def api_url(self) -> str:
        """Where the commands find the API: as given, else this machine's own."""
        return self.url or f"http://127.0.0.1:{self.port}"

    @property
    def resolved_database_url(self) -> str:
        """The SQLAlchemy URL: as given, else SQLite in the data directory."""
        if self.database_url:
            return self.database_url.get_secret_value()
        return f"sqlite+aiosqlite:///{self.data_dir / 'portcall.db'}"


def _parts(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _host(text: str) -> str:
    if not _HOST.fullmatch(name := text.lower()):
        raise ValueError("write hosts like ci.corp.example,*.apps.corp.example")
    return name


def _port_range(text: str) -> range:
    found = _PORTS.fullmatch(text)
    ports = range(int(found[1]), int(found[2] or found[1]) + 1) if found else range(0)
    if not ports or ports[0] < 1 or ports[-1] > 65535:
        raise ValueError("write ports like 80,443,8000-9000")
    return ports


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; raise ConfigurationError naming the variable that is wrong."""
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = "PORTCALL_" + str(first["loc"][0]).upper() if first["loc"] else "settings"
        raise ConfigurationError(f"{name}: {first['msg']}") from None
