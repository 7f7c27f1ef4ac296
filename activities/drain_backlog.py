"""The activity that sends on what is queued for a target, oldest first, as far as it has room.

For some seconds it looks again and again, which costs Temporal nothing; what is left then, or
has to wait for longer, is its workflow's affair.
"""

import asyncio
import contextlib
import math
import time
from collections import deque
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.heartbeats import heartbeats
from activities.oldest_first import oldest_first
from portcall.attempts import Outcome
from portcall.durations import Duration
from portcall.errors import NotFoundError
from portcall.events import Value
from portcall.ids import OUTCOME
from portcall.log import Filter
from portcall.ports import PolicyStore, Room, TargetStates
from portcall.search import DELIVERY_WORKFLOW, visibility_query

BUDGET = timedelta(seconds=5)
"""How long one run of the activity goes on."""
BETWEEN_LOOKS = timedelta(seconds=1)
"""At least so long between two searches, which are about as far behind."""
FEWEST, MOST = 10, 500
"""How many are told to go in a second: few at first, and more where that goes well."""
LONGEST_SLEEP = timedelta(minutes=5)
"""After so long it looks again, whatever was said: the word that it may could not be passed on."""
CLOCKS = timedelta(minutes=5)
"""So much later than ours may Temporal's clock be."""
BUSY = timedelta(seconds=1)
"""So long this activity waits for its turn where the workers have too much to do already."""


class DrainInput(Value):
    """Whose queue, and what the last run knew: where the oldest stood, how many go at once."""

    target: str
    oldest: datetime | None = None
    at_once: int = FEWEST


class Drained(Value):
    """How many were told to go, how many are left and why, and when to look again."""

    signalled: int = 0
    left: int = 0
    again_in: Duration = BETWEEN_LOOKS
    oldest: datetime | None = None
    at_once: int = FEWEST
    why: str = ""


class DrainBacklog:
    """The activity with what it needs: targets and their states."""

    def __init__(
        self, store: PolicyStore, states: TargetStates, *, budget: timedelta = BUDGET
    ) -> None:
        """Take what the worker built."""
        self._store = store
        self._states = states
        self._budget = budget.total_seconds()

    @activity.defn(name="drain_backlog")
    async def drain_backlog(self, given: DrainInput) -> Drained:
        """Tell as many queued deliveries to go as there is room for, for some seconds."""
        async with heartbeats():  # a look over a very long queue may take its time
            return await self._drain(given)

    async def _drain(self, given: DrainInput) -> Drained:
        info = activity.info()
        waited = info.started_time - info.current_attempt_scheduled_time
        queue = Queue(activity.client(), given, busy=waited > BUSY)
        until = time.monotonic() + self._budget
        while True:
            room = await self._room(given.target)
            again_in = await queue.look(room)
            if not queue.left:
                await self._states.emptied(given.target)
            if time.monotonic() + again_in.total_seconds() > until:
                return queue.result(again_in)
            await asyncio.sleep(again_in.total_seconds())

    async def _room(self, name: str) -> Room:
        """Ask for the room; that a target is gone or switched off, all of its may find out."""
        try:
            target = (await self._store.targets.get(name)).spec
        except NotFoundError:
            return Room(now=MOST, again_in=BETWEEN_LOOKS)
        if not target.enabled:
            return Room(now=MOST, again_in=BETWEEN_LOOKS)
        return await self._states.room(target)


class Queue:
    """What is queued for one target, as Temporal's search shows it and each delivery knows it.

    What waits for one target is not to stand in front of everything else on the task queue. So
    few go at first, twice as many in the next run, and fewer where workers are busy.
    """

    def __init__(self, client: Client, given: DrainInput, *, busy: bool) -> None:
        """Go on where the last run stood."""
        self.signalled = 0
        self.left = 0
        self._client = client
        wanted = Filter(outcome="queued", target=given.target)
        self._query = visibility_query(DELIVERY_WORKFLOW, wanted)
        self._oldest = given.oldest
        self._at_once = max(1, given.at_once // 4) if busy else given.at_once
        self._allowed = 0
        self._why = ""
        self._most_told = 0
        self._came_back = False
        self._renewed = -math.inf
        self._head: deque[WorkflowExecution] = deque()
        self._told: set[str] = set()

    def result(self, again_in: timedelta) -> Drained:
        """Say what was done and what the next run should know."""
        more = min(MOST, max(FEWEST, 2 * self._most_told))
        return Drained(
            signalled=self.signalled,
            left=self.left,
            again_in=min(again_in, LONGEST_SLEEP),
            oldest=self._oldest,
            at_once=self._at_once if self._came_back else more,
            why=self._why if self.left else "",
        )

    async def look(self, room: Room) -> timedelta:
        """Tell the oldest to go, as many as may; give how soon to look again."""
        self._why = room.why
        if time.monotonic() - self._renewed >= BETWEEN_LOOKS.total_seconds():
            self._renewed, self._allowed = time.monotonic(), self._at_once
            if not self._head:
                await self._find(wanted=bool(room.now))
        told = 0
        while self._head and told < room.now and self._allowed:
            told += await self._tell(self._head.popleft())
            self.left = max(0, self.left - 1)
        self.signalled += told
        self._most_told = max(self._most_told, self._at_once - self._allowed)
        return room.again_in if self.left and told == room.now else BETWEEN_LOOKS

    async def _find(self, *, wanted: bool) -> None:
        """See how many are queued, and which are the oldest of them, where that is wanted."""
        self.left = (await self._client.count_workflows(self._query)).count
        if not (wanted and self.left):
            return
        until = datetime.now(UTC) + CLOCKS
        walk = oldest_first(
            self._client, self._query, count=self.left, since=self._oldest, until=until
        )
        async with contextlib.aclosing(walk):
            async for found, _ in walk:
                self._head.extend(found)
                if len(self._head) >= MOST:
                    break
        self._oldest = self._head[0].start_time if self._head else None

    async def _tell(self, delivery: WorkflowExecution) -> bool:
        """Tell a delivery to go; whether it was not on its way already."""
        if not await self._is_told(delivery):
            return False
        if delivery.run_id in self._told:
            # It came back: there is less room than it seemed.
            self._at_once = max(1, self._at_once // 2)
            self._allowed = min(self._allowed, self._at_once)
            self._came_back = True
        self._told.add(delivery.run_id)
        self._allowed -= 1
        return True

    async def _is_told(self, delivery: WorkflowExecution) -> bool:
        """Signal a delivery, unless it is on its way: the search may be behind."""
        handle = self._client.get_workflow_handle(delivery.id, run_id=delivery.run_id)
        try:
            found = await handle.describe()
            raw = found.raw_description
            if (
                found.status is not WorkflowExecutionStatus.RUNNING
                or found.typed_search_attributes.get(OUTCOME) != Outcome.QUEUED
                or raw.pending_activities
                or raw.HasField("pending_workflow_task")
            ):
                return False
            await handle.signal("retry_now")
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return False
        return True
