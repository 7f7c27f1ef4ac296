import base64
import hmac
from datetime import UTC, datetime

import pytest
import standardwebhooks
import svix.webhooks
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from portcall.policies import Target
from portcall.signing import (
    SecretKind,
    check_secret,
    hub_signature,
    new_secret,
    public_key,
    signature_headers,
)


def a_secret(size=32, first=0):
    return "whsec_" + base64.b64encode(bytes(range(first, first + size))).decode()


OLD, NEW = a_secret(), a_secret(24, first=100)


@pytest.mark.parametrize("judge", [standardwebhooks.Webhook, svix.webhooks.Webhook])
@pytest.mark.parametrize("secret", [OLD, NEW])
def test_both_public_libraries_accept_the_signature_under_each_live_secret(judge, secret):
    body = '{"events": ["ü"]}'.encode()
    headers = dict(signature_headers("msg_1", datetime.now(UTC), body, [OLD, NEW]))
    judge(secret).verify(body, headers)


@pytest.mark.parametrize("judge", [standardwebhooks, svix.webhooks])
@pytest.mark.parametrize(
    ("name", "value"),
    [("body", b"{} "), ("webhook-id", "msg_2"), ("secret", NEW)],
)
def test_both_public_libraries_refuse_what_was_changed(judge, name, value):
    headers = dict(signature_headers("msg_1", datetime.now(UTC), b"{}", [OLD]))
    sent = {"body": b"{}", "secret": OLD} | headers | {name: value}
    webhook = judge.Webhook(sent.pop("secret"))
    with pytest.raises(judge.WebhookVerificationError):
        webhook.verify(sent.pop("body"), sent)


def test_the_specifications_own_example_is_signed_alike():
    headers = signature_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        datetime.fromtimestamp(1614265330, UTC),
        b'{"test": 2432232314}',
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )
    assert headers == (
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    )


def test_without_secrets_there_are_id_and_timestamp_but_no_signature():
    headers = signature_headers("msg_1", datetime(2026, 1, 1, tzinfo=UTC), b"{}", [])
    assert headers == (("webhook-id", "msg_1"), ("webhook-timestamp", "1767225600"))


@given(st.binary(max_size=100))
def test_bytes_that_are_no_text_are_signed_as_they_are(body):
    key = base64.b64decode(OLD.removeprefix("whsec_"))
    _, _, (_, signature) = signature_headers("m", datetime.fromtimestamp(7, UTC), body, [OLD])
    expected = hmac.digest(key, b"m.7." + body, "sha256")
    assert signature == "v1," + base64.b64encode(expected).decode()


@pytest.mark.parametrize(
    ("secret", "fault"),
    [
        ("", "starts with whsec_"),
        (OLD.removeprefix("whsec_"), "starts with whsec_"),
        ("whsec_", "of 0"),
        ("whsec_not base64!", "is not base64"),
        ("whsec_" + "ü" * 40, "is not base64"),
        (OLD[:-1], "is not base64"),
        (OLD + "\n", "is not base64"),
        (a_secret(23), "24 to 64 bytes, this one of 23"),
        (a_secret(65), "24 to 64 bytes, this one of 65"),
    ],
)
def test_a_malformed_secret_is_refused_with_its_fault_and_never_shown(secret, fault):
    with pytest.raises(ValueError, match=fault) as caught:
        check_secret(secret)
    assert len(secret) < 10 or secret not in str(caught.value)


@pytest.mark.parametrize("size", [24, 64])
def test_a_secret_of_24_to_64_bytes_is_accepted(size):
    check_secret(a_secret(size))


def test_a_target_names_the_malformed_secret_and_accepts_the_mask():
    with pytest.raises(ValidationError) as caught:
        Target(name="ci", url="https://ci.example", secrets=[OLD, "hunter2hunter2"])
    [fault] = caught.value.errors()
    assert fault["loc"] == ("secrets", 1)
    assert "whsec_" in fault["msg"]
    masked = Target(name="ci", url="https://ci.example", secrets=["**********"])
    assert masked.secrets[0].get_secret_value() == "**********"


SVIX = (
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
)
SVIX_PUBLIC = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
SEED = "whsk_" + base64.b64encode(base64.b64decode(SVIX.removeprefix("whsk_"))[:32]).decode()


@pytest.mark.parametrize("secret", [SVIX, SEED])
def test_svixs_published_vector_of_an_ed25519_signature_is_signed_alike(secret):
    when = datetime.fromtimestamp(1614265330, UTC)
    headers = signature_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", when, b'{"test": 2432232314}', [secret]
    )
    assert dict(headers)["webhook-signature"] == (
        "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
    )
    assert public_key(secret) == SVIX_PUBLIC


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=100))
def test_a_receiver_verifies_by_the_public_key_alone(chance, body):
    secret = new_secret(SecretKind.ED25519, chance)
    check_secret(secret)
    signature = dict(signature_headers("m", datetime.fromtimestamp(7, UTC), body, [secret]))
    version, _, encoded = signature["webhook-signature"].partition(",")
    assert version == "v1a"
    public = base64.b64decode(public_key(secret).removeprefix("whpk_"))
    Ed25519PublicKey.from_public_bytes(public).verify(base64.b64decode(encoded), b"m.7." + body)


def test_secrets_of_both_kinds_sign_side_by_side_in_their_order():
    headers = dict(signature_headers("msg_1", datetime.now(UTC), b"{}", [SVIX, OLD]))
    versions = [part.partition(",")[0] for part in headers["webhook-signature"].split(" ")]
    assert versions == ["v1a", "v1"]
    for judge in (standardwebhooks.Webhook, svix.webhooks.Webhook):
        judge(OLD).verify(b"{}", headers)


def test_a_new_hmac_secret_is_one_that_both_libraries_take():
    secret = new_secret(SecretKind.HMAC, bytes(range(32)))
    assert secret == OLD
    assert public_key(secret) is None


@pytest.mark.parametrize(
    ("secret", "fault"),
    [
        (SVIX_PUBLIC, "is a public key, for the receiver: sign with its whsk_"),
        ("whsk_AAAA", "of 32 bytes, or of 64 with the public key, not of 3"),
        ("whsk_" + base64.b64encode(bytes(64)).decode(), "is not the public key to the first"),
        ("whsk_?", "what follows whsk_ is not base64"),
    ],
)
def test_a_malformed_ed25519_key_is_refused_with_its_fault(secret, fault):
    with pytest.raises(ValueError, match=fault) as caught:
        check_secret(secret)
    assert secret not in str(caught.value)


def test_the_hub_signature_is_githubs_own_example():
    assert hub_signature("It's a Secret to Everybody", b"Hello, World!") == (
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    )
