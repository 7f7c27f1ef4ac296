"""After a change: what a policy or target held goes on at once, if it holds no longer."""

import structlog

from api.services import Services
from portcall.errors import PortcallError
from portcall.policies import Policy, Source, Target, is_holding
from portcall.ports import Held

log = structlog.get_logger(__name__)


async def release_held(
    services: Services, old: Source | Target | Policy, new: Source | Target | Policy | None
) -> None:
    """Have what `old` held look again, unless `new` holds it on; None where it was deleted."""
    if not is_holding(old) or is_holding(new):
        return
    noun: Held = "policy" if isinstance(old, Policy) else "target"
    try:
        await services.engine.release(noun, old.name)
    except PortcallError as error:
        log.warning(
            "held deliveries go on later, at their own next look",
            **{noun: old.name},
            why=error.message,
        )
