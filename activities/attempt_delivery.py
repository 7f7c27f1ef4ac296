"""The activity that makes one attempt: read the target, render, sign, send, record.

A request that did not end in a 2xx is raised as a failure that carries its record, so that
Temporal's history and Web UI show it as one; `attempt_failure.py` has the way back.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime

from temporalio import activity

from activities import attempt_failure as ended
from activities.admission import Admission
from activities.heartbeats import heartbeats
from activities.rendering import render
from activities.sending import Sender
from activities.suspension import NothingSentError, usable
from portcall.attempts import AttemptOutcome, AttemptRecord
from portcall.errors import OutOfResourcesError, StoreUnavailableError
from portcall.events import RegistryEvent, Value
from portcall.formats.format import Format
from portcall.ids import DeliveryKey, webhook_id
from portcall.pings import is_ping
from portcall.ports import PolicyStore


class AttemptInput(Value):
    """Attempt `number` (from 1) to deliver an event to a target for a policy; no secret.

    `held`: the policy was suspended when it matched, and must have been resumed by now. `more`
    are the other events of a group, whose id is `group_id`. `queued`: it has waited until the
    target has room.
    """

    event: RegistryEvent
    policy: str
    target: str
    format: str
    number: int
    held: bool = False
    more: tuple[RegistryEvent, ...] = ()
    group_id: str | None = None
    queued: bool = False


class AttemptDelivery:
    """The activity with what it needs: where targets are kept, how to write, send, be let in."""

    def __init__(
        self,
        store: PolicyStore,
        sender: Sender,
        formats: Mapping[str, Format],
        admission: Admission,
    ) -> None:
        """Take what the worker built."""
        self._store = store
        self._sender = sender
        self._formats = formats
        self._admission = admission

    @activity.defn(name="attempt_delivery")
    async def attempt_delivery(self, attempt: AttemptInput) -> AttemptRecord:
        """Give the record of an attempt that delivered; raise that of any other."""
        started_at = datetime.now(UTC)
        try:
            async with heartbeats():
                record = await self._attempt(attempt, started_at)
        except StoreUnavailableError as error:
            raise ended.failure(error.message, ended.STORE_UNAVAILABLE) from None
        except OutOfResourcesError as error:
            activity.logger.error("an attempt is made later: %s", error.message)
            raise ended.failure(error.message, ended.OUT_OF_RESOURCES) from None
        except asyncio.CancelledError:
            details = activity.cancellation_details()
            if not (details and details.worker_shutdown):
                raise
            record = ended.lost(attempt.number, started_at)
        record = record.model_copy(update={"run_id": activity.info().workflow_run_id or ""})
        if record.outcome is not AttemptOutcome.DELIVERED:
            raise ended.failure(record.summary(), ended.ATTEMPT_FAILED, record)
        return record

    async def _attempt(self, attempt: AttemptInput, started_at: datetime) -> AttemptRecord:
        number, event = attempt.number, attempt.event
        try:
            if attempt.held and number == 1:
                await usable(self._store.policies, "policy", attempt.policy)
            target = await usable(self._store.targets, "target", attempt.target)
            message = await render(
                (event, *attempt.more),
                attempt.format,
                self._formats,
                self._store.policies,
                attempt.policy,
            )
            permit = await self._admission.enter(
                target, queued=attempt.queued, is_test=is_ping(event, attempt.policy)
            )
        except NothingSentError as error:
            return ended.blocked(number, started_at, str(error))
        # One id for all attempts, whatever the run, so that a receiver can tell.
        key = DeliveryKey(
            event.source, attempt.group_id or event.id, attempt.policy, attempt.target
        )
        try:
            record = await self._sender.send(target, message, webhook_id(key), number, started_at)
        except BaseException:
            await self._admission.leave(permit, None, event)
            raise
        # What was answered stands, or the receiver would get it once more, also where the worker
        # is stopped just now.
        with contextlib.suppress(asyncio.CancelledError):
            await self._admission.leave(permit, record, event)
        return record
