"""Knows every kind of source: the built-in ones, and those that other packages bring."""

import re

from portcall.plugins import load_plugins
from portcall.sources.distribution import Distribution
from portcall.sources.harbor import Harbor
from portcall.sources.kind import SourceKind
from portcall.sources.proposal import Proposal

GROUP = "portcall.sources"

BUILT_IN: tuple[SourceKind, ...] = (Distribution(), Harbor(), Proposal())


def load_kinds() -> dict[str, SourceKind]:
    """Give the kinds by name; raise ConfigurationError naming an entry point that is broken."""
    return load_plugins(GROUP, BUILT_IN, lambda known: known.kind, _is_usable)


def _is_usable(known: SourceKind) -> bool:
    named = re.fullmatch(r"[a-z0-9_-]{1,50}", known.kind)
    return bool(named and known.body_limit > 0 and callable(known.parse))
