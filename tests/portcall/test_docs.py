import re
from pathlib import Path

import pytest

from portcall.addresses import _REFUSED
from portcall.attempts import ErrorType
from portcall.formats.default import Default
from portcall.formats.known import BUILT_IN
from portcall.outgoing import outgoing_request
from portcall.policies import Target
from tests.portcall.formats.test_formats import PUSH
from tests.portcall.test_signing import OLD

DOCS = Path(__file__).parents[2] / "docs"
FORMATS = (DOCS / "formats.md").read_text()
NETWORK = (DOCS / "network.md").read_text()


@pytest.mark.parametrize("built_in", BUILT_IN, ids=lambda built_in: built_in.name)
def test_every_format_is_documented_with_its_content_type(built_in):
    [row] = re.findall(rf"^\| `{built_in.name}` \|.*$", FORMATS, re.MULTILINE)
    assert f"\n## `{built_in.name}`\n" in FORMATS
    if built_in.name != "raw":
        assert f"`{built_in.render(PUSH).content_type}`" in row


def test_every_key_of_the_default_message_is_documented():
    keys = re.findall(rb'"(\w+)":', Default().render(PUSH).body.partition(b"[")[2])
    assert len(keys) == 8
    assert [key for key in keys if f"\n| `{key.decode()}` |" not in FORMATS] == []


def test_every_header_of_a_request_is_documented():
    target = Target(name="ci", url="https://ci.example/", secrets=[OLD])
    request = outgoing_request(target, Default().render(PUSH), "msg_1", PUSH.occurred_at)
    names = [name.lower() for name, _ in request.headers]
    assert [name for name in names if f"`{name}`" not in FORMATS] == []


def test_every_refused_network_is_documented():
    assert [net for net, _ in _REFUSED if f"`{net}`" not in NETWORK] == []


def test_every_type_of_error_is_documented():
    assert [kind for kind in ErrorType if f"\n| `{kind}` |" not in NETWORK] == []


def test_the_documented_plug_in_is_a_format():
    [code] = re.findall(r"```python\n(from portcall.*?)```", FORMATS, re.DOTALL)
    names = {}
    exec(code, names)  # noqa: S102
    message = names["Slack"]().render(PUSH)
    assert message.body == b'{"text":"artifact.pushed prj/api/web"}'
