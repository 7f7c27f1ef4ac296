import pytest

from portcall.policies import Target
from portcall.target_doubts import doubts
from tests.portcall.test_signing import OLD

BEARER = {"auth": {"type": "bearer", "token": "abc"}}
OAUTH2 = {"type": "oauth2", "client_id": "a", "client_secret": "b"}
SIGNED = {"secrets": [OLD]}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (SIGNED, []),
        (BEARER, []),
        ({}, []),
        ({"hub_secret": "s" * 24}, []),
        ({"hub_secret": "short"}, ["hub_secret"]),
        ({"url": "https://ci.example/hook?token=abc"}, []),
        ({"url": "http://ci.example/hook", **BEARER}, ["url"]),
        ({"url": "http://ci.example/hook", **SIGNED}, ["url"]),
        ({"url": "http://10.0.0.7/hook"}, []),
        ({"url": "http://localhost:8000/hook"}, []),
        ({"url": "http://ci.internal/hook"}, []),
        ({"url": "http://[fd00::1]/hook", **BEARER}, []),
        ({"skip_cert_verify": True, **SIGNED}, ["skip_cert_verify"]),
        ({"auth": {**OAUTH2, "token_url": "https://login.example/"}}, []),
        ({"auth": {**OAUTH2, "token_url": "http://login.example/"}}, ["auth.token_url"]),
        ({"auth": {**OAUTH2, "token_url": "http://127.0.0.1/"}}, []),
        ({"headers": {"X-Team": "a"}}, []),
        ({"headers": {"Host": "a", "Webhook-Id": "b"}}, ["headers.Host", "headers.Webhook-Id"]),
        ({"auth": {"type": "header", "name": "X-Api-Key", "value": "v"}}, []),
        ({"auth": {"type": "header", "name": "Connection", "value": "v"}}, ["auth.name"]),
    ],
)
def test_what_is_less_safe_than_it_looks_is_told_by_its_field(fields, told):
    target = Target.model_validate({"name": "ci", "url": "https://ci.example/hook"} | fields)
    assert [doubt.partition(":")[0] for doubt in doubts(target)] == told


def test_without_tls_it_is_said_what_can_be_read():
    plain = {"name": "ci", "url": "http://ci.example", **SIGNED}
    [signed] = doubts(Target.model_validate(plain))
    assert "the event is readable" in signed
    for more in (BEARER, {"url": "http://ci.example?key=a"}, {"headers": {"X-Api-Key": "a"}}):
        [with_credential] = doubts(Target.model_validate(plain | more))
        assert "the credential and the event are readable" in with_credential
