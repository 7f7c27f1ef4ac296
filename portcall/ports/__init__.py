"""Protocols for the outside: what decisions and activities need, whoever provides it.

Adapters implement them for real, `tests/fakes.py` in memory; both pass the same contract
tests. Every method may raise `UnavailableError` where the thing behind it is away.
"""

from portcall.ports.activity import SourceActivity
from portcall.ports.engine import Engine, Held, Started
from portcall.ports.gate import Closed, Figures, NotYet, Permit, Room, TargetGate, TargetStates
from portcall.ports.inbox import Inbox, InboxEntry
from portcall.ports.log import DeliveryLog, EventLog
from portcall.ports.pings import Pings
from portcall.ports.redeliveries import FailedDeliveries, Redeliveries, SentAgain
from portcall.ports.registries import Manifest, Registries, Repository, TokenVerifier
from portcall.ports.store import Collection, PolicySnapshot, PolicyStore, SpecT, Stored
from portcall.ports.transport import (
    AccessTokens,
    Exchange,
    OutgoingRequest,
    ReceivedResponse,
    Transport,
)

__all__ = [
    "AccessTokens",
    "Closed",
    "Collection",
    "DeliveryLog",
    "Engine",
    "EventLog",
    "Exchange",
    "FailedDeliveries",
    "Figures",
    "Held",
    "Inbox",
    "InboxEntry",
    "Manifest",
    "NotYet",
    "OutgoingRequest",
    "Permit",
    "Pings",
    "PolicySnapshot",
    "PolicyStore",
    "ReceivedResponse",
    "Redeliveries",
    "Registries",
    "Repository",
    "Room",
    "SentAgain",
    "SourceActivity",
    "SpecT",
    "Started",
    "Stored",
    "TargetGate",
    "TargetStates",
    "TokenVerifier",
    "Transport",
]
