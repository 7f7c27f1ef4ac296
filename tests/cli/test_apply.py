from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from portcall.auth import BearerAuth
from portcall.cli.client import ApiClient, connect
from portcall.cli.manifest import Resource
from portcall.cli.nouns import TARGET
from portcall.cli.plan import Step, make_plan
from portcall.errors import PreconditionError
from portcall.policies import Policy, Target
from tests.cli.conftest import TOKEN, Backend, Ran, Run

ALL = """\
policy:
  name: deploy-prod
  match: {repository: {regex: "prod/.+"}}
  targets: [ci]
---
source: {name: harbor-eu, kind: harbor, auth: {type: bearer, token: "${HARBOR_TOKEN}"}}
target: {name: ci, url: "https://ci.example/hook", secrets: ["${SIGNING}"]}
"""
SECRETS = {
    "HARBOR_TOKEN": "planted-harbor-token",
    "SIGNING": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}


@pytest.fixture
def apply(run: Run, backend: Backend, tmp_path: Path):
    def apply_text(text: str, *options: str, **environment: str) -> Ran:
        (tmp_path / "f.yaml").write_text(text)
        ran = run("apply", "-f", "f.yaml", *options, **(SECRETS | environment))
        assert not any(secret in ran.out + ran.err for secret in SECRETS.values())
        return ran

    return apply_text


async def test_everything_is_created_in_the_order_of_dependence(apply, backend: Backend):
    ran = apply(ALL)
    assert ran.out.splitlines() == [
        "+ source harbor-eu",
        "+ target ci",
        "+ policy deploy-prod",
        "3 to create, 0 to update, 0 unchanged.",
        "created source harbor-eu",
        "created target ci",
        "created policy deploy-prod",
    ]
    source = (await backend.store.sources.get("harbor-eu")).spec
    assert source.auth == BearerAuth(token="planted-harbor-token")


def test_the_same_again_changes_nothing(apply, backend: Backend):
    apply(ALL)
    ran = apply(ALL)
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "0 to create, 0 to update, 3 unchanged.")
    assert [row.version for row in backend.store.policies.rows.values()] == [1]


def test_changed_fields_are_shown_old_and_new(apply, backend: Backend):
    apply(ALL)
    changed = ALL.replace("ci.example", "cd.example").replace("targets", "enabled: no\n  targets")
    assert apply(changed).out.splitlines()[:5] == [
        "= source harbor-eu",
        "~ target ci",
        '    url: "https://ci.example/hook" -> "https://cd.example/hook"',
        "~ policy deploy-prod",
        "    enabled: true -> false",
    ]


@pytest.mark.parametrize(
    ("old", "new", "fields"),
    [
        ("${HARBOR_TOKEN}", "another-planted-token", ["auth.token"]),
        ("${SIGNING}", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", ["secrets"]),
        (
            'type: bearer, token: "${HARBOR_TOKEN}"',
            "type: header, name: X-Key, value: another-planted-token",
            ["auth.name", "auth.token", "auth.type", "auth.value"],
        ),
    ],
)
def test_a_changed_secret_is_never_shown(apply, old: str, new: str, fields: list[str]):
    apply(ALL)
    ran = apply(ALL.replace(old, new))
    lines = [line.strip() for line in ran.out.splitlines() if line.startswith("    ")]
    assert [line.split(": ")[0] for line in lines] == fields
    assert "«changed»" in ran.out
    assert "another" not in ran.out
    assert "whsec_" not in ran.out


def test_a_secret_that_the_file_no_longer_has_is_shown_as_removed(apply):
    apply(ALL)
    ran = apply(ALL.replace('secrets: ["${SIGNING}"]', "secrets: []"))
    assert "    secrets: «removed»" in ran.out.splitlines()


def test_a_dry_run_writes_nothing(apply, backend: Backend):
    ran = apply(ALL, "--dry-run")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "3 to create, 0 to update, 0 unchanged.")
    assert not backend.store.sources.rows


def test_a_dry_run_can_tell_scripts_that_there_is_a_difference(apply):
    assert apply(ALL, "--dry-run", "--exit-code").code == 1
    apply(ALL)
    assert apply(ALL, "--dry-run", "--exit-code").code == 0


def test_what_the_api_warns_of_is_a_warning_of_the_step():
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(404, json={"title": "Not found"})
        return httpx.Response(200, json={"changed": [], "warnings": ["it matches nothing"]})

    api = ApiClient(httpx.Client(base_url="http://api", transport=httpx.MockTransport(answer)))
    (step,), faults = make_plan(api, [Resource(TARGET, "ci", {"name": "ci"})])
    assert (step.result, step.warnings, faults) == ("created", ("it matches nothing",), [])


TYPO = """\
policy:
  name: p
  match:
    event_types: [artifact.pushd]
    sources: [harbor-eu]
  targets: [ci]
"""
TOLD = "f.yaml:4:19: policy p: warning: match.event_types.0: no event is called artifact.pushd"


async def test_what_can_hardly_be_meant_is_warned_of_with_its_place(apply, backend: Backend):
    await backend.store.targets.create(Target(name="ci", url="https://ci.example"))
    ran = apply(TYPO)
    assert ran.code == 0
    assert [line.partition(",")[0] for line in ran.err.splitlines()] == [
        TOLD,
        "f.yaml:5:15: policy p: warning: match.sources.0: there is no source harbor-eu",
    ]


async def test_a_condition_that_is_left_empty_is_warned_of(apply, backend: Backend):
    await backend.store.targets.create(Target(name="ci", url="https://ci.example"))
    ran = apply("policy:\n  name: p\n  match:\n    tag:\n  targets: [ci]\n")
    assert ran.code == 0
    assert ran.err.splitlines() == [
        "f.yaml:4:5: policy p: warning: match.tag: is empty, and so holds for every event"
    ]


def test_a_source_that_the_same_files_declare_is_not_warned_of(apply, backend: Backend):
    ran = apply(f"{TYPO}---\n{ALL.partition('---')[2]}")
    assert ran.code == 0
    assert ran.out.splitlines()[-1] == "created policy p"
    assert [line.partition(",")[0] for line in ran.err.splitlines()] == [TOLD]


def test_all_faults_of_all_documents_are_told_and_nothing_is_written(apply, backend: Backend):
    wrong = ALL.replace("prod/.+", "prod/(").replace("https://ci", "ftp://ci")
    ran = apply(wrong + "---\nsource: {name: q, kind: nonsense, auth: {type: bearer}}\nfoo: 1\n")
    assert ran.code == 2
    told = ran.err.splitlines()
    assert [line.split(": ")[:3] for line in told[:-1]] == [
        ["f.yaml:3:24", "policy deploy-prod", "match.repository.regex"],
        ["f.yaml:7:20", "target ci", "url"],
        ["f.yaml:9:35", "source q", "auth.token"],
        ["f.yaml:10:1", told[3].split(": ")[1]],
    ]
    assert "position 6" in told[0]
    assert "'foo' is not known here" in told[3]
    assert told[-1] == "4 wrong; nothing was changed."
    assert not backend.store.sources.rows


def test_a_target_that_is_neither_there_nor_in_the_files_is_a_fault(apply):
    ran = apply(ALL.replace("targets: [ci]", "targets: [ci, cd]"))
    assert ran.code == 2
    assert ran.err.startswith("f.yaml:4:17: policy deploy-prod: targets.1: ")


async def test_a_policy_can_be_pointed_at_a_target_that_the_same_files_add(apply, backend: Backend):
    await backend.store.targets.create(Target(name="old", url="https://old.example"))
    await backend.store.policies.create(Policy(name="deploy-prod", targets=["old"]))
    ran = apply(ALL)
    assert ran.out.splitlines()[2:5] == [
        "~ policy deploy-prod",
        '    match.repository.regex: null -> "prod/.+"',
        '    targets: ["old"] -> ["ci"]',
    ]
    assert (await backend.store.policies.get("deploy-prod")).spec.targets == ["ci"]


def test_an_unset_variable_is_named_with_its_place(apply):
    ran = apply(ALL, HARBOR_TOKEN=None)
    assert ran.code == 2
    assert ran.err.splitlines() == [
        "f.yaml:6:69: the environment variable HARBOR_TOKEN is not set",
        "1 wrong; nothing was changed.",
    ]


def test_what_the_api_says_of_an_unfilled_value_is_not_told_as_well(apply):
    assert apply(ALL, SIGNING=None).err.splitlines() == [
        "f.yaml:7:62: the environment variable SIGNING is not set",
        "1 wrong; nothing was changed.",
    ]


def test_wrong_yaml_is_told_without_asking_the_api(apply):
    ran = apply("policy:\n\tname: x\n", "--url", "http://127.0.0.1:9")
    assert (ran.code, ran.err.splitlines()[0]) == (
        2,
        "f.yaml:2:1: a tab; YAML is indented with spaces",
    )


def test_without_the_api_nothing_is_half_done(apply):
    ran = apply(ALL, "--url", "http://127.0.0.1:9")
    assert ran.code == 3
    assert ran.out == ""


@pytest.mark.parametrize("etag", ['"7"', None])
async def test_what_somebody_else_wrote_meanwhile_is_not_overwritten(
    served: tuple[str, FastAPI], backend: Backend, etag: str | None
):
    await backend.store.targets.create(Target(name="ci", url="https://old.example"))
    spec = {"name": "ci", "url": "https://new.example"}
    step = Step(Resource(TARGET, "ci", spec, {}), "updated", etag=etag)
    with (
        connect(served[0], TOKEN) as api,
        pytest.raises(PreconditionError, match="target ci was changed in the meantime"),
    ):
        step.write(api)
    assert (await backend.store.targets.get("ci")).version == 1


def test_several_files_are_one(run: Run, backend: Backend, tmp_path: Path):
    policy, rest = ALL.split("---\n")
    (tmp_path / "a.yaml").write_text(policy)
    (tmp_path / "b.yaml").write_text(rest)
    assert run("apply", "-f", "a.yaml", "-f", "b.yaml", **SECRETS).code == 0
    assert list(backend.store.policies.rows) == ["deploy-prod"]


def test_a_minus_is_stdin(run: Run, backend: Backend):
    ran = run("apply", "-f", "-", stdin="target: {name: ci, url: 'https://ci.example'}")
    assert ran.code == 0
    assert list(backend.store.targets.rows) == ["ci"]


def test_a_directory_is_its_own_files_and_nothing_else(run: Run, backend: Backend, tmp_path: Path):
    text = "target: {{name: {}, url: 'https://ci.example'}}"
    for name in ("b.yml", "a.yaml", "c.json", ".d.yaml", "e.txt", "portcall.schema.json"):
        (tmp_path / name).write_text(text.format(name.strip(".").partition(".")[0]))
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "f.yaml").write_text(text.format("f"))
    assert run("apply", "-f", ".").out.splitlines()[:3] == [
        "+ target a",
        "+ target b",
        "+ target c",
    ]
    assert list(backend.store.targets.rows) == ["a", "b", "c"]


def test_a_directory_without_a_file_for_us_is_named(run: Run, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    ran = run("apply", "-f", "empty")
    assert (ran.code, ran.err) == (2, "empty: no *.yaml, *.yml or *.json in this directory.")


def test_stdin_twice_is_stdin_once(run: Run, backend: Backend):
    text = "target: {name: ci, url: 'https://ci.example'}"
    assert run("apply", "-f", "-", "-f", "-", stdin=text).code == 0
    assert list(backend.store.targets.rows) == ["ci"]


def test_what_came_from_the_environment_is_never_shown(apply, backend: Backend):
    text = 'target: {name: ci, url: "https://ci.example/${SIGNING}", headers: {X-Key: "${KEY}"}}'
    apply(text, KEY="planted-key")
    ran = apply(text, KEY="another", SIGNING="whsec_other")
    assert ran.out.splitlines()[:3] == [
        "~ target ci",
        "    headers.X-Key: «changed»",
        "    url: «changed»",
    ]


def test_a_long_list_shows_what_comes_and_what_goes(apply, backend: Backend):
    apply(ALL)
    many = [f"prod/app-{number}" for number in range(20)]
    text = ALL.replace('regex: "prod/.+"', "in: [{}]")
    apply(text.replace("{}", ", ".join(many)))
    ran = apply(text.replace("{}", ", ".join([*many[1:], "prod/new"])))
    assert '    match.repository.in: + "prod/new", - "prod/app-0"' in ran.out.splitlines()
    ran = apply(text.replace("{}", ", ".join([*many[1:][::-1], "prod/new"])))
    (line,) = [line for line in ran.out.splitlines() if line.startswith("    match")]
    assert " -> " in line
    assert len(line) < 450


def test_a_file_that_cannot_be_read_is_named(run: Run):
    ran = run("apply", "-f", "nowhere.yaml")
    assert ran.code == 2
    assert ran.err == "nowhere.yaml: no such file or directory."


def test_a_file_of_other_bytes_is_named(run: Run, tmp_path: Path):
    (tmp_path / "f.yaml").write_bytes(b"\xff\xfe")
    ran = run("apply", "-f", "f.yaml")
    assert (ran.code, ran.err) == (2, "f.yaml: not UTF-8 text.")


def test_a_byte_order_mark_does_no_harm(run: Run, backend: Backend, tmp_path: Path):
    (tmp_path / "f.yaml").write_bytes(b"\xef\xbb\xbf# nothing\n")
    assert run("apply", "-f", "f.yaml").out == "0 to create, 0 to update, 0 unchanged.\n"
