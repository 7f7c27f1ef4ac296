"""Knows every format: the built-in ones, and those that other packages bring."""

import re

from portcall.formats.cloudevents import CloudEvents, CloudEventsBinary
from portcall.formats.default import Default
from portcall.formats.discord import Discord
from portcall.formats.format import Format
from portcall.formats.github import GitHub
from portcall.formats.harbor import Harbor
from portcall.formats.raw import Raw
from portcall.formats.slack import Slack
from portcall.formats.teams import Teams
from portcall.formats.template import Template
from portcall.plugins import load_plugins

GROUP = "portcall.formats"

BUILT_IN: tuple[Format, ...] = (
    CloudEvents(),
    CloudEventsBinary(),
    Default(),
    Discord(),
    GitHub(),
    Harbor(),
    Raw(),
    Slack(),
    Teams(),
    Template(),
)


def load_formats() -> dict[str, Format]:
    """Give the formats by name; raise ConfigurationError naming an entry point that is broken."""
    return load_plugins(GROUP, BUILT_IN, lambda known: known.name, _is_usable)


def _is_usable(known: Format) -> bool:
    named = re.fullmatch(r"[a-z0-9_-]{1,50}", known.name)
    return bool(named and isinstance(known.needs_raw, bool) and callable(known.render))
