import json
from datetime import UTC, datetime, timedelta

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from standardwebhooks import Webhook

from portcall.auth import BasicAuth, BearerAuth, HeaderAuth, NoAuth, OAuth2Auth
from portcall.events import RawOriginal
from portcall.formats.known import load_formats
from portcall.gathering import Group
from portcall.ids import DeliveryKey, webhook_id
from portcall.outgoing import outgoing_request
from portcall.policies import Policy, RetiringSecret, Target
from portcall.receiving import Proxy, Tls
from tests.cli.logs import event

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD_SECRET = "whsec_" + "b2xk" * 8
CI = Target(
    name="ci",
    url="https://ci.example/hook?token=planted-query&a=b",
    auth=BearerAuth(token="planted-token"),
    headers={"X-Api-Key": "planted-key", "X-Team": "shop"},
    secrets=[SECRET],
)
PUSH = {"type": "artifact.pushed", "source": "eu", "repository": "prod/app", "tags": ["v1"]}


@pytest.fixture(autouse=True)
async def stored(backend):
    await backend.store.targets.put(CI)
    await backend.store.targets.put(Target(name="chat", url="https://chat.example"))
    match = {"repository": {"glob": "prod/**"}}
    await backend.store.policies.put(Policy(name="deploy", targets=["ci", "chat"], match=match))


async def ask(api, body, name="deploy", status=200):
    answer = await api.post(f"/api/v1/policies/{name}/preview", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def headers(shown):
    return {name.lower(): value for name, value in shown["request"]["headers"]}


async def test_every_target_has_its_request_headers_included(api):
    answer = await ask(api, {"event": PUSH})
    assert answer["misses"] == []
    ci, chat = answer["requests"]
    assert (ci["target"], chat["target"]) == ("ci", "chat")
    assert ci["request"]["method"] == "POST"
    assert json.loads(ci["request"]["body"])["events"][0]["fullName"] == "prod/app"
    assert headers(ci)["x-team"] == "shop"
    assert headers(ci)["content-length"] == str(len(ci["request"]["body"]))
    assert headers(ci)["webhook-id"] == webhook_id(DeliveryKey("eu", "described", "deploy", "ci"))
    assert headers(chat)["host"] == "chat.example"
    assert "webhook-signature" not in headers(chat)


async def test_secrets_are_masked_and_the_signature_is_that_of_the_target(api):
    [ci, _] = (await ask(api, {"event": PUSH}))["requests"]
    assert "planted" not in json.dumps(ci)
    assert SECRET.removeprefix("whsec_") not in json.dumps(ci)
    assert ci["request"]["url"] == "https://ci.example/hook?token=[redacted]&a=b"
    assert headers(ci)["authorization"] == headers(ci)["x-api-key"] == "[redacted]"
    Webhook(SECRET).verify(ci["request"]["body"], headers(ci))


async def test_an_event_of_the_log_gives_the_very_request_of_its_delivery(api, backend):
    known = event("e1")
    fact = known.event.model_copy(update={"repository": "prod/app", "raw": None})
    backend.events.found = [known.model_copy(update={"event": fact})]
    [_, chat] = (await ask(api, {"event_id": "e1"}))["requests"]
    target = Target(name="chat", url="https://chat.example")
    key = DeliveryKey(fact.source, "e1", "deploy", "chat")
    message = load_formats()["default"].render(fact)
    sent = outgoing_request(target, message, webhook_id(key), datetime.now(UTC))
    assert chat["request"]["body"] == sent.body.decode()
    expected = {name.lower(): value for name, value in sent.headers}
    assert headers(chat) == expected | {"webhook-timestamp": headers(chat)["webhook-timestamp"]}


async def test_the_raw_original_travels_only_in_a_format_that_needs_it(api, backend):
    raw = RawOriginal.of(b"own bytes", "text/plain")
    asked = {"event": PUSH | {"raw": raw.model_dump(mode="json")}}
    for form, body in (("raw", "own bytes"), ("cloudevents", None)):
        tried = {"targets": ["chat"], "format": form}
        [shown] = (await ask(api, asked | {"policy": tried}))["requests"]
        assert (shown["request"]["body"] == body) is (form == "raw")
        assert ("own bytes" in shown["request"]["body"]) is (form == "raw")


@pytest.mark.parametrize("form", sorted(load_formats()))
async def test_a_policy_that_is_not_stored_is_shown_in_every_format(api, backend, form):
    tried = {"targets": ["chat"], "format": form}
    answer = await ask(api, {"event": PUSH, "policy": tried}, name="new")
    assert [shown["target"] for shown in answer["requests"]] == ["chat"]
    assert "new" not in backend.store.policies.rows


async def test_what_would_not_be_sent_is_shown_with_the_reason(api, backend):
    answer = await ask(api, {"event": PUSH | {"repository": "test/app"}})
    assert [shown["target"] for shown in answer["requests"]] == ["ci", "chat"]
    [miss] = answer["misses"]
    assert (miss["condition"], miss["seen"]) == ("repository", "test/app")
    await backend.store.targets.put(Target(name="chat", url="https://chat.example", enabled=False))
    answer = await ask(api, {"event": PUSH})
    assert len(answer["requests"]) == 2
    assert [(miss["condition"], miss["wanted"]) for miss in answer["misses"]] == [
        ("target", "chat enabled")
    ]


async def test_a_target_that_is_switched_off_and_holds_is_sent_to_later(api, backend):
    held = Target(name="chat", url="https://chat.example", enabled=False, while_disabled="hold")
    await backend.store.targets.put(held)
    assert (await ask(api, {"event": PUSH}))["misses"] == []


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ({"targets": ["nowhere"]}, "policy.targets.0"),
        ({"targets": ["ci"], "format": "morse"}, "policy.format"),
        ({"targets": ["ci"], "name": "other"}, "policy.name"),
    ],
)
async def test_a_policy_that_could_not_be_stored_is_refused(api, policy, field):
    problem = await ask(api, {"event": PUSH, "policy": policy}, status=422)
    assert [fault["field"] for fault in problem["errors"]] == [field]


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("nobody", {"event": PUSH}, 404),
        ("deploy", {"event_id": "unknown"}, 404),
        ("deploy", {}, 422),
        ("deploy", {"event": PUSH, "event_id": "e1"}, 422),
    ],
)
async def test_what_there_is_not_is_said(api, name, body, status):
    await ask(api, body, name, status)


def templated(body, **more):
    return {"targets": ["chat"], "format": "template", "template": {"body": body, **more}}


async def test_a_template_is_shown_filled_in(api):
    policy = templated("a={{ event.tags[0] }}", content_type="application/x-www-form-urlencoded")
    [shown] = (await ask(api, {"event": PUSH, "policy": policy}))["requests"]
    assert shown["request"]["body"] == "a=v1"
    assert headers(shown)["content-type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("x\n{{ event.repositry }}", "policy.template.body"),
        ("{% if event.size > 5 %}{% endif %}1", "template.body"),  # the event has no size
    ],
)
async def test_a_template_that_cannot_be_filled_in_says_why(api, body, field):
    problem = await ask(api, {"event": PUSH, "policy": templated(body)}, status=422)
    [fault] = problem["errors"]
    assert fault["field"] == field
    assert fault["message"].startswith("line ")


async def test_a_policy_with_a_faulty_template_is_not_stored_and_the_line_is_named(api, backend):
    policy = {"name": "own", **templated("{\n{{ event.repositry }}}")}
    answer = await api.put("/api/v1/policies/own", json=policy)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {
            "field": "template.body",
            "message": "line 2: event has no repositry, did you mean repository?",
        }
    ]
    assert "own" not in backend.store.policies.rows
    policy = {"name": "own", **templated('{"a": "{{ event.repository }}"}')}
    answer = await api.put("/api/v1/policies/own", json=policy)
    assert answer.status_code in (200, 201)
    assert answer.json()["template"]["content_type"] == "application/json"


AUTHS = [
    NoAuth(),
    BearerAuth(token="planted-token"),
    BasicAuth(username="who", password="planted-password"),
    HeaderAuth(name="X-Own", value="planted-value"),
    OAuth2Auth(
        token_url="https://login.example/token", client_id="c", client_secret="planted-secret"
    ),
]


@pytest.mark.parametrize("auth", AUTHS, ids=lambda auth: auth.type)
async def test_no_credential_of_any_kind_is_shown(api, backend, auth):
    target = Target(
        name="safe",
        url="https://safe.example",
        auth=auth,
        tls=Tls(client_cert="CERT", client_key="planted-key"),
        proxy=Proxy(
            url="http://proxy.example", auth=BasicAuth(username="p", password="planted-proxy")
        ),
        hub_secret="planted-hub-secret",
        secrets=[SECRET],
        retiring_secrets=[
            RetiringSecret(secret=OLD_SECRET, until=datetime.now(UTC) + timedelta(hours=1))
        ],
    )
    await backend.store.targets.put(target)
    [shown] = (await ask(api, {"event": PUSH, "policy": {"targets": ["safe"]}}))["requests"]
    assert "planted" not in json.dumps(shown)
    for secret in (SECRET, OLD_SECRET):
        assert secret.removeprefix("whsec_") not in json.dumps(shown)
    hidden = {"x-own"} if auth.type == "header" else {"authorization"}
    masked = {name for name, value in headers(shown).items() if value == "[redacted]"}
    assert hidden <= masked if auth.type != "none" else "authorization" not in headers(shown)
    assert len(headers(shown)["webhook-signature"].split()) == 2


async def test_binary_cloudevents_are_shown_with_their_headers(api):
    tried = {"targets": ["chat"], "format": "cloudevents-binary"}
    [shown] = (await ask(api, {"event": PUSH, "policy": tried}))["requests"]
    message = HTTPMessage(headers=headers(shown), body=shown["request"]["body"].encode())
    assert from_http_event(message).get_subject() == "prod/app:v1"


async def test_a_policy_that_groups_is_shown_with_one_event_and_with_several(api):
    grouped = {"targets": ["ci", "chat"], "group": {"by": ["repository"]}}
    answer = await ask(api, {"event": PUSH, "policy": grouped})
    assert [shown["target"] for shown in answer["grouped"]] == ["ci", "chat"]
    [one, both] = (answer[name][1]["request"]["body"] for name in ("requests", "grouped"))
    assert len(json.loads(one)["events"]) == 1
    assert len(json.loads(both)["events"]) == 2
    more = [PUSH | {"tags": [f"v{n}"]} for n in range(2, 5)]
    answer = await ask(api, {"event": PUSH, "policy": grouped, "more": more})
    items = json.loads(answer["grouped"][0]["request"]["body"])["events"]
    assert [item["tag"] for item in items] == ["v1", "v2", "v3", "v4"]
    assert (await ask(api, {"event": PUSH, "more": more}))["grouped"] == []


@pytest.mark.parametrize("form", ["harbor", "raw", "cloudevents-binary"])
async def test_a_format_that_writes_one_event_at_a_time_cannot_group(api, backend, form):
    policy = {"name": "own", "targets": ["chat"], "format": form, "group": {}}
    answer = await api.put("/api/v1/policies/own", json=policy)
    assert answer.status_code == 422
    [fault] = answer.json()["errors"]
    assert fault["field"] == "format"
    assert fault["message"].startswith(
        "writes one event at a time, with group one of: cloudevents,"
    )
    assert "own" not in backend.store.policies.rows


async def test_a_policy_in_order_is_shown_as_any_other(api):
    tried = {"targets": ["chat"], "ordered": True, "group": Group().model_dump(mode="json")}
    answer = await ask(api, {"event": PUSH, "policy": tried})
    assert len(answer["requests"]) == len(answer["grouped"]) == 1
