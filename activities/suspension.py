"""What a policy or target that is gone or switched off means for an attempt: blocked, or held.

It is read afresh, so that switching it on, or repairing it, holds for the next attempt.
"""

from typing import TypeVar

from activities.attempt_failure import DELIVERY_HELD, failure
from portcall.errors import NotFoundError
from portcall.policies import Policy, Target, is_holding
from portcall.ports import Collection

UsableT = TypeVar("UsableT", Policy, Target)


class NothingSentError(Exception):
    """The attempt is blocked; the message says what stands against it."""


async def usable(collection: Collection[UsableT], noun: str, name: str) -> UsableT:
    """Give a policy or target; raise NothingSentError, or the failure that has it wait."""
    try:
        spec = (await collection.get(name)).spec
    except NotFoundError:
        raise NothingSentError(f"the {noun} {name} does not exist") from None
    if is_holding(spec):
        raise failure(f"the {noun} {name} is disabled and holds its deliveries", DELIVERY_HELD)
    if not spec.enabled:
        raise NothingSentError(f"the {noun} {name} is disabled")
    return spec
