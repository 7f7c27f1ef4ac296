import pytest

from portcall.secrets import MASK
from portcall.sensitive import SecretUrl, masked_url, secrets_in_url

SLACK = "https://hooks.slack.com/services/T0/B0/abcdef"
TELEGRAM = "https://api.telegram.org/bot12:to-ken/sendMessage"


@pytest.mark.parametrize(
    ("url", "shown", "secrets"),
    [
        ("https://ci.example/hook?a=b", "https://ci.example/hook?a=b", []),
        (SLACK, "https://hooks.slack.com/services/X", [b"T0/B0/abcdef", b"abcdef"]),
        (
            "https://hooks.slack.com:443/services/T0/B0/abcdef",
            "https://hooks.slack.com:443/services/X",
            [b"T0/B0/abcdef", b"abcdef"],
        ),
        (
            "https://api.telegram.org/bot12:to-ken/sendMessage?chat_id=7",
            "https://api.telegram.org/botX/sendMessage?chat_id=7",
            [b"12:to-ken", b"12:to-ken"],
        ),
        (
            "https://ci.example/?pass=a&pwd=b&jwt=c&api-credential=d&compass=e",
            "https://ci.example/?pass=X&pwd=X&jwt=X&api-credential=X&compass=e",
            [b"a", b"b", b"c", b"d"],
        ),
        (
            "https://discord.com/api/v10/webhooks/12/to-ken?wait=true",
            "https://discord.com/api/v10/webhooks/12/X?wait=true",
            [b"to-ken", b"to-ken"],
        ),
        (
            "https://org.webhook.office.com/webhookb2/a@b/IncomingWebhook/c/d",
            "https://org.webhook.office.com/webhookb2/X",
            [b"a@b/IncomingWebhook/c/d", b"d"],
        ),
        (
            "https://x.logic.azure.com/workflows/1/run?sp=%2Ftriggers&sig=a%2Bb#f",
            "https://x.logic.azure.com/workflows/1/run?sp=%2Ftriggers&sig=X",
            [b"a+b"],
        ),
        ("https://u:p@ci.example/?key", "https://X@ci.example/?key", [b"u:p", b"p", b""]),
    ],
)
def test_a_url_is_shown_without_its_credentials(url, shown, secrets):
    assert masked_url(url, "X") == shown
    assert list(secrets_in_url(url)) == secrets


@pytest.mark.parametrize(
    ("sent", "known", "meant"),
    [
        (f"https://x/?sig={MASK}&v=2", "https://x/?v=1&sig=abc", "https://x/?sig=abc&v=2"),
        (f"https://hooks.slack.com/services/{MASK}", SLACK, SLACK),
        (f"https://api.telegram.org/bot{MASK}/sendMessage", TELEGRAM, TELEGRAM),
        (f"https://x/?a&sig={MASK}", "https://x/?b=1", f"https://x/?a&sig={MASK}"),
        ("https://x/?sig=new", "https://x/?sig=old", "https://x/?sig=new"),
        (f"https://hooks.slack.com/services/{MASK}", "https://x/y", None),
    ],
)
def test_what_is_masked_is_filled_in_from_the_same_place(sent, known, meant):
    assert SecretUrl(sent).filled(known) == (meant or sent)
    assert SecretUrl(sent).is_masked == (MASK in sent)
    assert repr(SecretUrl(known)) == repr(masked_url(known))
