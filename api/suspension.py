"""After a change: what a policy or target held, or a target queued, goes on at once if it may."""

import structlog

from api.services import Services
from portcall.errors import PortcallError
from portcall.policies import Policy, Source, Target, is_holding
from portcall.ports import Held

log = structlog.get_logger(__name__)


async def release_held(
    services: Services, old: Source | Target | Policy, new: Source | Target | Policy | None
) -> None:
    """Have what `old` held look again, unless `new` holds it on; None where it was deleted.

    A target that was changed may have room for what is queued, or none for anything.
    """
    noun: Held = "policy" if isinstance(old, Policy) else "target"
    try:
        if isinstance(old, Target) and new != old:
            await services.engine.look_again(old.name)
        if is_holding(old) and not is_holding(new):
            await services.engine.release(noun, old.name)
    except PortcallError as error:
        log.warning(
            "what is held or queued goes on later, at its own next look",
            **{noun: old.name},
            why=error.message,
        )
