import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from jsonschema import Draft202012Validator

from portcall.formats.known import load_formats
from portcall.manifest_schema import manifest_schema
from portcall.policies import Policy, Source, Target
from portcall.secrets import split
from portcall.sources.kinds import load_kinds
from tests import spec_strategies

ROOT = Path(__file__).parents[2]
SCHEMA = manifest_schema(load_kinds(), load_formats())
VALIDATOR = Draft202012Validator(SCHEMA)
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.yaml"))
HEADINGS = ("source", "target", "polic", "managed_by", "name: ")


def documents(text: str) -> list[Any]:
    return list(yaml.safe_load_all(text))


def faults(text: str) -> list[str]:
    found = [error for part in documents(text) for error in VALIDATOR.iter_errors(part)]
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in found]


def blocks() -> list[Any]:
    pages = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
    return [
        pytest.param(block, id=f"{page.name}-{number}")
        for page in pages
        for number, block in enumerate(
            re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)
        )
        if block.startswith(HEADINGS)
    ]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_every_example_fits(file: Path) -> None:
    assert faults(file.read_text()) == []


@pytest.mark.parametrize("block", blocks())
def test_what_the_pages_show_fits(block: str) -> None:
    assert faults(block) == []


POLICY = "policy: {name: p, targets: [ci], "
SOURCE = "source: {name: s, kind: harbor, auth: {type: bearer, token: t}, "


@pytest.mark.parametrize(
    "text",
    [
        "polcy: {name: p, targets: [ci]}",
        "policies: {name: p, targets: [ci]}",
        "policy: {name: p}",
        "policy: {targets: [ci]}",
        "policy: {name: p, targets: ci}",
        "policy: {name: p, targets: []}",
        "policy: {name: Has Blanks, targets: [ci]}",
        "name: p\ntargets: [ci]\nfromat: raw\n",
        POLICY + "match: {repositry: {glob: x}}}",
        POLICY + "match: {repository: {like: prod/app}}}",
        POLICY + "match: {repository: {glop: x}}}",
        POLICY + "match: {event_type: [artifact.pushed]}}",
        POLICY + "match: {event_types: artifact.pushed}}",
        POLICY + "match: {event_types: []}}",
        POLICY + "format: cloudevent}",
        POLICY + "enabled: ture}",
        POLICY + "while_disabled: wait}",
        POLICY + "retry: {maximum_attempts: ten}}",
        POLICY + "retry: {maximum_attempts: 51}}",
        POLICY + "retry: {max_attempts: 5}}",
        POLICY + "retry: {retry_on: [6xx]}}",
        POLICY + "retry: {retry_on: [42]}}",
        "target: {name: ci}",
        "target: {name: ci, url: 'https://x.example', timeout: {seconds: 5}}",
        "target: {name: ci, url: 'https://x.example', secret: whsec_x}",
        "target: {name: ci, url: 'https://x.example', auth: {type: query, value: x}}",
        "target: {name: ci, url: 'https://x.example', auth: {token: x}}",
        "source: {name: s, auth: {type: none}}",
        "source: {name: s, kind: harbour, auth: {type: none}}",
        "source: {name: s, kind: harbor}",
        "source: {name: s, kind: harbor, auth: {type: bearr, token: t}}",
        "source: {name: s, kind: harbor, auth: {type: bearer}}",
        SOURCE + "stricct: true}",
        SOURCE + "ignore: {event_types: ['Push!']}}",
        "managed_by: Team A",
        "[]",
    ],
)
def test_what_is_misspelt_is_found(text: str) -> None:
    assert faults(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "policy: {name: p, targets: [ci], retry: {retry_on: [network, 408, 5xx], jitter: 0}}",
        "target: {name: '${NAME}', url: '${CI_URL}', timeout: 1h30m}",
        "target: {name: ci, url: 'https://x.example', timeout: 15, secrets: ['${SIGNING}']}",
        "managed_by: team\nsources: []\n",
        "name: p\ntargets: [ci]\nmanaged_by: team\n",
    ],
)
def test_what_apply_reads_fits(text: str) -> None:
    assert faults(text) == []


@given(spec_strategies.sources | spec_strategies.targets | spec_strategies.policies)
def test_every_spec_fits(spec: Source | Target | Policy) -> None:
    written, _ = split(spec)
    written |= {"kind": "harbor"} if isinstance(spec, Source) else {}
    written |= {"format": "raw"} if isinstance(spec, Policy) else {}
    assert list(VALIDATOR.iter_errors({type(spec).__name__.lower(): written})) == []


def test_the_kinds_and_formats_are_those_that_are_installed() -> None:
    schema = manifest_schema(["own"], ["raw", "own"])
    assert schema["$defs"]["Source"]["properties"]["kind"] == {"enum": ["own"]}
    assert schema["$defs"]["Policy"]["properties"]["format"]["enum"] == ["own", "raw"]
