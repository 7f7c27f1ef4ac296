"""Knows every kind of source: the built-in ones, and those that other packages bring."""

import re
from importlib.metadata import EntryPoint, entry_points

from portcall.errors import ConfigurationError
from portcall.sources.distribution import Distribution
from portcall.sources.harbor import Harbor
from portcall.sources.kind import SourceKind
from portcall.sources.proposal import Proposal

GROUP = "portcall.sources"

BUILT_IN: tuple[SourceKind, ...] = (Distribution(), Harbor(), Proposal())


def load_kinds() -> dict[str, SourceKind]:
    """Give the kinds by name; raise ConfigurationError naming an entry point that is broken.

    An entry point names a class without arguments that is a SourceKind, or an instance.
    """
    kinds = {kind.kind: kind for kind in BUILT_IN}
    for entry_point in entry_points(group=GROUP):
        kind = _load(entry_point)
        if kind.kind in kinds:
            raise _broken(entry_point, f"the kind {kind.kind!r} exists already")
        kinds[kind.kind] = kind
    return kinds


def _load(entry_point: EntryPoint) -> SourceKind:
    try:
        loaded = entry_point.load()
        kind: SourceKind = loaded() if isinstance(loaded, type) else loaded
        usable = re.fullmatch(r"[a-z0-9_-]{1,50}", kind.kind) and kind.body_limit > 0
        if usable and callable(kind.parse):
            return kind
    except Exception as error:  # other people's code
        raise _broken(entry_point, f"{type(error).__name__}: {error}") from error
    raise _broken(entry_point, "kind, body_limit or parse are not as SourceKind says")


def _broken(entry_point: EntryPoint, why: str) -> ConfigurationError:
    package = f" of the package {entry_point.dist.name}" if entry_point.dist else ""
    return ConfigurationError(
        f"The entry point {entry_point.name!r} in {GROUP!r}{package} cannot be used: {why}."
    )
