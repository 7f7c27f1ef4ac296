"""Settings from the environment and `.env`; loaded by the entry points alone."""

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from portcall.durations import Duration
from portcall.errors import ConfigurationError

Network = IPv4Network | IPv6Network


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
    log_retention: Duration = timedelta(days=30)
    log_format: Literal["text", "json"] | None = None
    ui_url: str | None = None
    url: str | None = None
    metrics_port: Annotated[int, Field(ge=0, le=65535)] | None = None
    inbox_limit: Annotated[int, Field(ge=1)] = 100_000

    @field_validator("allowed_networks", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())
        return value

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


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; raise ConfigurationError naming the variable that is wrong."""
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = "PORTCALL_" + str(first["loc"][0]).upper() if first["loc"] else "settings"
        raise ConfigurationError(f"{name}: {first['msg']}") from None
