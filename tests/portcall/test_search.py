from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from portcall.errors import InvalidInputError
from portcall.log import Filter
from portcall.search import (
    Cursor,
    event_ids_query,
    ids_query,
    is_for_events,
    quote,
    timestamp,
    visibility_query,
)

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def query(**wanted: object) -> str:
    return visibility_query("DeliveryWorkflow", Filter.model_validate(wanted))


def test_an_empty_filter_asks_for_every_workflow_of_the_type() -> None:
    assert query() == "WorkflowType = 'DeliveryWorkflow'"


@pytest.mark.parametrize(
    ("wanted", "condition"),
    [
        ({"source": "eu"}, "Source = 'eu'"),
        ({"event_type": "artifact.pushed"}, "EventType = 'artifact.pushed'"),
        ({"event_id": "e1"}, "EventId = 'e1'"),
        ({"tag": "v1"}, "Tags = 'v1'"),
        ({"digest": "sha256:00"}, "Digest = 'sha256:00'"),
        ({"policy": "p"}, "Policy = 'p'"),
        ({"repository": "prod/app"}, "Repository = 'prod/app'"),
        ({"repository": "prod/*"}, "Repository STARTS_WITH 'prod/'"),
        ({"target": "ci*"}, "Target STARTS_WITH 'ci'"),
        ({"http_status": 503}, "HttpStatus = 503"),
        ({"outcome": "rejected"}, "Outcome = 'rejected'"),
        (
            {"outcome": "exhausted"},
            (
                "(Outcome = 'exhausted' OR (Outcome IN"
                " ('delivering', 'retrying', 'held', 'queued', 'waiting')"
                " AND ExecutionStatus IN ('Failed', 'TimedOut')))"
            ),
        ),
        ({"outcome": "retrying"}, "Outcome = 'retrying' AND ExecutionStatus = 'Running'"),
        ({"outcome": "held"}, "Outcome = 'held' AND ExecutionStatus = 'Running'"),
        ({"outcome": "queued"}, "Outcome = 'queued' AND ExecutionStatus = 'Running'"),
        ({"outcome": "waiting"}, "Outcome = 'waiting' AND ExecutionStatus = 'Running'"),
        ({"outcome": "cancelled"}, "ExecutionStatus IN ('Canceled', 'Terminated')"),
        ({"since": NOON}, "StartTime >= '2026-01-02T12:00:00Z'"),
        ({"until": NOON}, "StartTime < '2026-01-02T12:00:00Z'"),
    ],
)
def test_each_filter_is_one_condition(wanted: dict[str, object], condition: str) -> None:
    assert query(**wanted) == f"WorkflowType = 'DeliveryWorkflow' AND {condition}"


def test_a_star_alone_holds_for_everything() -> None:
    assert query(repository="*") == "WorkflowType = 'DeliveryWorkflow'"


def test_quotes_and_backslashes_cannot_end_a_literal() -> None:
    assert quote(r"a'b\c") == r"'a''b\\c'"


def test_times_are_written_in_utc() -> None:
    berlin = datetime(2026, 1, 2, 13, tzinfo=timezone(timedelta(hours=1)))
    assert timestamp(berlin) == timestamp(NOON)


def test_lists_of_ids_are_quoted_one_by_one() -> None:
    assert ids_query("W", ["a", "b'"]) == "WorkflowType = 'W' AND WorkflowId IN ('a', 'b''')"
    assert event_ids_query("W", ["a"]) == "WorkflowType = 'W' AND EventId IN ('a')"


@pytest.mark.parametrize(
    ("wanted", "for_events"),
    [
        ({}, True),
        ({"source": "a", "outcome": "unmatched"}, True),
        ({"outcome": "delivered"}, False),
        ({"policy": "p"}, False),
        ({"target": "t"}, False),
        ({"http_status": 200}, False),
    ],
)
def test_what_only_deliveries_know_is_sought_through_them(
    wanted: dict[str, object], for_events: bool
) -> None:
    assert is_for_events(Filter.model_validate(wanted)) is for_events


@given(st.datetimes(timezones=st.just(UTC)), st.text())
def test_a_cursor_comes_back_as_it_was(when: datetime, run_id: str) -> None:
    cursor = Cursor(when, run_id)
    assert Cursor.decode(cursor.encode()) == cursor


@given(st.text())
def test_any_other_text_is_refused_as_a_cursor_and_breaks_nothing(text: str) -> None:
    with suppress(InvalidInputError):
        Cursor.decode(text)


def test_a_foreign_cursor_is_refused_by_its_field() -> None:
    with pytest.raises(InvalidInputError) as refused:
        Cursor.decode("bm90IG91cnM")
    assert refused.value.problem["errors"][0]["field"] == "cursor"


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00+14:00", "2026-01-01T00:00:00", "soon"])
def test_a_time_that_is_none_or_has_no_zone_is_refused(when: str) -> None:
    with pytest.raises(ValidationError):
        Filter.model_validate({"since": when})
