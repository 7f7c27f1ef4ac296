"""What a wrong spec is told: the field as users write it, and what is wrong with it."""

import pytest

from portcall.formats.known import load_formats
from portcall.policies import Target
from portcall.sources.kinds import load_kinds

SOURCE = {"name": "s", "kind": "harbor", "auth": {"type": "none"}}
TARGET = {"name": "t", "url": "https://ci.example/hook"}
POLICY = {"name": "p", "targets": ["known"]}


async def errors(api, noun, spec):
    answer = await api.post(f"/api/v1/{noun}", json=spec)
    assert answer.status_code == 422, answer.text
    return {error["field"]: error["message"] for error in answer.json()["errors"]}


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"kind": "harbour"}, "kind", f"one of: {', '.join(sorted(load_kinds()))}"),
        ({"auth": {}}, "auth.type", "is missing"),
        (
            {"auth": {"type": "x"}},
            "auth.type",
            "one of: 'none', 'bearer', 'basic', 'header', 'query', 'hmac', 'oidc'",
        ),
        ({"auth": {"type": "bearer"}}, "auth.token", "is missing"),
        ({"auth": {"type": "bearer", "token": ""}}, "auth.token", "is empty"),
        ({"auth": {"type": "bearer", "token": "x", "bearer": 1}}, "auth.bearer", "unknown field"),
        (
            {"ignore": {"event_type": []}},
            "ignore.event_type",
            "unknown field, did you mean event_types?",
        ),
        ({"enabeld": True}, "enabeld", "unknown field, did you mean enabled?"),
    ],
)
async def test_a_wrong_source_is_told_which_field(api, change, field, message):
    assert await errors(api, "sources", SOURCE | change) == {field: message}


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"url": "ftp://a"}, "url", "the URL starts with http:// or https://"),
        (
            {"url": "http://10.2.0.1/"},
            "url",
            (
                "10.2.0.1 is a private address (RFC 1918); PORTCALL_ALLOWED_NETWORKS or "
                "PORTCALL_ALLOWED_HOSTS can allow it"
            ),
        ),
        (
            {"url": "http://mail.example:25/"},
            "url",
            "port 25 is for SMTP, not for HTTP; PORTCALL_ALLOWED_PORTS can allow it",
        ),
        (
            {"proxy": {"url": "http://169.254.169.254:3128"}},
            "proxy.url",
            (
                "169.254.169.254 is a cloud metadata address; only PORTCALL_ALLOWED_NETWORKS with "
                "exactly this address can allow it"
            ),
        ),
        ({"tls": {"ca": "nonsense"}}, "tls.ca", "is no certificate in PEM"),
        (
            {"tls": {"client_cert": "nonsense", "client_key": "planted"}},
            "tls.client_cert",
            "is no certificate in PEM",
        ),
        (
            {"secrets": ["x"]},
            "secrets.0",
            "a signing secret starts with whsec_ (HMAC) or whsk_ (ed25519)",
        ),
        (
            {"headers": {"a b": "c"}},
            "headers.a b",
            "not an HTTP header name (RFC 9110, section 5.1)",
        ),
        (
            {"headers": {"a": "c\n"}},
            "headers.a",
            "not an HTTP header value (RFC 9110, section 5.5)",
        ),
        (
            {"timeout": "soon"},
            "timeout",
            "write a duration like 500ms, 5s, 10m, 6h, 3d or 1h30m",
        ),
    ],
)
async def test_a_wrong_target_is_told_which_field(api, change, field, message):
    assert await errors(api, "targets", TARGET | change) == {field: message}


async def test_a_private_target_in_an_allowed_network_is_accepted(api):
    answer = await api.post("/api/v1/targets", json=TARGET | {"url": "http://10.1.0.1/"})
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"format": "defualt"}, "format", f"one of: {', '.join(sorted(load_formats()))}"),
        ({"targets": ["known", "x"]}, "targets.1", "there is no target of this name"),
        (
            {"match": {"repository": {"regex": "prod/(.+"}}},
            "match.repository.regex",
            "not a regular expression (RE2) at position 8: missing )",
        ),
        (
            {"match": {"tag": {"glob": "v[1"}}},
            "match.tag.glob",
            "not a glob at position 1: missing ]",
        ),
        (
            {"match": {"tag": {}}},
            "match.tag",
            "give exactly one of: regex, glob, in, semver, not, any",
        ),
        ({"match": {"tag": {"in": []}}}, "match.tag.in", "is empty"),
        ({"match": {"tags": {"in": ["a"]}}}, "match.tags", "unknown field, did you mean tag?"),
        (
            {"retry": {"initial_interval": "5 s"}},
            "retry.initial_interval",
            "write a duration like 500ms, 5s, 10m, 6h, 3d or 1h30m",
        ),
        (
            {"retry": {"initial_interval": "2h", "maximum_interval": "1h"}},
            "retry",
            "maximum_interval is shorter than initial_interval",
        ),
        (
            {"retry": {"retry_on": ["network", "2xx"]}},
            "retry.retry_on.1",
            "one of: network, timeout, a status such as 429, or 4xx, 5xx",
        ),
        ({"targets": []}, "targets", "is empty"),
        ({"targets": ["known", "known"]}, "targets", "a target is named twice"),
        ({"targets": "known"}, "targets", "write a list, [one, another]"),
        ({"match": []}, "match", "write a mapping, {name: value}"),
        (
            {"match": {"tag": {"semver": 1.2}}},
            "match.tag.semver",
            "write text, and in quotes what YAML reads as a number",
        ),
        ({"match": {"tagged": "no"}}, "match.tagged", "one of: true, false, any"),
        (
            {"match": {"tag": {"equals": "v1"}}},
            "match.tag.equals",
            "unknown field, one of: regex, glob, in, semver, prereleases, not, any",
        ),
        (
            {"match": {"event_types": ["PUSH"]}},
            "match.event_types.0",
            "lower-case, such as artifact.pushed; `*` stands for any characters",
        ),
        ({"enabled": "nope"}, "enabled", "one of: true, false"),
    ],
)
async def test_a_wrong_policy_is_told_which_field(api, backend, change, field, message):
    await backend.store.targets.put(Target(name="known", url="https://known.example"))
    assert await errors(api, "policies", POLICY | change) == {field: message}


async def test_a_missing_field_is_named(api):
    assert await errors(api, "targets", {"name": "t"}) == {"url": "is missing"}


async def test_all_faults_are_told_at_once_and_the_sentence_names_the_first(api):
    spec = {"name": "t", "url": "", "a": 1, "b": 1, "c": 1}
    answer = await api.post("/api/v1/targets", json=spec)
    assert len(answer.json()["errors"]) == 4
    assert answer.json()["detail"].startswith("url: is empty; a: unknown field; ")
    assert answer.json()["detail"].endswith(" (and 1 more)")


async def test_a_name_that_is_wrong_in_path_and_body_is_told_once(api):
    answer = await api.put("/api/v1/targets/Ci", json=TARGET | {"name": "Ci"})
    message = "lower-case letters, digits, `.`, `_`, `-`; at most 50 characters"
    assert answer.json()["errors"] == [{"field": "name", "message": message}]


async def test_a_put_is_told_the_same(api):
    answer = await api.put("/api/v1/targets/t", json={"url": "https://t.example", "auth": {}})
    assert answer.json()["errors"] == [{"field": "auth.type", "message": "is missing"}]


@pytest.mark.parametrize(
    "place", ['"auth": {"type": "none", %s: 1}', '%s: 1, "auth": {"type": "none"}']
)
async def test_text_that_is_no_text_is_invalid_like_any_other(api, place):
    body = '{"name": "s", "kind": "harbor", ' + place % '"\\ud800"' + "}"
    answer = await api.post(
        "/api/v1/sources", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
