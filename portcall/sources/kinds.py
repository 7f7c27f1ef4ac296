"""Knows every kind of source: the built-in ones, and those that other packages bring."""

import re
from typing import get_args

from portcall.plugins import load_plugins
from portcall.sources.acr import Acr
from portcall.sources.cloudevents import Cloudevents
from portcall.sources.custom import Custom
from portcall.sources.distribution import Distribution
from portcall.sources.dockerhub import Dockerhub
from portcall.sources.ecr import Ecr
from portcall.sources.gar import Gar
from portcall.sources.github import Github
from portcall.sources.gitlab import Gitlab
from portcall.sources.harbor import Harbor
from portcall.sources.jfrog import Jfrog
from portcall.sources.kind import MappingUse, Signature, SourceKind
from portcall.sources.nexus import Nexus
from portcall.sources.proposal import Proposal
from portcall.sources.quay import Quay
from portcall.sources.zot import Zot

GROUP = "portcall.sources"

BUILT_IN: tuple[SourceKind, ...] = (
    Distribution(),
    Gitlab(),
    Harbor(),
    Dockerhub(),
    Quay(),
    Acr(),
    Github(),
    Nexus(),
    Jfrog(),
    Ecr(),
    Gar(),
    Zot(),
    Cloudevents(),
    Custom(),
    Proposal(),
)


def load_kinds() -> dict[str, SourceKind]:
    """Give the kinds by name; raise ConfigurationError naming an entry point that is broken."""
    return load_plugins(GROUP, BUILT_IN, lambda known: known.kind, is_usable)


def is_usable(known: SourceKind) -> bool:
    """Say whether it has what the protocol asks for."""
    named = re.fullmatch(r"[a-z0-9_-]{1,50}", known.kind)
    signs = known.signature is None or isinstance(known.signature, Signature)
    takes = known.mapping_use in get_args(MappingUse)
    return bool(named and known.body_limit > 0 and signs and takes and callable(known.parse))
