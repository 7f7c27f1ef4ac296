import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given

from portcall.attempts import Outcome
from portcall.event_types import EVENT_TYPES
from portcall.events import Quota, Replication, Retention, Scan, Verification
from portcall.formats.known import load_formats
from portcall.health import HealthChange
from portcall.own_events import (
    GivenUp,
    Rejection,
    delivery_event,
    rejected_event,
    silent_event,
    target_event,
)
from portcall.pings import ping_event
from tests.portcall.formats.chat_rules import HOSTILE, checked, strings
from tests.portcall.formats.events import DIGEST, PUSH, RECORDED, anything, but

FORMATS = load_formats()
CHATS = ("slack", "teams", "discord")


def rendered(name, event):
    return json.loads(FORMATS[name].render(event).body)


def told(name, event):
    """Give what a person reads, marks left out."""
    return re.sub(r"[`*]", "", "\n".join(strings(rendered(name, event))))


@pytest.mark.parametrize("name", CHATS)
def test_every_recorded_event_becomes_a_message_that_the_service_takes(name):
    for event in RECORDED:
        checked(name, FORMATS[name].render(event))


@pytest.mark.parametrize("name", CHATS)
@given(event=anything)
@example(event=but(**dict.fromkeys(("repository", "actor", "registry", "digest"), "😀" * 5000)))
def test_a_message_is_within_the_limits_whatever_the_event_holds(name, event):
    checked(name, FORMATS[name].render(event))


@pytest.mark.parametrize("name", CHATS)
@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_every_type_of_event_has_a_headline_about_its_artifact(name, event_type):
    said = told(name, but(type=event_type))
    assert "prj/api/web:1.4.2" in said
    assert "." not in said.split("prj")[0]


@pytest.mark.parametrize("name", CHATS)
def test_a_message_says_what_was_pushed_where_and_by_whom(name):
    said = told(name, but(tags=("1.4.2", "latest"), platforms=("linux/amd64", "linux/arm64")))
    for fact in (
        "Artifact pushed", f"prj/api/web@{DIGEST}", "1.4.2, latest", "linux/amd64, linux/arm64",
        "alice", "hub.example", "eu · 2026-01-02 03:04:05 UTC",
    ):  # fmt: skip
        assert fact in said


DETAILS = [
    (
        {"type": "scan.completed", "scan": Scan(
            kind="vulnerability", status="completed", severity="High", total=3, fixable=1,
            counts={"High": 1, "Low": 2}, scanner="Trivy")},
        ["Scan completed", "High", "3; 1 can be fixed; High 1, Low 2", "Trivy"],
    ),
    ({"type": "scan.completed", "scan": Scan(total=0)}, ["Vulnerabilities", "0"]),
    (
        {"type": "replication.changed", "replication": Replication(
            status="failed", source_registry="hub", source_namespace="prj",
            destination_registry="dr", trigger="manual", policy="nightly", references=("1", "2"))},
        ["Replication failed", "hub/prj", "dr", "manual", "nightly", "1, 2"],
    ),
    (
        {"type": "retention.finished", "retention": Retention(
            total=9, retained=8, deleted=tuple(f"web:{n}" for n in range(12)))},
        ["Retention finished", "8 kept, 9 in total", "12: web:0, web:1"],
    ),
    ({"type": "quota.exceeded", "quota": Quota(details="is 101%")}, ["Quota exceeded", "is 101%"]),
    (
        {"type": "quota.warned", "quota": Quota(used=8500, limit=10000)},
        ["Quota almost used up", "8,500 of 10,000 bytes"],
    ),
    ({"type": "quota.warned", "quota": Quota(), "tags": (), "digest": None}, ["prj/api/web"]),
    (
        {"type": "vulnerability.found", "attributes": {"cve": "CVE-2026-1", "n": 5, "x": "no"}},
        ["Vulnerability found", "Cve", "CVE-2026-1"],
    ),
    ({"type": "quay.build_failed"}, ["Quay build failed"]),
    ({"repository": None, "project": "prj", "tags": ()}, ["prj"]),
    ({"repository": None, "tags": ()}, [DIGEST]),
    (
        {"verification": Verification(state="unverified", reason="no such manifest")},
        ["Not confirmed by the registry", "no such manifest"],
    ),
]  # fmt: skip


NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OUR_OWN = [
    (
        delivery_event(
            GivenUp(
                event=PUSH,
                policy="deploy",
                target="ci",
                outcome=Outcome.EXHAUSTED,
                reason="3 of 3 attempts failed, the last with HTTP 503",
                attempts=3,
                http_status=503,
                more=2,
            ),
            "delivery:eu:e1:deploy:ci",
            "run",
            NOW,
        ),
        [
            "Delivery given up prj/api/web:1.4.2", "3 of 3 attempts failed, the last with HTTP 503",
            "deploy", "ci", "503", "More events", "delivery:eu:e1:deploy:ci", "artifact.pushed",
        ],
    ),
    (
        target_event(
            HealthChange(type="target.disabled", target="ci", reason="HTTP 410", at=NOW, since=NOW)
        ),
        ["Target disabled ci", "HTTP 410", "2026-03-01T12:00:00+00:00"],
    ),
    (
        rejected_event("eu", Rejection.CREDENTIAL, "The credential is wrong.", NOW),
        ["Notifications rejected eu", "The credential is wrong."],
    ),
    (
        silent_event("eu", NOW, timedelta(hours=26), NOW),
        ["Source is silent eu", "nothing came for 1d2h"],
    ),
    (ping_event("ci", NOW), ["Test message ci", "nothing has happened"]),
]  # fmt: skip


@pytest.mark.parametrize("name", CHATS)
@pytest.mark.parametrize(("event", "facts"), OUR_OWN)
def test_a_message_says_what_portcall_tells_of_itself(name, event, facts):
    checked(name, FORMATS[name].render(event))
    said = re.sub(r"\s+", " ", told(name, event))
    assert [fact for fact in facts if fact not in said] == []
    assert "portcall · 2026-03-01 12:00:00 UTC" in said


@pytest.mark.parametrize("name", CHATS)
@pytest.mark.parametrize(("changes", "facts"), DETAILS)
def test_a_message_says_what_the_event_tells(name, changes, facts):
    said = told(name, but(**changes))
    assert [fact for fact in facts if fact not in said] == []


def test_a_list_is_cut_and_what_does_not_fit_on_a_screen_is_left_out():
    said = told("slack", but(tags=tuple("t" * 30 + str(n) for n in range(50)), actor="x" * 9999))
    assert "50: ttt" in said
    assert "x" * 249 + "…" in said
    assert "hub.example" in said


@pytest.mark.parametrize(
    ("changes", "colour"),
    [
        ({}, "default"),
        ({"type": "scan.completed", "scan": Scan(severity="Critical")}, "attention"),
        ({"type": "scan.completed", "scan": Scan(severity="Medium")}, "warning"),
        ({"type": "scan.completed", "scan": Scan(severity="Low")}, "good"),
        ({"type": "replication.changed", "replication": Replication(status="failed")}, "attention"),
        ({"type": "quota.warned"}, "warning"),
        ({"type": "quay.build_failed"}, "attention"),
        ({"verification": Verification(state="unverified")}, "warning"),
    ],
)
def test_the_colour_says_how_bad_it_is(changes, colour):
    card = rendered("teams", but(**changes))["attachments"][0]["content"]
    assert card["body"][0]["inlines"][0]["color"] == colour


HOSTILE_EVENT = but(
    repository=HOSTILE, tags=(HOSTILE, HOSTILE), actor=HOSTILE, registry=HOSTILE,
    attributes={"message": HOSTILE}, quota=Quota(details=HOSTILE), type="quay." + HOSTILE,
)  # fmt: skip


def test_nothing_in_an_event_is_a_mark_for_slack():
    for shown in strings(rendered("slack", HOSTILE_EVENT)):
        assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", shown)
        assert shown.count("`") in (0, 2)


def test_nothing_in_an_event_is_a_mark_for_discord_outside_of_code():
    embed = rendered("discord", HOSTILE_EVENT)["embeds"][0]
    for shown in (embed["description"], *(field["value"] for field in embed["fields"])):
        assert re.fullmatch("`[^`\n]+`", shown)
    assert not re.search(r"[*\[\]<>@`]|://", embed["title"])


def test_a_text_is_one_line_without_characters_that_turn_its_direction():
    said = told("teams", but(actor="al\nice\u202e\u0000 bob", repository="a\r\n\r\nb"))
    assert "al ice bob" in said
    assert "a b:1.4.2" in said


def test_slack_reads_a_push():
    assert rendered("slack", PUSH)["blocks"] == [
        {
            "type": "section",
            "text": {
                "type": "mrkdwn",
                "text": "🔵 *Artifact pushed* `prj/api/web:1.4.2`",
                "verbatim": True,
            },
        },
        {
            "type": "section",
            "fields": [
                {"type": "mrkdwn", "text": f"*{label}*\n`{value}`", "verbatim": True}
                for label, value in [
                    ("Digest", DIGEST),
                    ("By", "alice"),
                    ("Registry", "hub.example"),
                ]
            ],
        },
        {
            "type": "context",
            "elements": [
                {
                    "type": "mrkdwn",
                    "text": "Portcall · eu · 2026-01-02 03:04:05 UTC",
                    "verbatim": True,
                }
            ],
        },
    ]
