import pytest

from portcall.log import GroupSummary
from tests.cli.conftest import Backend, Run
from tests.cli.logs import DELIVERY, NOW, delivery, event

GATHERING = GroupSummary(policy="digest", id="group:digest:5", state="gathering", until=NOW)


@pytest.mark.parametrize(
    ("group", "line"),
    [
        (
            GATHERING,
            (
                "digest gathers events: this one is sent with others at 2026-07-30T12:00:00Z,"
                " or as soon as it has enough.\n"
            ),
        ),
        (
            GATHERING.model_copy(update={"state": "sent", "delivery_list": (delivery(),)}),
            f"digest gathers events: this one is in {DELIVERY}.\n",
        ),
        (
            GATHERING.model_copy(update={"state": "gone"}),
            (
                "digest gathers events: what became of this one is not known any more"
                " (group:digest:5).\n"
            ),
        ),
    ],
)
def test_an_event_says_what_became_of_it_in_a_group(
    run: Run, backend: Backend, group: GroupSummary, line: str
) -> None:
    backend.events.found = [event(delivery_list=(), group_list=(group,))]
    assert line in run("events", "show", "9f3c1d").out


@pytest.mark.parametrize(("groups", "said"), [(1, "1, in 1 group"), (2, "1, in 2 groups")])
def test_the_list_says_in_how_many_groups_an_event_is(
    run: Run, backend: Backend, groups: int, said: str
) -> None:
    backend.events.found = [event(groups=groups)]
    assert said in run("events", "list").out
