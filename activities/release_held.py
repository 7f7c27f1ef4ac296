"""The activity that tells held deliveries to look again: what held them was switched on."""

import asyncio
import contextlib
from collections.abc import Iterator

from temporalio import activity
from temporalio.service import RPCError, RPCStatusCode

from portcall.events import Value
from portcall.log import Filter
from portcall.ports import Held
from portcall.search import DELIVERY_WORKFLOW, visibility_query

PER_SECOND = 100
"""Signals a second at most, so that a large release leaves room for everything else."""


class HeldBy(Value):
    """The policy or the target whose deliveries are held."""

    noun: Held
    name: str


@activity.defn
async def release_held(given: HeldBy) -> int:
    """Signal every delivery that is held for it; give their number.

    Whether it may go on, the delivery itself finds out: one signal too many does no harm.
    """
    client, signalled = activity.client(), 0
    wanted = Filter.model_validate({"outcome": "held", given.noun: given.name})
    async for run in client.list_workflows(visibility_query(DELIVERY_WORKFLOW, wanted)):
        with _ended_meanwhile():
            await client.get_workflow_handle(run.id, run_id=run.run_id).signal("retry_now")
            signalled += 1
        activity.heartbeat(signalled)
        await asyncio.sleep(1 / PER_SECOND)
    return signalled


@contextlib.contextmanager
def _ended_meanwhile() -> Iterator[None]:
    try:
        yield
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
