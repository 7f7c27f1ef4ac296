import re
from functools import partial
from pathlib import Path

import pytest
import yaml

from portcall.attempts import ErrorType
from portcall.conditions.block import Match
from portcall.conditions.details import PARTS
from portcall.conditions.expression import outcome
from portcall.conditions.facts import facts
from portcall.conditions.text import FORMS, TextCondition
from portcall.event_types import OWN_TYPES
from portcall.events import Scan
from portcall.formats.default import Default
from portcall.formats.known import BUILT_IN
from portcall.outgoing import outgoing_request
from portcall.own_events import Rejection
from portcall.policies import Policy, Target
from portcall.settings import Settings
from portcall.special_ports import SPECIAL_PORTS
from portcall.special_ranges import SPECIAL_RANGES, Reach
from tests.portcall.formats.test_chats import OUR_OWN
from tests.portcall.formats.test_formats import PUSH
from tests.portcall.test_signing import OLD

DOCS = Path(__file__).parents[2] / "docs"
README = (DOCS.parent / "README.md").read_text()
FORMATS = (DOCS / "formats.md").read_text()
POLICIES = (DOCS / "policies.md").read_text()
OWN_EVENTS = (DOCS / "own-events.md").read_text()
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
    target = Target(name="ci", url="https://ci.example/", secrets=[OLD], hub_secret="s")
    request = outgoing_request(target, Default().render(PUSH), "msg_1", PUSH.occurred_at)
    names = [name.lower() for name, _ in request.headers]
    assert [name for name in names if f"`{name}`" not in FORMATS] == []


def test_every_own_event_is_documented_with_its_attributes():
    types = re.findall(r"^\| `((?:source|target|delivery)\.\w+)` \|", OWN_EVENTS, re.MULTILINE)
    assert sorted(types) == sorted(OWN_TYPES)
    made = [event.attributes for event, _ in OUR_OWN] + [{"inbox_id": "1"}]
    names = {name for attributes in made for name in attributes}
    assert [name for name in names if f"`{name}`" not in OWN_EVENTS] == []
    assert [why for why in Rejection if f"`{why}`" not in OWN_EVENTS] == []


def network_rows(start):
    """The networks of the first table behind these words, each with its description."""
    table = NETWORK.split(start)[1].split("|---|---|\n")[1].split("\n\n")[0]
    return {
        network: line.rpartition(" | ")[2].removesuffix(" |")
        for line in table.splitlines()
        for network in re.findall(r"`(\S+/\d+)`", line.rpartition(" | ")[0])
    }


@pytest.mark.parametrize(
    ("start", "reach"),
    [
        ("**Private**: open", Reach.PRIVATE),
        ("**Never**: open", Reach.NEVER),
        ("they are **open**", Reach.OPEN),
    ],
)
def test_every_special_network_is_documented_in_its_tier(start, reach):
    documented = network_rows(start)
    documented.pop("2000::/3", None) if reach is Reach.PRIVATE else None
    assert documented == {
        str(special.network): re.sub("^(an?|the) ", "", special.what)
        for special in SPECIAL_RANGES
        if special.reach is reach
    }


def test_every_refused_port_is_documented():
    [ports] = re.findall(r"of the Fetch standard\): ([\d, ]+)\.", NETWORK)
    assert [int(port) for port in ports.split(", ")] == [port for port in SPECIAL_PORTS if port]


def test_every_setting_of_the_network_is_documented():
    names = ("ALLOWED_NETWORKS", "ALLOWED_HOSTS", "ALLOWED_PORTS", "PROXY_RESOLVES")
    assert [name for name in names if name.lower() not in Settings.model_fields] == []
    assert [name for name in names if f"PORTCALL_{name}=" not in NETWORK] == []
    assert [name for name in names if f"`PORTCALL_{name}`" not in README] == []


def test_every_type_of_error_is_documented():
    assert [kind for kind in ErrorType if f"\n| `{kind}` |" not in NETWORK] == []


def test_the_documented_plug_in_is_a_format():
    [code] = re.findall(r"```python\n(from portcall.*?)```", FORMATS, re.DOTALL)
    names = {}
    exec(code, names)  # noqa: S102
    message = names["Plain"]().render(PUSH)
    assert message.body == b'{"text":"artifact.pushed prj/api/web"}'


def rows(heading):
    """The cells of the table under this head, as they are written."""
    table = POLICIES.split(f"\n| {heading} |")[1].split("\n\n")[0]
    lines = [line.replace("\\|", "\0") for line in table.splitlines()[2:]]
    return [
        [cell.strip().replace("\0", "|") for cell in line.strip("|").split("|")] for line in lines
    ]


def test_every_condition_is_documented():
    documented = {
        name for cells in rows("condition | looks at | takes") for name in quoted(cells[0])
    }
    assert documented == set(Match.model_fields)


@pytest.mark.parametrize("part", PARTS)
def test_every_detail_is_documented(part):
    [cells] = [row for row in rows("condition | looks at | takes") if row[0] == f"`{part}`"]
    assert set(PARTS[part].model_fields) <= set(quoted(cells[1]))


def test_every_form_of_a_condition_is_documented_with_an_example():
    examples = {quoted(form)[0]: yaml.safe_load(quoted(text)[0]) for form, _, text in forms()}
    assert set(examples) == set(FORMS)
    for form, example in examples.items():
        assert TextCondition.model_validate(example).form == form


def forms():
    return rows("form | meaning | example")


def quoted(cell):
    return re.findall(r"`(.+?)`", cell)


@pytest.mark.parametrize("cells", rows("range | holds | does not hold"))
def test_ranges_are_as_documented(cells):
    wanted, *more = quoted(cells[0])
    condition = TextCondition(semver=wanted, prereleases=bool(more))
    assert [text for text in quoted(cells[1]) if not condition.holds([text])] == []
    assert [text for text in quoted(cells[2]) if condition.holds([text])] == []


@pytest.mark.parametrize("cells", rows("expression | wants"))
def test_documented_expressions_can_be_evaluated(cells):
    [expression] = quoted(cells[0])
    assert outcome(expression, PUSH) in (("true",), ("false",))


@pytest.mark.parametrize("cells", rows("`tagged` | pushes | other events"))
def test_what_tagged_wants_is_as_documented(cells):
    tagged = {"absent": None, "`true`": True, "`false`": False, "`any`": "any"}[cells[0]]
    match = Match(tagged=tagged)
    for type_, told in zip(("artifact.pushed", "tag.deleted"), cells[1:], strict=True):
        for tags, unwanted in (("v1",), "without a tag"), ((), "with a tag"):
            event = PUSH.model_copy(update={"type": type_, "tags": tags})
            assert (match.failure(event) is None) is (told != unwanted)


def test_documented_blocks_are_conditions():
    blocks = re.findall(r"```yaml\n((?:match|exclude):.*?)```", POLICIES, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        Policy.model_validate({"name": "p", "targets": ["t"], **yaml.safe_load(block)})


def test_the_three_policies_match_what_they_say():
    block = POLICIES.partition("## Three policies")[2].partition("```yaml\n")[2].partition("```")[0]
    values = {"${AUDIT_SECRET}": OLD, "${CI_TOKEN}": "t"}
    text = re.sub(r"\$\{\w+\}", lambda name: values.get(name[0], "https://a.example/"), block)
    found = yaml.safe_load(text)
    targets = {Target.model_validate(target).name for target in found["targets"]}
    wanted = {p.name: p for p in map(Policy.model_validate, found["policies"])}
    assert {name for policy in wanted.values() for name in policy.targets} == targets

    def is_wanted(name, type_, **fields):
        event = PUSH.model_copy(update={"type": type_, "repository": "prod/team/app"} | fields)
        return wanted[name].match.failure(event) is None

    release = partial(is_wanted, "releases-to-ci", "artifact.pushed")
    assert release(tags=("latest", "v1.2.3"))
    assert not release(tags=("latest",))
    assert not release(tags=("v1.2.3-rc.1",))
    assert not release(tags=("v1.2.3",), repository="test/app")
    for severity, told in (("Critical", True), ("High", False), (None, False)):
        scan = Scan(severity=severity)
        assert is_wanted("critical-findings", "scan.completed", scan=scan) is told
    for type_ in ("artifact.deleted", "tag.deleted", "repository.deleted"):
        assert is_wanted("deletions-to-audit", type_, tags=())


def test_every_fact_of_an_expression_is_documented():
    known = set(quoted(POLICIES.partition("## Expressions")[2].partition("## What is refused")[0]))
    assert set(facts(PUSH)) <= known
