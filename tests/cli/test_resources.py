import json
from pathlib import Path

import pytest

from portcall.auth import BearerAuth
from portcall.policies import Policy, Source, Target
from tests.cli.conftest import Backend, Run

SOURCE = Source(name="harbor-eu", kind="harbor", auth=BearerAuth(token="planted-secret"))
TARGET = Target(
    name="ci", url="https://ci.example/hook", secrets=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
)
POLICY = Policy(name="deploy-prod", targets=["ci"], match={"repository": {"glob": "prod/${x}**"}})


@pytest.fixture
async def filled(backend: Backend) -> Backend:
    await backend.store.sources.create(SOURCE)
    await backend.store.targets.create(TARGET)
    await backend.store.policies.create(POLICY)
    return backend


@pytest.mark.parametrize(
    ("noun", "row"),
    [
        ("sources", ["harbor-eu", "harbor", "bearer", "yes", "no"]),
        ("targets", ["ci", "https://ci.example/hook", "none", "yes", "yes"]),
        (
            "policies",
            ["deploy-prod", "any", "any", "glob:", "prod/${x}**", "any", "ci", "default", "yes"],
        ),
    ],
)
def test_a_list_has_a_line_per_resource(run: Run, filled: Backend, noun: str, row: list[str]):
    ran = run(noun, "list")
    headings, line = ran.out.splitlines()
    assert headings.startswith("NAME ")
    assert line.split() == row


async def test_conditions_built_of_others_are_listed_too(run: Run, filled: Backend):
    either = [{"glob": "prod/*"}, {"not": {"in": ["test"]}}]
    policy = {"name": "odd", "targets": ["ci"], "match": {"repository": either}}
    await filled.store.policies.create(Policy.model_validate(policy))
    assert "glob: prod/* or not: in: test" in run("policies", "list").out


def test_an_empty_list_says_so_and_keeps_stdout_clean(run: Run, backend: Backend):
    ran = run("policies", "list")
    assert (ran.code, ran.out, ran.err) == (0, "", "Nothing found.\n")


def test_a_list_as_json_is_one_document(run: Run, filled: Backend):
    (item,) = json.loads(run("targets", "list", "--json").out)
    assert (item["name"], item["version"]) == ("ci", 1)


@pytest.mark.parametrize(
    ("noun", "name"), [("sources", "harbor-eu"), ("targets", "ci"), ("policies", "deploy-prod")]
)
def test_what_show_prints_is_what_apply_reads(
    run: Run, filled: Backend, tmp_path: Path, noun: str, name: str
):
    shown = run(noun, "show", name).out
    assert "planted" not in shown
    (tmp_path / "again.yaml").write_text(shown)
    ran = run("apply", "-f", "again.yaml")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "0 to create, 0 to update, 1 unchanged.")


async def test_switching_off_keeps_secrets_and_everything_else(run: Run, filled: Backend):
    assert run("sources", "disable", "harbor-eu").out == "source harbor-eu is disabled now.\n"
    stored = await filled.store.sources.get("harbor-eu")
    assert stored.spec == SOURCE.model_copy(update={"enabled": False})


@pytest.mark.parametrize("noun", ["targets", "policies"])
async def test_what_arrives_at_something_suspended_is_held_or_skipped(
    run: Run, filled: Backend, noun: str
):
    name, word = ("ci", "target") if noun == "targets" else ("deploy-prod", "policy")
    off = f"{word} {name} is disabled"
    assert run(noun, "disable", name).out == f"{off} now: it skips what arrives.\n"
    assert "no, skips" in run(noun, "list").out
    assert run(noun, "disable", name, "--hold").out == f"{off} now: it holds what arrives.\n"
    assert "no, holds" in run(noun, "list").out
    assert run(noun, "disable", name).out == f"{off} already: it holds what arrives.\n"
    assert filled.engine.released == []
    assert run(noun, "enable", name).out == f"{word} {name} is enabled now.\n"
    assert filled.engine.released == [(word, name)]


def test_a_source_holds_nothing(run: Run, filled: Backend):
    assert run("sources", "disable", "harbor-eu", "--hold").code == 2


async def test_switching_on_what_is_on_changes_nothing(run: Run, filled: Backend):
    assert run("targets", "enable", "ci").out == "target ci is enabled already.\n"
    assert (await filled.store.targets.get("ci")).version == 1


async def test_a_deleted_policy_is_gone(run: Run, filled: Backend):
    ran = run("policies", "delete", "deploy-prod")
    assert (ran.code, ran.out) == (0, "Deleted policy deploy-prod.\n")
    assert not filled.store.policies.rows


def test_a_target_in_use_is_not_deleted_and_its_policies_are_named(run: Run, filled: Backend):
    ran = run("targets", "delete", "ci")
    assert ran.code == 4
    assert "deploy-prod" in ran.err


@pytest.mark.parametrize("words", [("show",), ("delete",), ("enable",)])
def test_an_unknown_name_is_named(run: Run, backend: Backend, words: tuple[str, ...]):
    ran = run("targets", *words, "nowhere")
    assert ran.code == 4
    assert "nowhere" in ran.err


async def test_what_is_switched_off_by_null_stays_so_whatever_else_is_changed(
    run: Run, filled: Backend
):
    without = TARGET.model_copy(update={"breaker": None, "disable_after": None})
    await filled.store.targets.put(without)
    assert "  breaker: null\n  disable_after: null\n" in run("targets", "show", "ci").out
    run("targets", "disable", "ci")
    stored = (await filled.store.targets.get("ci")).spec
    assert stored == without.model_copy(update={"enabled": False})
