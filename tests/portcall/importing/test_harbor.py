import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcall.auth import BasicAuth, BearerAuth, HeaderAuth, NoAuth, TargetAuth
from portcall.errors import InvalidInputError
from portcall.events import RegistryEvent
from portcall.formats.format import Message
from portcall.importing.harbor import Translation, translate
from portcall.importing.harbor_list import read_projects
from portcall.matching import match_event
from portcall.outgoing import outgoing_request
from portcall.policies import Policy, Target
from portcall.ports import PolicySnapshot

FORMATS = {"default", "harbor", "cloudevents", "raw"}
HOOK: dict[str, Any] = {
    "type": "http",
    "address": "https://ci.example/hook",
    "auth_header": "Bearer planted-token",
    "skip_cert_verify": False,
    "payload_format": "Default",
}
WEBHOOK: dict[str, Any] = {
    "id": 12,
    "name": "Deploy Prod",
    "description": "",
    "project_id": 3,
    "targets": [HOOK],
    "event_types": ["PUSH_ARTIFACT", "SCANNING_COMPLETED"],
    "creator": "admin",
    "creation_time": "2026-01-15T09:00:00.000Z",
    "update_time": "2026-01-15T09:00:00.000Z",
    "enabled": True,
}


def translated(*webhooks: dict[str, Any], project: str = "shop", **more: Any) -> Translation:
    return translate(read_projects(list(webhooks), project), **({"formats": FORMATS} | more))


def sent(target: Target) -> str | None:
    """Give the credential that the receiver sees."""
    message = Message(content_type="application/json", body=b"{}")
    request = outgoing_request(target, message, "msg_1", datetime(2026, 7, 1, tzinfo=UTC))
    return dict(request.headers).get("Authorization")


def hooks(*targets: dict[str, Any], **more: Any) -> dict[str, Any]:
    return WEBHOOK | {"targets": [HOOK | target for target in targets]} | more


def test_a_webhook_becomes_a_policy_for_its_project_and_a_target() -> None:
    found = translated(WEBHOOK, source="harbor-eu", managed_by="from-harbor")
    (target,) = found.targets
    assert target == Target(
        name="harbor-eu-ci.example-71a37c",
        url="https://ci.example/hook",
        auth=BearerAuth(token="planted-token"),
        managed_by="from-harbor",
    )
    assert found.policies == (
        Policy(
            name="harbor-eu-shop-12",
            description="Deploy Prod (webhook 12 of Harbor's project shop)",
            match={
                "event_types": ["artifact.pushed", "scan.completed"],
                "sources": ["harbor-eu"],
                "project": {"in": ["shop"]},
                "tagged": "any",
            },
            targets=[target.name],
            format="harbor",
            managed_by="from-harbor",
        ),
    )
    assert found.notes == ()


def test_the_same_list_gives_the_same_in_whatever_order_it_comes() -> None:
    other = hooks({"address": "https://cd.example"}, id=7)
    assert translated(WEBHOOK, other) == translated(other, WEBHOOK)


def test_a_webhook_keeps_its_name_when_harbor_renames_it() -> None:
    (before,) = translated(WEBHOOK).policies
    (after,) = translated(WEBHOOK | {"name": "Deploy Live"}).policies
    assert before.name == after.name == "harbor-shop-12"
    assert after.description.startswith("Deploy Live ")


def test_projects_and_hosts_too_long_for_a_name_are_cut_before_what_tells_them_apart() -> None:
    hook = {"address": f"https://{'h' * 60}.example"}
    found = translated(hooks(hook, id=123456), project="p" * 255)
    assert found.policies[0].name == f"harbor-{'p' * 36}-123456"
    assert len(found.targets[0].name) == 50


def event(**more: Any) -> RegistryEvent:
    now = datetime(2026, 7, 1, tzinfo=UTC)
    facts = {"id": "1", "source": "harbor-eu", "kind": "harbor", "type": "artifact.pushed"}
    times = {"occurred_at": now, "received_at": now}
    return RegistryEvent(**(facts | times | {"project": "shop"} | more))


@pytest.mark.parametrize(
    ("facts", "is_wanted"),
    [
        ({"tags": ("v1",)}, True),
        ({"digest": "sha256:" + "0" * 64}, True),
        ({"type": "scan.completed"}, True),
        ({"type": "artifact.pulled", "tags": ("v1",)}, False),
        ({"project": "shop-2", "tags": ("v1",)}, False),
        ({"source": "harbor-us", "tags": ("v1",)}, False),
    ],
)
def test_what_harbor_would_have_sent_is_sent_also_a_push_by_digest(
    facts: dict[str, Any], is_wanted: bool
) -> None:
    policies = translated(WEBHOOK, source="harbor-eu").policies
    result = match_event(PolicySnapshot(policies=policies), event(**facts), ())
    assert [match.target for match in result.matches] == policies[0].targets * is_wanted


@pytest.mark.parametrize(
    ("header", "auth"),
    [
        ("", NoAuth()),
        (None, NoAuth()),
        ("Bearer planted", BearerAuth(token="planted")),
        ("bearer planted", HeaderAuth(name="Authorization", value="bearer planted")),
        ("Bearer  planted", HeaderAuth(name="Authorization", value="Bearer  planted")),
        ("Basic dXNlcjpwYTpzcw==", BasicAuth(username="user", password="pa:ss")),
        ("Basic dXNlcjo=", HeaderAuth(name="Authorization", value="Basic dXNlcjo=")),
        ("Basic !!!", HeaderAuth(name="Authorization", value="Basic !!!")),
        ("Basic dXNlcjpwYXNzZg", HeaderAuth(name="Authorization", value="Basic dXNlcjpwYXNzZg")),
        ("a bare secret", HeaderAuth(name="Authorization", value="a bare secret")),
    ],
)
def test_the_auth_header_becomes_a_credential(header: str | None, auth: TargetAuth) -> None:
    (target,) = translated(hooks({"auth_header": header})).targets
    assert target.auth == auth
    assert sent(target) == (header or None)


@given(st.binary(min_size=1, max_size=40), st.text("abc \t:", max_size=10))
def test_whatever_the_header_is_the_same_is_sent(pair: bytes, text: str) -> None:
    for header in (f"Basic {base64.b64encode(pair).decode()}", f"x{text}"):
        for target in translated(hooks({"auth_header": header})).targets:
            assert sent(target) == header.strip()


@pytest.mark.parametrize(
    ("address", "url", "auth"),
    [
        ("https://ci.example/hook?x=1", "https://ci.example/hook?x=1", None),
        ("ci.example:8080/hook", "http://ci.example:8080/hook", None),
        (" https://ci.example ", "https://ci.example", None),
        (
            "https://us%40er:pa%3Ass@ci.example/hook",
            "https://ci.example/hook",
            BasicAuth(username="us@er", password="pa:ss"),
        ),
        (
            "https://user@ci.example/hook",
            "https://ci.example/hook",
            HeaderAuth(name="Authorization", value="Basic dXNlcjo="),
        ),
    ],
)
def test_an_address_is_read_as_harbor_does(address: str, url: str, auth: TargetAuth | None) -> None:
    (target,) = translated(hooks({"address": address, "auth_header": ""})).targets
    assert (target.url, target.auth) == (url, auth or NoAuth())


def test_the_same_address_and_credential_is_one_target() -> None:
    found = translated(WEBHOOK, hooks({}, {"auth_header": "Bearer other"}, {}, id=13))
    first, second = (target.name for target in found.targets)
    assert (first, second) == ("harbor-ci.example-71a37c", "harbor-ci.example-71a37c-2")
    assert [policy.targets for policy in found.policies] == [[first], [first, second]]
    assert all("planted" not in name for name in (first, second))


def test_a_webhook_of_two_formats_becomes_two_policies() -> None:
    found = translated(hooks({}, {"payload_format": "CloudEvents"}, {"payload_format": ""}))
    assert [(policy.name, policy.format) for policy in found.policies] == [
        ("harbor-shop-12", "harbor"),
        ("harbor-shop-12-cloudevents", "cloudevents"),
    ]


def test_a_chat_is_taken_over_in_the_format_of_its_name() -> None:
    chats = [
        {"type": chat, "payload_format": "", "address": f"https://{chat}.example/hook"}
        for chat in ("slack", "teams")
    ]
    found = translated(hooks({}, *chats), formats=FORMATS | {"slack", "teams"})
    assert [(policy.name, policy.format) for policy in found.policies] == [
        ("harbor-shop-12", "harbor"),
        ("harbor-shop-12-slack", "slack"),
        ("harbor-shop-12-teams", "teams"),
    ]
    urls = {target.name: target.url for target in found.targets}
    assert [urls[policy.targets[0]] for policy in found.policies[1:]] == [
        "https://slack.example/hook",
        "https://teams.example/hook",
    ]
    assert found.notes == ()


def test_a_target_of_a_type_without_a_format_is_left_out_and_said() -> None:
    found = translated(hooks({}, {"type": "pager", "payload_format": ""}))
    assert [policy.format for policy in found.policies] == ["harbor"]
    assert found.notes == (
        "shop: webhook Deploy Prod: a target is left out, there is no format pager",
    )


def test_a_webhook_that_is_switched_off_stays_so() -> None:
    found = translated(WEBHOOK | {"enabled": False})
    assert [policy.enabled for policy in found.policies] == [False]
    assert found.notes == ("shop: webhook Deploy Prod: switched off in Harbor, and so it is here",)
    absent = {key: value for key, value in WEBHOOK.items() if key != "enabled"}
    assert translated(absent) == found


def test_an_event_type_that_nobody_knows_is_matched_under_harbors_name() -> None:
    found = translated(WEBHOOK | {"event_types": ["ARTIFACT_LABELED", "testEndpoint"]})
    assert found.policies[0].match.event_types == ["harbor.artifact_labeled"]
    assert found.policies[0].match.tagged is None
    (note,) = found.notes
    assert note.endswith("ARTIFACT_LABELED is not known here, harbor.artifact_labeled is matched")


@pytest.mark.parametrize(
    ("webhook", "note"),
    [
        (WEBHOOK | {"event_types": None}, "left out, it names no event type"),
        (WEBHOOK | {"targets": None}, "left out, none of its targets can be taken over"),
        (
            hooks({"payload_format": "Fancy"}),
            "a target is left out, there is no format Fancy",
        ),
        (
            hooks({"auth_header": "planted\nsecret"}),
            "a target is left out, its address or auth is unusable",
        ),
        (
            hooks({"address": "https://[::1/planted"}),
            "a target is left out, its address or auth is unusable",
        ),
        (
            hooks(*({"address": f"https://ci.example/{number}"} for number in range(51))),
            "left out, it holds more than a policy can",
        ),
    ],
)
def test_what_has_no_counterpart_is_left_out_and_said(webhook: dict[str, Any], note: str) -> None:
    found = translated(webhook)
    assert found.policies == ()
    assert f"shop: webhook Deploy Prod: {note}" in found.notes
    assert "planted" not in repr(found.notes)


def test_a_private_address_is_said_before_the_api_refuses_it() -> None:
    found = translated(hooks({"address": "http://10.1.2.3/hook"}))
    assert len(found.policies) == 1
    assert found.notes[0].startswith(f"the target {found.targets[0].name}: 10.1.2.3 is a private")
    assert found.notes[0].endswith("PORTCALL_ALLOWED_HOSTS can allow it")


def test_a_webhook_that_two_pages_repeat_is_one() -> None:
    assert translated(WEBHOOK, WEBHOOK) == translated(WEBHOOK)


def test_a_list_needs_its_project_and_an_object_names_them() -> None:
    with pytest.raises(InvalidInputError, match="say which with --project"):
        read_projects([WEBHOOK], None)
    many = {"shop": [WEBHOOK], "empty": None}
    assert list(read_projects(many, None)) == ["shop", "empty"]
    assert read_projects(many, "shop") == read_projects([WEBHOOK], "shop")
    with pytest.raises(InvalidInputError, match="no project other"):
        read_projects(many, "other")


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ([{"name": "x"}], "shop.0.id"),
        ([WEBHOOK | {"targets": [{"address": 5}]}], "shop.0.targets.0.address"),
        ([WEBHOOK | {"event_types": "PUSH_ARTIFACT"}], "shop.0.event_types"),
        ({"shop": {"errors": []}}, "shop"),
        (5, ""),
        ("x", ""),
        (None, ""),
    ],
)
def test_what_is_no_such_list_is_told_by_field(value: Any, field: str) -> None:
    with pytest.raises(InvalidInputError, match="not what Harbor's API lists") as refused:
        read_projects(value, "shop")
    assert [fault["field"] for fault in refused.value.problem["errors"]] == [field]
    assert "planted" not in str(refused.value.problem)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=5), parts),
    max_leaves=8,
)
TEXTS = st.text(max_size=30) | st.sampled_from(["http", "slack", "Default", "PUSH_ARTIFACT"])
WEBHOOKS = st.fixed_dictionaries(
    {"id": st.integers()},
    optional={
        "name": TEXTS,
        "enabled": st.booleans(),
        "event_types": st.lists(TEXTS, max_size=3),
        "targets": st.lists(
            st.fixed_dictionaries(
                {},
                optional=dict.fromkeys(["type", "address", "auth_header", "payload_format"], TEXTS),
            ),
            max_size=3,
        ),
    },
)


@given(JSON | st.dictionaries(TEXTS, st.lists(WEBHOOKS, max_size=3), max_size=3))
def test_any_json_is_translated_or_refused(value: Any) -> None:
    try:
        projects = read_projects(value, None)
    except InvalidInputError:
        return
    found = translate(projects, formats=FORMATS)
    names = {target.name for target in found.targets}
    assert all(set(policy.targets) <= names for policy in found.policies)
    assert len({policy.name for policy in found.policies}) == len(found.policies)
