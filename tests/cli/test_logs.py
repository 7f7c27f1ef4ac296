import json
from datetime import UTC, datetime, timedelta

import pytest

from portcall.attempts import (
    AttemptError,
    AttemptOutcome,
    ErrorType,
    EventOutcome,
    Outcome,
    ResponseRecord,
)
from portcall.cli.exchanges import readable
from portcall.cli.options import moment
from portcall.cli.pages import verdict
from portcall.errors import InvalidInputError
from portcall.events import Verification
from tests.cli.conftest import Backend, Run
from tests.cli.logs import DELIVERY, NOW, attempt, delivery, event


def test_deliveries_are_listed_with_their_ids_whole(run: Run, backend: Backend):
    backend.deliveries.found = [delivery()]
    headings, line = run("deliveries", "list").out.splitlines()
    assert headings.split() == [
        "STARTED", "EVENT", "ARTIFACT", "POLICY", "TARGET", "OUTCOME", "ATTEMPTS", "STATUS",
        "NEXT", "ID",
    ]  # fmt: skip
    assert line.split() == [
        "2026-07-30T12:00:00Z", "artifact.pushed", "prod/app:v1.2.3", "deploy-prod", "ci",
        "exhausted", "3", "503", DELIVERY,
    ]  # fmt: skip


def test_a_list_in_a_pipe_loses_nothing_however_long(run: Run, backend: Backend):
    long = delivery(repository="a/" * 100 + "app")
    backend.deliveries.found = [long]
    _, line = run("deliveries", "list").out.splitlines()
    assert f" {long.repository}:v1.2.3 " in line
    assert line.endswith(DELIVERY)


def test_every_filter_of_the_api_is_an_option(run: Run, backend: Backend):
    given = {
        "source": "harbor-eu", "event_type": "artifact.pushed", "event_id": "9f3c1d",
        "repository": "prod/*", "tag": "v1", "digest": "sha256:ab", "policy": "p", "target": "c*",
        "outcome": "exhausted", "http_status": "503", "since": "2026-07-30T12:00:00Z",
        "until": "2026-07-30T14:00:00+01:00",
    }  # fmt: skip
    options = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    for log, asked in (("deliveries", backend.deliveries.asked), ("events", backend.events.asked)):
        assert run(log, "list", *options).code == 0
        assert asked[-1].model_dump(exclude_none=True) == given | {
            "http_status": 503,
            "since": NOW,
            "until": NOW + timedelta(hours=1),
        }


def test_lists_follow_pages_up_to_the_limit(run: Run, backend: Backend):
    backend.deliveries.found = [delivery(f"delivery:s:{n}:p:t") for n in range(450)]
    ran = run("deliveries", "list", "--json", "--limit", "430")
    assert ran.err == "There are more: raise --limit.\n"
    items = json.loads(ran.out)
    assert [item["id"] for item in items] == [f"delivery:s:{n}:p:t" for n in range(430)]
    assert len(backend.deliveries.asked) == 3
    ran = run("deliveries", "list", "--json", "--limit", "450")
    assert (len(json.loads(ran.out)), ran.err) == (450, "")


def test_a_filter_that_the_api_refuses_is_named(run: Run, backend: Backend):
    ran = run("deliveries", "list", "--outcome", "broken")
    assert ran.code == 2
    assert "outcome: " in ran.err


def test_a_time_can_be_a_duration_ago():
    now = datetime(2026, 7, 30, 12, tzinfo=UTC)
    assert moment("2h", now) == "2026-07-30T10:00:00Z"
    assert moment("2026-07-30T12:00:00+02:00") == "2026-07-30T10:00:00Z"
    assert moment(None) is None
    with pytest.raises(InvalidInputError, match="'yesterday' is not a time"):
        moment("yesterday")


def test_a_delivery_is_shown_whole(run: Run, backend: Backend):
    backend.deliveries.found = [delivery()]
    page = run("deliveries", "show", DELIVERY).out
    assert page.splitlines()[:2] == [
        DELIVERY,
        "exhausted: 3 of 3 attempts failed, the last with HTTP 503.",
    ]
    for part in (
        "Artifact  prod/app:v1.2.3\n",
        "Web UI    http://127.0.0.1:8233/namespaces/default/workflows/x/run-1/history\n",
        (
            "Attempt 1  2026-07-30T12:00:05Z  failed HTTP 503\n"
            "> POST https://ci.example/hook\n"
            "> content-type: application/json\n"
            "> authorization: [redacted]\n"
            '  {\n    "events": [\n      {\n        "repoName": "app",\n'
        ),
        (
            "< HTTP 503\n< server: nginx\n  down for maintenance\n"
            "  connect 1.1 ms, first byte 4.2 ms, total 5.0 ms, peer 192.0.2.7:443\n"
            "  next attempt after 5s\n"
        ),
        "Attempt 2  2026-07-30T12:00:10Z  failed connect: refused\n",
        f"  portcall deliveries redeliver {DELIVERY}\n",
    ):
        assert part in page


def test_an_attempt_that_was_made_again_at_once_says_so(run: Run, backend: Backend):
    first = attempt(1, None).model_copy(update={"next_attempt_in": None})
    records = (first, attempt(2), attempt(3).model_copy(update={"next_attempt_in": None}))
    backend.deliveries.found = [delivery(attempt_records=records)]
    page = run("deliveries", "show", DELIVERY).out
    assert page.index("made again at once") < page.index("Attempt 2")
    assert page.count("made again at once") == 1


def test_a_delivery_as_json_is_the_answer_of_the_api(run: Run, backend: Backend):
    backend.deliveries.found = [delivery()]
    item = json.loads(run("deliveries", "show", DELIVERY, "--json").out)
    assert item == delivery().model_dump(mode="json")


def test_what_a_receiver_answers_cannot_drive_the_terminal(run: Run, backend: Backend):
    evil = "\x1b[2J\x9b31m\r\u202etxt [bold]x[/bold]"
    response = ResponseRecord(status=500, headers=(("x-\x1b]0;", "\x07"),), body=evil)
    record = attempt(1).model_copy(update={"response": response})
    backend.deliveries.found = [delivery(reason=evil, repository=evil, attempt_records=(record,))]
    for page in (
        run("deliveries", "show", DELIVERY).out,
        run("deliveries", "list").out,
    ):
        assert not set("\x1b\x9b\r\x07\u202e") & set(page)
        assert r"\x1b[2J\x9b31m" in page
        assert "[bold]x[/bold]" in page


@pytest.mark.parametrize(
    ("body", "encoding", "shown"),
    [
        ('{"a": [1]}', "utf-8", '{\n  "a": [\n    1\n  ]\n}'),
        ("eyJhIjogMX0=", "base64", '{\n  "a": 1\n}'),
        ("/w==", "base64", "/w== (base64)"),
        ("/w=", "base64", "/w= (base64)"),
        ("plain", "utf-8", "plain"),
        ("[" * 100_000, "utf-8", "[" * 100_000),
    ],
)
def test_a_body_is_made_readable(body: str, encoding: str, shown: str):
    assert readable(body, encoding) == shown


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"outcome": Outcome.DELIVERED, "attempt_records": (attempt(3, 200),)},
            "HTTP 200 at attempt 3.",
        ),
        (
            {"outcome": Outcome.RETRYING, "next_attempt_at": NOW},
            "attempt 3 failed with HTTP 503; the next one is due at 2026-07-30T12:00:00Z.",
        ),
        (
            {"outcome": Outcome.HELD, "held_since": NOW, "reason": "the target ci is disabled"},
            "since 2026-07-30T12:00:00Z, the target ci is disabled.",
        ),
        (
            {"outcome": Outcome.QUEUED, "queued_since": NOW, "reason": "the target ci is paused"},
            "since 2026-07-30T12:00:00Z, the target ci is paused.",
        ),
        ({"outcome": Outcome.DELIVERING}, "an attempt is under way."),
        (
            {"outcome": Outcome.CANCELLED, "reason": None},
            "after attempt 3, which failed with HTTP 503.",
        ),
        (
            {"outcome": Outcome.CANCELLED, "attempts": 0, "reason": "the target ci is disabled"},
            "before its first attempt.",
        ),
        (
            {"outcome": Outcome.REJECTED, "reason": "HTTP 404 is not in retry_on"},
            "HTTP 404 is not in retry_on.",
        ),
    ],
)
def test_the_verdict_is_one_sentence(changed: dict[str, object], sentence: str):
    assert verdict(delivery(**changed)) == sentence


@pytest.mark.parametrize(
    ("outcome", "verbs"),
    [
        (Outcome.DELIVERING, ["cancel"]),
        (Outcome.RETRYING, ["retry-now", "cancel"]),
        (Outcome.HELD, ["retry-now", "cancel"]),
        (Outcome.QUEUED, ["retry-now", "cancel"]),
        (Outcome.BLOCKED, ["redeliver"]),
    ],
)
def test_the_page_ends_with_what_can_be_done(
    run: Run, backend: Backend, outcome: Outcome, verbs: list[str]
):
    backend.deliveries.found = [delivery(outcome=outcome)]
    page = run("deliveries", "show", DELIVERY).out
    assert page.partition("What you can do\n")[2].splitlines() == [
        f"  portcall deliveries {verb} {DELIVERY}" for verb in verbs
    ]


@pytest.mark.parametrize(
    ("changed", "command"),
    [
        (
            {"outcome": Outcome.QUEUED, "reason": "the target ci is paused until 12:00:00 UTC"},
            "targets health ci",
        ),
        (
            {"outcome": Outcome.BLOCKED, "reason": "Portcall has disabled the target ci: why"},
            "targets health ci",
        ),
        (
            {"outcome": Outcome.WAITING},
            "deliveries list --policy deploy-prod --target ci --repository prod/app",
        ),
        (
            {"outcome": Outcome.WAITING, "repository": None},
            "deliveries list --policy deploy-prod --target ci",
        ),
    ],
)
def test_the_page_says_first_where_to_see_what_stands_in_the_way(
    run: Run, backend: Backend, changed: dict[str, object], command: str
):
    backend.deliveries.found = [delivery(**changed)]
    page = run("deliveries", "show", DELIVERY).out
    assert page.partition("What you can do\n")[2].splitlines()[0] == f"  portcall {command}"


def test_a_blocked_attempt_says_so_once(run: Run, backend: Backend):
    error = AttemptError(type=ErrorType.BLOCKED, message="the policy all is disabled")
    record = attempt(1, None).model_copy(update={"outcome": AttemptOutcome.BLOCKED, "error": error})
    backend.deliveries.found = [delivery(outcome=Outcome.BLOCKED, attempt_records=(record,))]
    page = run("deliveries", "show", DELIVERY).out
    assert "blocked the policy all is disabled" in page


def test_a_redelivery_is_set_apart_from_what_came_before(run: Run, backend: Backend):
    records = (attempt(1), attempt(1, 200, "run-2"))
    backend.deliveries.found = [delivery(attempt_records=records)]
    page = run("deliveries", "show", DELIVERY).out
    before, after = page.split("Sent again: redelivery begins here")
    assert "HTTP 503" in before
    assert "HTTP 200" in after


def test_redelivering_gives_the_reason_on(run: Run, backend: Backend):
    backend.deliveries.found = [delivery()]
    ran = run("deliveries", "redeliver", DELIVERY, "--reason", "repaired")
    assert (ran.code, ran.out) == (0, f"Sending again: {DELIVERY}\n")
    assert backend.deliveries.done == [("redeliver", "repaired")]


@pytest.mark.parametrize(
    ("ends_as", "code", "line"),
    [
        (Outcome.DELIVERED, 0, "delivered: HTTP 200 at attempt 1.\n"),
        (Outcome.EXHAUSTED, 1, "exhausted: HTTP 500.\n"),
    ],
)
def test_waiting_for_a_redelivery_tells_how_it_ended(
    run: Run, backend: Backend, ends_as: Outcome, code: int, line: str
):
    backend.deliveries.found = [delivery()]
    backend.deliveries.ends_as = ends_as
    ran = run("deliveries", "redeliver", DELIVERY, "--wait")
    assert (ran.code, ran.out) == (code, line)


def test_waiting_for_a_redelivery_gives_json_too(run: Run, backend: Backend):
    backend.deliveries.found = [delivery()]
    ran = run("deliveries", "redeliver", DELIVERY, "--wait", "--json")
    assert json.loads(ran.out)["outcome"] == "delivered"


def test_what_is_under_way_is_not_redelivered(run: Run, backend: Backend):
    backend.deliveries.found = [delivery(outcome=Outcome.RETRYING)]
    ran = run("deliveries", "redeliver", DELIVERY)
    assert (ran.code, ran.err) == (4, "This delivery is not over yet.")


@pytest.mark.parametrize("verb", ["retry-now", "cancel"])
def test_a_waiting_delivery_can_be_hurried_or_ended(run: Run, backend: Backend, verb: str):
    backend.deliveries.found = [delivery()]
    ran = run("deliveries", verb, DELIVERY)
    assert ran.code == 0
    assert DELIVERY in ran.out
    assert backend.deliveries.done == [(verb, DELIVERY)]


@pytest.mark.parametrize("identity", ["nothing", "a/b", "../../healthz", "a?b#c", "%2e"])
def test_an_unknown_id_is_not_found(run: Run, backend: Backend, identity: str):
    for words in (("deliveries", "show"), ("deliveries", "cancel"), ("events", "show")):
        assert run(*words, identity).code == 4


def test_events_are_listed_with_their_ids_whole(run: Run, backend: Backend):
    backend.events.found = [event(), event("2", outcome=EventOutcome.UNMATCHED, deliveries=0)]
    _, first, second = run("events", "list").out.splitlines()
    assert first.split() == [
        "2026-07-30T12:00:00Z", "artifact.pushed", "prod/app:v1.2.3", "harbor-eu", "alice",
        "matched", "1", "9f3c1d",
    ]  # fmt: skip
    assert second.split()[-3:] == ["unmatched", "0", "2"]


def test_an_event_is_shown_with_its_original_its_deliveries_and_who_missed(
    run: Run, backend: Backend
):
    backend.events.found = [event()]
    page = run("events", "show", "9f3c1d").out
    for part in (
        "artifact.pushed prod/app:v1.2.3\n",
        "Source    harbor-eu (harbor: PUSH_ARTIFACT)\n",
        (
            "What the registry sent (application/json, 24 bytes)\n"
            '  {\n    "type": "PUSH_ARTIFACT"\n  }\n'
        ),
        DELIVERY,
        "Policies that did not match\n",
        "scan    tag        in: ['x']  v1.2.3\n",
        "and 3 more that do not match\nPolicies not listed: 2 for other sources\n",
    ):
        assert part in page


def test_an_event_that_no_policy_could_match_says_so(run: Run, backend: Backend):
    nothing = {"deliveries": 0, "misses": (), "more_misses": 0, "ruled_out": {}}
    backend.events.found = [event(outcome=EventOutcome.UNMATCHED, **nothing)]
    assert run("events", "show", "9f3c1d").out.endswith(
        "There was no policy that it could match.\n"
    )


@pytest.mark.parametrize(
    ("verification", "line"),
    [
        (Verification(state="verified"), "Registry  verified\n"),
        (
            Verification(state="unverified", reason="the registry has no prod/app:v9"),
            "Registry  unverified: the registry has no prod/app:v9\n",
        ),
    ],
)
def test_an_event_says_what_its_registry_says(
    run: Run, backend: Backend, verification: Verification, line: str
):
    known = event()
    checked = known.event.model_copy(update={"verification": verification})
    backend.events.found = [known.model_copy(update={"event": checked})]
    assert line in run("events", "show", "9f3c1d").out
    backend.events.found = [known]
    assert "Registry" not in run("events", "show", "9f3c1d").out


def test_an_event_as_json_is_the_answer_of_the_api(run: Run, backend: Backend):
    backend.events.found = [event()]
    assert json.loads(run("events", "show", "9f3c1d", "--json").out)["event"]["kind"] == "harbor"
