from datetime import UTC, datetime, timedelta

import pytest

from portcall.sources.kind import Notification
from portcall.sources.repeats import WINDOW, id_before, id_by_time

EDGE = datetime.fromtimestamp(WINDOW * 29_000_000, UTC)


def came(at: datetime) -> Notification:
    return Notification(source="quay", body=b"{}", received_at=at)


def test_the_same_words_in_one_window_have_one_id():
    last = EDGE + timedelta(seconds=WINDOW - 1)
    assert id_by_time(came(EDGE), "push") == id_by_time(came(last), "push")


@pytest.mark.parametrize("other", [("pull",), ("push", ""), ("pu", "sh")])
def test_other_words_have_another_id(other):
    assert id_by_time(came(EDGE), "push") != id_by_time(came(EDGE), *other)


def test_the_id_before_is_that_of_the_same_words_a_window_earlier():
    earlier = id_by_time(came(EDGE - timedelta(seconds=1)), "push")
    assert id_before(id_by_time(came(EDGE), "push")) == earlier


@pytest.mark.parametrize("event_id", ["", "a" * 32, "0197f0aa-0000-7000", "a" * 32 + ".w", "x.w1"])
def test_an_id_that_the_time_is_not_part_of_has_none_before(event_id):
    assert id_before(event_id) is None
