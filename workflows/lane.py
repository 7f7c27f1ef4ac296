"""One workflow per policy, target and repository: its ordered deliveries go one at a time.

It gives the turn to the oldest of those that wait, and waits until that one has ended, however
it did. It holds no event and sends nothing itself.
"""

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.join_lane import LaneInput, Place, is_under_way
    from workflows.long_history import is_long

SETTLE = timedelta(milliseconds=300)
"""The wait for others before the first turn: events that come together start side by side."""

SELDOM = timedelta(minutes=15)
"""How seldom, at last, it looks whether the one whose turn it is still lives."""

MOST_HANDED_ON = 4000
"""Places that a new run begins with: Temporal takes 2 MiB. The youngest ask again by themselves."""


@workflow.defn
class LaneWorkflow:
    """Give turns until nobody waits.

    Signals: `join` takes a place, `ended` gives it up. The result is the number of turns that
    this run gave. No search attributes.
    """

    @workflow.init
    def __init__(self, given: LaneInput) -> None:
        """Go on with whom an earlier run has left."""
        self._look_after, self._longest = given.look, given.longest
        self._current = given.current
        self._waiting = list(given.waiting)

    @workflow.signal
    def join(self, place: Place) -> None:
        """Take a place in the lane; a new run of the same delivery takes the place of the old."""
        current = self._current
        if current and (current.delivery, current.run_id) == (place.delivery, place.run_id):
            return
        self._leave(place.delivery)
        self._waiting.append(place)
        self._show()

    @workflow.signal
    def ended(self, place: Place) -> None:
        """Give the next one its turn; whoever ends while it waits only leaves."""
        here = [p for p in (self._current, *self._waiting) if p]
        if any((p.delivery, p.run_id) == (place.delivery, place.run_id) for p in here):
            self._leave(place.delivery)
            self._show()

    @workflow.run
    async def run(self, given: LaneInput) -> int:
        """Give turns, oldest first, until the lane is empty."""
        turns = 0
        if not given.began:
            await workflow.sleep(SETTLE, summary="let others join")
        while self._current or self._waiting:
            if is_long(self._longest):
                waiting = tuple(sorted(self._waiting, key=_age)[:MOST_HANDED_ON])
                left = {"current": self._current, "waiting": waiting, "began": True}
                workflow.continue_as_new(given.model_copy(update=left))
            if self._current is None:
                turns += 1
                await self._give_turn()
            await self._until_ended()
        return turns

    async def _give_turn(self) -> None:
        place = min(self._waiting, key=_age)
        self._waiting.remove(place)
        self._current = place
        self._show()
        delivery = workflow.get_external_workflow_handle(place.delivery, run_id=place.run_id)
        try:
            await delivery.signal("your_turn")
        except ApplicationError:
            if self._current is place:  # it has ended meanwhile
                self._current = None

    async def _until_ended(self) -> None:
        """Wait for the one whose turn it is, and look now and then whether it still lives."""
        place, pause = self._current, self._look_after
        while place and self._current is place and not is_long(self._longest):
            try:
                await workflow.wait_condition(
                    lambda: self._current is not place or is_long(self._longest),
                    timeout=pause,
                    timeout_summary=f"the turn of {place.delivery}",
                )
            except TimeoutError:
                await self._look(place)
            pause = min(2 * pause, SELDOM)

    async def _look(self, place: Place) -> None:
        lives = await workflow.execute_activity(
            is_under_way,
            place,
            start_to_close_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(maximum_interval=timedelta(minutes=1)),
            summary=f"look whether {place.delivery} is under way",
        )
        if not lives and self._current is place:
            self._current = None

    def _leave(self, delivery: str) -> None:
        if self._current and self._current.delivery == delivery:
            self._current = None
        self._waiting = [place for place in self._waiting if place.delivery != delivery]

    def _show(self) -> None:
        whose = self._current.delivery if self._current else "nobody"
        waiting = f"{len(self._waiting)} more in line" if self._waiting else "nobody else waits"
        workflow.set_current_details(f"It is the turn of {whose}; {waiting}.")


def _age(place: Place) -> tuple[datetime, datetime]:
    return place.occurred_at, place.received_at
