"""One workflow per policy and group: it gathers events by signals and starts their deliveries.

An event is in history before its own workflow ends, so that none is lost when a worker dies.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.gather import GroupInput, gather_event
    from portcall.events import RegistryEvent
    from portcall.grouping import GROUP_BYTES, Gathered, Gathering, GroupRun, by_policy, per_target
    from portcall.matching import Match
    from workflows.long_history import is_long
    from workflows.starting import start_delivery


@workflow.defn
class GroupWorkflow:
    """Gather for a window that the first event opens, deliver, go on with what came meanwhile.

    Signal: `gather`, an event. The result is the deliveries that it started. No search attributes.
    """

    @workflow.init
    def __init__(self, given: GroupInput) -> None:
        """Go on with what an earlier run has left."""
        self._group, self._longest = given.group, given.longest
        self._since = given.since or workflow.now()
        self._window = Gathering(given.group.max)
        self._left: list[Gathered] = []
        self._is_over = False
        self._take(given.left)

    @workflow.signal
    def gather(self, given: Gathered) -> None:
        """Take one event into the group."""
        self._take([given])

    @workflow.run
    async def run(self, _given: GroupInput) -> tuple[str, ...]:
        """Gather until the window is over; start the deliveries; end, or begin the next window."""
        deliveries: list[str] = []
        while True:
            await self._wait()
            self._is_over = True
            for match, events in per_target(self._window.taken):
                deliveries.append(await start_delivery(events, match))
            if not self._left:
                workflow.set_current_details("Its window is over.")
                return tuple(deliveries)
            # A stream that never ends would else keep the window and max that it began with.
            self._group = self._left[-1].match.group or self._group
            size = sum(len(given.model_dump_json().encode()) for given in self._left)
            if is_long(self._longest) and size < 2 * GROUP_BYTES:
                self._go_on(None, self._left)
            left, self._left = self._left, []
            self._since, self._is_over = workflow.now(), False
            self._window = Gathering(self._group.max)
            self._take(left)

    def _take(self, arrived: Iterable[Gathered]) -> None:
        """Put each into the window, or behind it where that is over or full."""
        for given in arrived:
            if self._window.has(given.event):
                continue
            if self._is_over or self._left or not self._window.add(given):
                self._left.append(given)
        until = self._since + self._group.window
        so_far = f"{len(self._window.taken)} of at most {self._group.max} so far"
        workflow.set_current_details(f"Gathers until {until:%Y-%m-%d %H:%M:%S} UTC; {so_far}.")

    async def _wait(self) -> None:
        """Wait for the window's end; begin a new run in between where history grows long."""
        until = self._since + self._group.window
        try:
            await workflow.wait_condition(
                lambda: self._window.is_full or bool(self._left) or is_long(self._longest),
                timeout=max(until - workflow.now(), timedelta()),
                timeout_summary=f"gathers until {until:%H:%M:%S} UTC",
            )
        except TimeoutError:
            return
        if not (self._window.is_full or self._left):
            self._go_on(self._since, self._window.taken)

    def _go_on(self, since: datetime | None, left: Iterable[Gathered]) -> None:
        """Begin a new run, which `left` opens, or goes on with where the window is from before."""
        given = GroupInput(group=self._group, longest=self._longest, since=since, left=tuple(left))
        workflow.continue_as_new(given)


async def gather_events(event: RegistryEvent, matches: Iterable[Match]) -> tuple[GroupRun, ...]:
    """Give an event to the groups of the policies that gather; each says where it went."""
    groups = tuple(
        await asyncio.gather(
            *(
                workflow.execute_activity(
                    gather_event,
                    given,
                    start_to_close_timeout=timedelta(seconds=10),
                    retry_policy=RetryPolicy(maximum_interval=timedelta(seconds=30)),
                    summary=f"gather for {given.match.policy}",
                )
                for given in by_policy(event, matches)
            )
        )
    )
    if groups:
        workflow.upsert_memo({"groups": len(groups)})
    return groups
