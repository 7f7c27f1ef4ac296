import base64
import html
import json
from urllib.parse import quote, quote_plus, unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from portcall.auth import BasicAuth, BearerAuth, HeaderAuth
from portcall.policies import Target
from portcall.redaction import REDACTED, SHORTEST_SECRET, Redaction, redaction_for
from portcall.sensitive import is_sensitive

KEY = bytes(range(200, 232))
SIGNING = "whsec_" + base64.b64encode(KEY).decode()


def a_target(**fields):
    return Target.model_validate({"name": "ci", "url": "https://ci.example/hook"} | fields)


TARGET = a_target(
    auth=BearerAuth(token="t0p-s3cr3t"),
    secrets=[SIGNING],
    headers={"X-Api-Key": "k3y-in-header", "X-Team": "team-a"},
)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Authorization", False),
        ("PROXY-AUTHORIZATION", False),
        ("Cookie", False),
        ("Set-Cookie", False),
        ("X-Api-Key", False),
        ("X-Auth", False),
        ("X-Gitlab-Token", False),
        ("webhook-signature", True),
        ("webhook-id", True),
        ("WWW-Authenticate", True),
        ("Content-Type", True),
        ("X-Author", True),
    ],
)
def test_a_header_is_hidden_by_its_name(name, shown):
    [(kept, value)] = Redaction().headers(((name, "v"),))
    assert kept == name
    assert value == ("v" if shown else REDACTED)


def test_the_header_of_the_targets_credential_is_hidden_whatever_its_name():
    target = a_target(auth=HeaderAuth(name="X-Door", value="ab"))
    headers = (("x-door", "ab"), ("X-Window", "ab"))
    assert redaction_for(target).headers(headers) == (("x-door", REDACTED), ("X-Window", "ab"))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ci.example/hook", "https://ci.example/hook"),
        ("https://ci.example/hook?a=b&c", "https://ci.example/hook?a=b&c"),
        ("https://u:p@ci.example/x@y?q=@", "https://[redacted]@ci.example/x@y?q=@"),
        ("https://x/?a=1&token=abc&b=2", "https://x/?a=1&token=[redacted]&b=2"),
        ("https://x/?access%5Ftoken=abc", "https://x/?access%5Ftoken=[redacted]"),
        ("https://x/?X-Amz-Signature=abc", "https://x/?X-Amz-Signature=[redacted]"),
        ("https://x/?sig=a%2Fb&sv=2", "https://x/?sig=[redacted]&sv=2"),
        ("https://x/?code=abc&KEY=d", "https://x/?code=[redacted]&KEY=[redacted]"),
        ("https://x/?password=", "https://x/?password=[redacted]"),
        ("https://x/t0p-s3cr3t/?design=abc", "https://x/[redacted]/?design=abc"),
    ],
)
def test_a_url_is_shown_without_what_opens_doors(url, shown):
    assert redaction_for(TARGET).url(url) == shown


def test_a_redirects_address_is_treated_as_a_url():
    headers = (("Location", "/login?session=abc&next=/"), ("X-Url", "/?session=abc"))
    shown = Redaction().headers(headers)
    assert shown == (("Location", "/login?session=[redacted]&next=/"), headers[1])


@pytest.mark.parametrize(
    "echo",
    [
        "Bearer t0p-s3cr3t",
        base64.b64encode(b"Bearer t0p-s3cr3t").decode(),
        base64.urlsafe_b64encode(b"xt0p-s3cr3t").decode(),
        b"t0p-s3cr3t".hex(),
        b"t0p-s3cr3t".hex().upper(),
        "t0p%2Ds3cr3t",
        "t0p%2ds3cr3%74",
        SIGNING,
        base64.b64encode(KEY).decode(),
        KEY.hex(),
        "k3y-in-header",
    ],
)
def test_an_echo_of_a_secret_is_hidden_in_body_headers_and_messages(echo):
    redaction = redaction_for(TARGET)
    for shown in (
        redaction.body(f'{{"echo": "{echo}"}}'.encode()).decode(),
        redaction.text(f"no route to {echo}"),
        redaction.url(f"https://ci.example/{echo}/a"),
        str(redaction.headers(((f"X-{echo}", f"got {echo}"),))),
    ):
        assert echo not in shown
        assert "redacted" in shown


def test_a_signing_key_is_hidden_as_bytes_too():
    assert redaction_for(TARGET).body(b"\0" + KEY + b"\xff") == b"\0[redacted]\xff"


def test_the_password_and_the_encoded_pair_of_basic_auth_are_hidden_but_not_the_name():
    target = a_target(auth=BasicAuth(username="robot", password="pa:ss wörd"))
    redaction = redaction_for(target)
    pair = base64.b64encode("robot:pa:ss wörd".encode()).decode()
    assert pair not in redaction.text(f"you sent Basic {pair}")
    assert redaction.text("robot said pa:ss wörd") == "robot said [redacted]"
    assert redaction.text("pa%3Ass+w%C3%B6rd") == REDACTED
    assert redaction.text("pa:ss wörd".encode().decode("latin-1")) == REDACTED
    assert redaction.text('"pa:ss w\\u00f6rd"') == '"[redacted]"'


def test_a_credential_given_with_its_scheme_is_hidden_without_it_too():
    target = a_target(auth=HeaderAuth(name="Authorization", value="Token abcdefgh"))
    assert redaction_for(target).text("abcdefgh, Token abcdefgh") == "[redacted], [redacted]"


def test_a_secret_in_the_targets_url_is_hidden_wherever_it_is_echoed():
    target = a_target(url="https://ci.example/hook?tag=latest&token=a%2Fb%2Fcd")
    redaction = redaction_for(target)
    assert redaction.text("bad token a/b/cd for latest") == "bad token [redacted] for latest"


def test_a_cut_body_does_not_end_in_the_first_half_of_a_secret():
    redaction = Redaction([b"t0p-s3cr3t"])
    cut = b"x" * 1000 + b"t0p-s3c"
    assert b"t0p" in redaction.body(cut)
    assert b"t0p" not in redaction.body(cut, truncated=True)
    assert len(redaction.body(cut, truncated=True)) > 900
    assert redaction.body(b"t0p-s3", truncated=True) == b""
    assert Redaction().body(cut, truncated=True) == cut


def test_a_text_without_secrets_stays_as_it_is():
    redaction = redaction_for(TARGET)
    assert redaction.headers((("X-Team", "team-a"),)) == (("X-Team", "team-a"),)
    assert redaction.text("100% of “it” + 1") == "100% of “it” + 1"
    assert redaction.body(bytes(range(128))) == bytes(range(128))


ENCODINGS = {
    "clear": lambda secret: secret,
    "percent": lambda secret: quote(secret, safe="").encode(),
    "every byte percent": lambda secret: "".join(f"%{byte:02x}" for byte in secret).encode(),
    "form": lambda secret: quote_plus(secret).encode(),
    "base64": base64.b64encode,
    "base64 of more": lambda secret: base64.b64encode(b"Basic a:" + secret + b"?"),
    "base64url of more": lambda secret: base64.urlsafe_b64encode(b"a" + secret + b"~"),
    "hex": lambda secret: secret.hex().encode(),
    "HEX": lambda secret: secret.hex().upper().encode(),
    "json": lambda secret: json.dumps({"s": secret.decode()}).encode(),
    "json with slashes escaped": lambda s: json.dumps(s.decode()).replace("/", r"\/").encode(),
}


def readings(body):
    """Give what a curious reader may make of a body."""
    yield body
    yield unquote_to_bytes(body)
    yield unquote_to_bytes(body.replace(b"+", b" "))
    yield body.replace(rb"\/", b"/")


@given(
    secret=st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=SHORTEST_SECRET
    ).filter(lambda text: text not in REDACTED and REDACTED not in text),
    before=st.binary(max_size=20),
    after=st.binary(max_size=20),
    encoding=st.sampled_from(sorted(ENCODINGS)),
)
@example(secret="0000", before=b"", after=b"", encoding="base64")
@example(secret='a"b/c&d', before=b"", after=b"", encoding="json")
def test_a_planted_secret_never_survives(secret, before, after, encoding):
    planted = secret.encode()
    encoded = ENCODINGS[encoding](planted)
    redaction = Redaction([planted])
    shown = redaction.body(before + encoded + after)
    assert all(planted not in reading for reading in readings(shown))
    assert encoded not in shown
    text = redaction.text(encoded.decode())
    assert all(planted not in reading for reading in readings(text.encode()))


ESCAPES = {
    "json": lambda sign: json.dumps(sign)[1:-1],
    "json in numbers": lambda sign: (
        f"\\u{ord(sign):04X}" if sign.isascii() else json.dumps(sign)[1:-1]
    ),
    "html": html.escape,
    "html in numbers": lambda sign: f"&#{ord(sign)};",
    "html in hex": lambda sign: f"&#x{ord(sign):X};",
}


@given(
    secret=st.text(st.characters(codec="utf-8"), min_size=SHORTEST_SECRET).filter(
        lambda text: text not in REDACTED and REDACTED not in text
    ),
    escape=st.sampled_from(sorted(ESCAPES)),
    escaped=st.sets(st.characters(codec="ascii")),
)
@example(secret="ab+c/d==", escape="json in numbers", escaped={"+"})
@example(secret="ab+c/d==", escape="html in numbers", escaped={"+", "="})
def test_a_secret_of_which_some_signs_are_escaped_never_survives(secret, escape, escaped):
    """ASP.NET writes `+` as `\\u002B` in JSON, and as `&#x2B;` in HTML."""
    must = {'"', "\\", "&", *map(chr, range(32))}
    written = "".join(
        ESCAPES[escape](sign) if sign in escaped | must or not sign.isascii() else sign
        for sign in secret
    )
    assert written not in Redaction([secret.encode()]).text(f'"{written}"')


@pytest.mark.parametrize(
    ("headers", "echo"),
    [
        ({"Authorization": "Bearer abcdefgh"}, "abcdefgh"),
        ({"authorization": "Basic cm9ib3Q6cGE6c3N3w7ZyZA=="}, "pa:sswörd"),
        ({"X-Api-Key": "Token abcdefgh"}, "abcdefgh"),
        ({"Authorization": "Basic äbcdefgh"}, "äbcdefgh"),
    ],
)
def test_a_credential_among_the_targets_headers_is_hidden_without_its_scheme_too(headers, echo):
    redaction = redaction_for(a_target(headers=headers))
    assert redaction.text(f"robot sent {echo}.") == "robot sent [redacted]."


@pytest.mark.parametrize("name", ["monkey-business", "tag", "repository", "sign-up", "authority"])
def test_an_ordinary_name_is_not_sensitive(name):
    assert not is_sensitive(name)


PEM = """-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgplantedplanted01
plantedplantedplantedplantedplantedplantedplantedplantedplanted02
-----END PRIVATE KEY-----
"""
ED25519 = "whsk_" + base64.b64encode(KEY).decode()


@pytest.mark.parametrize(
    ("fields", "echo"),
    [
        ({"secrets": [ED25519]}, ED25519),
        ({"secrets": [ED25519]}, KEY.hex()),
        ({"retiring_secrets": [{"secret": SIGNING, "until": "2020-01-01T00:00:00Z"}]}, KEY.hex()),
        ({"hub_secret": "hub-s3cr3t"}, "hub-s3cr3t"),
        ({"tls": {"client_cert": "c", "client_key": PEM}}, PEM),
        ({"tls": {"client_cert": "c", "client_key": PEM}}, PEM.splitlines()[2]),
        (
            {"tls": {"client_cert": "c", "client_key": PEM}},
            "".join(PEM.splitlines()[1:3]),
        ),
        (
            {
                "proxy": {
                    "url": "http://proxy.example",
                    "auth": {"type": "basic", "username": "ann", "password": "pr0xy"},
                }
            },
            base64.b64encode(b"ann:pr0xy").decode(),
        ),
        ({"url": "https://hooks.slack.com/services/T0/B0/sl4ck"}, "sl4ck"),
    ],
)
def test_every_other_secret_of_a_target_is_hidden_where_it_is_echoed(fields, echo):
    assert echo not in redaction_for(a_target(**fields)).text(f"got {echo}!")


def test_client_secret_and_access_token_are_hidden():
    auth = {
        "type": "oauth2",
        "token_url": "https://login.example/",
        "client_id": "portcall",
        "client_secret": "cl13nt",
    }
    redaction = redaction_for(a_target(auth=auth), "t0k3n")
    assert redaction.text("cl13nt t0k3n portcall") == "[redacted] [redacted] portcall"


@pytest.mark.parametrize(("secret", "shown"), [("a" * 23, REDACTED), ("a" * 24, "sha256=ab")])
def test_a_hub_signature_by_a_key_that_could_be_guessed_is_hidden(secret, shown):
    redaction = redaction_for(a_target(hub_secret=secret))
    [(_, value)] = redaction.headers((("X-Hub-Signature-256", "sha256=ab"),))
    assert value == shown
