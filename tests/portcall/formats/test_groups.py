import contextlib
import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from hypothesis import example, given, settings
from hypothesis import strategies as st

from portcall.event_types import EVENT_TYPES
from portcall.events import Replication, Scan
from portcall.formats.format import GroupFormat, rendered
from portcall.formats.known import load_formats
from portcall.formats.template import Template
from portcall.formats.template_language import TemplateError
from tests.portcall.formats.chat_rules import HOSTILE, checked, strings
from tests.portcall.formats.events import DIGEST, PUSH, RECORDED, anything, but

FORMATS = load_formats()
DOCS = (Path(__file__).parents[3] / "docs" / "formats.md").read_text()
CHATS = ("slack", "teams", "discord")
GROUPING = [name for name, known in FORMATS.items() if isinstance(known, GroupFormat)]

NOTHING = but(repository=None, tags=(), digest=None)
PUSHES = [
    but(
        id=f"e{n}",
        tags=(f"1.{n}",),
        actor=("alice", "bob")[n % 2],
        occurred_at=PUSH.occurred_at + timedelta(seconds=n),
    )
    for n in range(47)
]


def own(event_type, about=NOTHING, **attributes):
    """Give an event of Portcall's own."""
    told = {"type": event_type, "source": "portcall", "actor": None, "attributes": attributes}
    return about.model_copy(update=told)


def group(name, events):
    return rendered(FORMATS[name], events)


def body(name, events):
    return json.loads(group(name, events).body)


def told(name, events):
    """Give what a person reads, marks left out."""
    return re.sub(r"[`*]", "", "\n".join(strings(checked(name, group(name, events)))))


def test_some_formats_write_one_event_at_a_time():
    assert FORMATS.keys() - set(GROUPING) == {"harbor", "raw", "cloudevents-binary"}
    with pytest.raises(TypeError, match="the format raw writes one event at a time"):
        group("raw", PUSHES)


def test_the_documentation_says_which_formats_group():
    rows = re.findall(r"^\| `([a-z-]+)` \|.*\| (yes|no) \|$", DOCS, re.MULTILINE)
    assert dict(rows) == {name: "yes" if name in GROUPING else "no" for name in FORMATS}


def test_the_documented_template_of_a_group_makes_json():
    [written] = re.findall(r"```jinja\n(.*?)```", DOCS, re.DOTALL)
    template = Template(written)
    template.check()
    assert json.loads(template.render_group(PUSHES[:2]).body) == [["1.0"], ["1.1"]]


few = st.lists(anything, min_size=2, max_size=3)
often = st.integers(1, 30)
BURST = [but(**dict.fromkeys(("repository", "actor", "digest"), "😀" * 5000), tags=("😀" * 5000,))]
OWN = [own("x", but(tags=("&" * 500,)), target="&" * 500, reason="&" * 500), PUSH]
AMPS = [but(**dict.fromkeys(("actor", "digest"), "&" * 5000), tags=("&" * 5000,), project="p")]


@pytest.mark.parametrize("name", CHATS)
@given(events=few, times=often)
@settings(max_examples=30)
@example(events=BURST, times=100)
@example(events=AMPS, times=100)
@example(events=OWN, times=100)
@example(events=[*BURST, *AMPS, but(type="x" * 5000, scan=Scan(severity="&" * 500))], times=30)
def test_a_group_is_within_the_limits_whatever_it_holds(name, events, times):
    checked(name, group(name, events * times))


@pytest.mark.parametrize("name", GROUPING)
@given(events=few, times=often)
@settings(max_examples=15)
def test_no_group_fails(name, events, times):
    with contextlib.suppress(TemplateError):  # what is larger than any group is refused
        json.loads(group(name, events * times).body)


@pytest.mark.parametrize("name", CHATS)
def test_a_group_is_one_message_with_a_line_for_each_event(name):
    said = told(name, PUSHES[:3])
    assert re.search(r"3 pushes to\s+prj/api/web", said)
    for n, actor in enumerate(["alice", "bob", "alice"]):
        assert re.search(rf"1\.{n}\s+by\s+{actor}", said)
    assert "eu · 2026-01-02 03:04:05 to 03:04:07 UTC" in said
    assert "more" not in said


@pytest.mark.parametrize("name", CHATS)
def test_of_a_large_group_some_are_shown_and_the_others_counted(name):
    said = told(name, PUSHES)
    assert "47 pushes" in said
    assert "1.11" in said
    assert "1.12" not in said
    assert "… and 35 more" in said


@pytest.mark.parametrize("name", CHATS)
@pytest.mark.parametrize(
    ("events", "facts"),
    [
        ([PUSH, but(repository="prj/b")], ["2 pushes to 2 repositories", "prj/api/web:1.4.2"]),
        (
            [PUSH, but(type="artifact.deleted", tags=())],
            ["2 events in", "Artifact deleted", "9e2c9e2c9e2c", "Artifact pushed"],
        ),
        (
            [but(tags=()), but(tags=(), repository="prj/b")],
            ["prj/api/web@9e2c9e2c9e2c", "prj/b@9e2c9e2c9e2c"],
        ),
        ([but(type="quota.exceeded", repository=None, project="prj", tags=(), digest=None)] * 2,
         ["2 events: Quota exceeded in", "prj"]),
        ([but(tags=("a", "b", "c", "d"))] * 2, ["a, b, c, …"]),
        ([but(type="scan.completed", scan=Scan(severity="High"))] * 2, ["2 scans of", "High"]),
        (
            [but(type="replication.changed", replication=Replication(status="failed"))] * 2,
            ["2 events: Replication failed in", "failed"],
        ),
        ([own("target.disabled", target="ci", reason="HTTP 410")] * 2,
         ["2 events: Target disabled", "ci HTTP 410"]),
        ([own("source.silent", source="eu", reason="nothing came for 1d")] * 2,
         ["2 events: Source is silent", "eu nothing came for 1d"]),
        (
            [own("delivery.exhausted", PUSH, target="ci", reason="HTTP 503")] * 2,
            ["2 events: Delivery given up in prj/api/web", "1.4.2 to ci HTTP 503"],
        ),
        (
            [but(type="x", repository=None, tags=(), digest=None, actor=None), PUSH],
            ["2 events in", "X"],
        ),
        ([PUSH, but(source="us")], ["2 sources · "]),
        (
            [PUSH, but(occurred_at=PUSH.occurred_at + timedelta(days=1))],
            ["2026-01-02 03:04:05 to 2026-01-03 03:04:05 UTC"],
        ),
    ],
)  # fmt: skip
def test_a_group_says_what_its_events_have_in_common(name, events, facts):
    said = re.sub(r"\s+", " ", told(name, events))
    assert [fact for fact in facts if fact not in said] == []


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_a_group_of_any_type_has_a_headline(event_type):
    assert re.match(r"🔴|🟠|🟢|🔵", told("slack", [but(type=event_type)] * 2).split("\n")[1])


@pytest.mark.parametrize(
    ("severities", "mark"),
    [(("Low", "Critical"), "🔴"), (("Medium", "Low"), "🟠"), (("Low", "Low"), "🟢")],
)
def test_a_group_is_as_bad_as_the_worst_in_it(severities, mark):
    events = [but(type="scan.completed", scan=Scan(severity=word)) for word in severities]
    assert body("slack", events)["blocks"][0]["text"]["text"].startswith(mark)
    assert body("slack", [PUSH, *events[1:]])["blocks"][0]["text"]["text"][0] in "🟠🔵🔴"


HOSTILE_GROUP = [
    but(
        repository=HOSTILE, tags=(HOSTILE,), actor=HOSTILE, type="quay." + HOSTILE,
        scan=Scan(severity=HOSTILE), source=HOSTILE,
    ),
    PUSH,
]  # fmt: skip


def test_nothing_in_a_group_is_a_mark_for_slack():
    for shown in strings(body("slack", HOSTILE_GROUP)):
        assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", shown)
        outside = re.sub("`[^`\n]+`", "", shown)
        assert not re.search(r"[`@_\[\]]", outside.partition("Portcall · ")[0])


def test_nothing_in_a_group_is_a_mark_for_discord_outside_of_code():
    message = body("discord", HOSTILE_GROUP)
    embed = message["embeds"][0]
    outside = re.sub("`[^`\n]+`", "", embed["description"] + embed["title"])
    assert not re.search(r"[*\[\]<>@`_]|://", outside)
    assert message["allowed_mentions"] == {"parse": []}


def test_slack_reads_a_group():
    blocks = body("slack", PUSHES[:4])["blocks"]
    assert [block["text"]["text"] for block in blocks[:-1]] == [
        "🔵 *4 pushes to* `prj/api/web`",
        "• `1.0` by `alice`\n• `1.1` by `bob`\n• `1.2` by `alice`",
        "• `1.3` by `bob`",
    ]


def test_the_default_format_has_the_items_of_all():
    items = body("default", [but(tags=("a", "b")), but(tags=())])["events"]
    assert [item["tag"] for item in items] == ["a", "b", ""]


def test_the_official_library_reads_every_event_of_a_batch():
    message = group("cloudevents", RECORDED)
    assert message.content_type == "application/cloudevents-batch+json"
    batch = json.loads(message.body)
    assert len(batch) == len(RECORDED)
    for item, event in zip(batch, RECORDED, strict=True):
        headers = {"content-type": "application/cloudevents+json"}
        read = from_http_event(HTTPMessage(headers=headers, body=json.dumps(item).encode()))
        assert read.get_id() == event.id


def test_github_starts_one_workflow_for_all():
    message = body("github", PUSHES)
    assert message["event_type"] == "artifact.pushed"
    payload = message["client_payload"]
    assert (payload["count"], payload["repository"]) == (47, "prj/api/web")
    assert [event["tag"] for event in payload["events"]] == [f"1.{n}" for n in range(47)]
    assert payload["events"][0]["event"]["actor"] == "alice"
    mixed = body("github", [PUSH, but(type="tag.deleted", repository="prj/b")])
    assert mixed["event_type"] == "events.grouped"
    assert mixed["client_payload"]["repository"] is None
    assert [event["type"] for event in mixed["client_payload"]["events"]] == [
        "artifact.pushed",
        "tag.deleted",
    ]


@given(few=few, times=often)
@settings(max_examples=15)
@example(few=[but(attributes={"a": "x" * 5000})], times=100)
@example(few=[but(id="😀" * 5000)], times=100)
@example(few=[but(repository=None)], times=2)
def test_github_takes_every_group(few, times):
    events = few * times
    message = group("github", events)
    assert len(message.body) <= 64_000
    sent = json.loads(message.body)
    assert len(sent["event_type"]) <= 100
    assert len(sent["client_payload"]) <= 10
    assert sent["client_payload"]["count"] == len(events)


def test_a_template_sees_all_events_and_the_first_alone():
    lines = Template(
        "{{ event.tags[0] }}:{% for e in events %} {{ e.tags[0] }}{% endfor %}", "text/plain"
    )
    assert lines.render_group(PUSHES[:3]).body == b"1.0: 1.0 1.1 1.2"
    assert lines.render(PUSH).body == b"1.4.2: 1.4.2"


def test_a_template_is_tried_on_a_group():
    Template(
        '[{% for e in events %}{{ e | tojson }}{{ "," if not loop.last }}{% endfor %}]'
    ).check()
    with pytest.raises(TemplateError, match="what it makes of a sample group is no JSON"):
        Template("[{% for e in events %}{{ e | tojson }}{% endfor %}]").check()


def test_without_a_template_the_message_is_the_event_or_all_of_them():
    assert json.loads(FORMATS["template"].render(PUSH).body)["digest"] == DIGEST
    assert [event["id"] for event in body("template", PUSHES[:2])] == ["e0", "e1"]
