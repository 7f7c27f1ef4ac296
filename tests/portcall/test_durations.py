from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from portcall.durations import LONGEST, Duration, format_duration, parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("500ms", 0.5),
        ("5s", 5),
        ("10m", 600),
        ("6h", 21600),
        ("3d", 259200),
        ("1h30m", 5400),
        ("1.5s", 1.5),
        (90, 90),
        (0.25, 0.25),
        (0, 0),
        ("0s", 0),
        (timedelta(minutes=1), 60),
    ],
)
def test_a_duration_is_read_as_people_write_it(written, seconds):
    assert parse_duration(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "written", ["", "5", "5 s", "s", "5sec", "-5s", "1h 30m", "٣s", True, None, []]
)
def test_what_is_no_duration_is_refused_with_examples(written):
    with pytest.raises(ValueError, match="write a duration like 500ms, 5s, 10m, 6h, 3d or 1h30m"):
        parse_duration(written)


@pytest.mark.parametrize(
    "written",
    ["3651d", -1, float("inf"), float("nan"), 10**400, timedelta(seconds=-1), timedelta(days=4000)],
)
def test_a_duration_out_of_bounds_is_refused(written):
    with pytest.raises(ValueError, match="between 0 and 3650d"):
        parse_duration(written)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(), "0s"),
        (timedelta(milliseconds=500), "500ms"),
        (timedelta(seconds=90), "1m30s"),
        (timedelta(days=1, seconds=1), "1d1s"),
    ],
)
def test_a_duration_is_written_in_its_shortest_form(duration, text):
    assert format_duration(duration) == text


def test_a_field_reads_and_writes_durations():
    field = TypeAdapter(Duration)
    assert field.validate_python("90s") == timedelta(seconds=90)
    assert field.dump_json(timedelta(seconds=90)) == b'"1m30s"'


@given(st.integers(min_value=0, max_value=int(LONGEST.total_seconds()) * 1000))
def test_what_is_written_reads_back_to_the_same_millisecond(milliseconds):
    duration = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(duration)) == duration


@given(st.text(max_size=80) | st.floats() | st.integers())
def test_any_value_is_a_duration_within_bounds_or_refused(value):
    try:
        duration = parse_duration(value)
    except ValueError:
        return
    assert timedelta() <= duration <= LONGEST
