import json
from pathlib import Path

import pytest

from portcall.auth import BearerAuth
from portcall.policies import Source
from tests.cli.conftest import Backend, Run
from tests.fixtures.portcall import push

MAPPING = "type: what\ntypes: {release: artifact.pushed}\nrepository: image\n"
INDENTED = "".join(f"      {line}\n" for line in MAPPING.splitlines())
WITH_MAPPING = f"  - name: depot\n    kind: custom\n    mapping:\n{INDENTED}"
SOURCES = f"sources:\n{WITH_MAPPING}"
BLOB = Path(__file__).parents[1] / "fixtures" / "notifications" / "distribution" / "blob-push.json"
BODY = '{"what": "release", "image": "prod/app:v1"}'
CUSTOM = ("--kind", "custom", "--mapping", "mapping.yaml")


@pytest.fixture(autouse=True)
def mapping(run: Run) -> Path:
    """The file mapping.yaml, in the directory where commands run."""
    Path("mapping.yaml").write_text(MAPPING)
    return Path("mapping.yaml")


def test_a_body_is_shown_as_the_event_that_it_would_become(run: Run, backend: Backend):
    ran = run("try", "-", *CUSTOM, stdin=BODY)
    assert (ran.code, ran.err) == (0, "")
    first, *lines = ran.out.splitlines()
    assert first == "artifact.pushed"
    facts = dict(line.split(maxsplit=1) for line in lines)
    assert facts.items() >= {"repository": "prod/app", "tags": '["v1"]'}.items()
    assert backend.engine.events == {}


def test_a_mapping_may_stand_in_the_file_of_its_source(run: Run, backend: Backend, mapping: Path):
    mapping.write_text(f"sources:\n  - name: other\n    kind: harbor\n{WITH_MAPPING}")
    assert run("try", "-", *CUSTOM, stdin=BODY).out.startswith("artifact.pushed\n")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (SOURCES + WITH_MAPPING, "2 sources with a mapping"),
        ("sources: []", "0 sources with a mapping"),
        ("sources: {}", "0 sources with a mapping"),
        ("a: [", "mapping.yaml: not YAML"),
    ],
)
def test_a_file_without_one_mapping_is_refused(
    run: Run, backend: Backend, mapping: Path, content: str, said: str
):
    mapping.write_text(content)
    ran = run("try", "-", *CUSTOM, stdin=BODY)
    assert (ran.code, said in ran.err) == (2, True)


async def test_a_source_that_there_is_is_tried_by_its_name(run: Run, backend: Backend):
    auth = BearerAuth.model_validate({"token": "planted-source-token"})
    await backend.store.sources.put(Source(name="dist", kind="distribution", auth=auth))
    Path("body.json").write_text(json.dumps(push()))
    ran = run("try", "body.json", "--source", "dist", "--json")
    assert [event["source"] for event in json.loads(ran.out)["events"]] == ["dist"]
    assert run("try", "body.json", "--source", "none").code == 4


def test_headers_and_hint_go_with_the_body(run: Run, backend: Backend):
    body = '{"repository": "prod/app", "docker_url": "quay.example/prod/app"}'
    ran = run("try", "-", "--kind", "quay", "--hint", "build_start", stdin=body)
    assert ran.out.splitlines()[0] == "build.started"
    headers = ("--header", "X-GitHub-Event: ping", "--header", "X-GitHub-Delivery:1")
    ran = run("try", "-", "--kind", "github", *headers, stdin="{}")
    assert (ran.code, ran.out) == (0, "Understood; it tells of no event.\n")


def test_what_is_not_understood_ends_with_1_unless_something_is(
    run: Run, backend: Backend, mapping: Path
):
    ran = run("try", "-", *CUSTOM, stdin='{"what": "release"}')
    assert ran.code == 1
    assert ran.out == "Not understood: mapping.repository is missing. The expression is 'image'.\n"
    mapping.write_text(f"{MAPPING}events: all\n")
    ran = run("try", "-", *CUSTOM, stdin=f'{{"all": [{BODY}, {{"what": "release"}}]}}')
    assert ran.code == 0
    assert "Not understood" in ran.out


def test_what_the_source_ignores_and_what_it_answers_is_said(run: Run, backend: Backend):
    ran = run("try", str(BLOB), "--kind", "distribution")
    assert ran.out.splitlines()[:2] == ["The source ignores this:", "blob.pushed"]
    question = [
        {
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "data": {"validationCode": "512d38b6"},
        }
    ]
    ran = run("try", "-", "--kind", "acr", stdin=json.dumps(question))
    assert ran.out == 'Answered with {"validationResponse": "512d38b6"}\n'


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--source", "dist", "--kind", "custom"),
        ("--source", "dist", "--mapping", "mapping.yaml"),
        ("--kind", "harbor", "--header", "no colon"),
        ("--kind", "nothing"),
        ("--kind", "custom"),
    ],
)
def test_wrong_usage_ends_with_2(run: Run, backend: Backend, options: tuple[str, ...]):
    assert run("try", "-", *options, stdin="{}").code == 2
