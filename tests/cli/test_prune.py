from pathlib import Path

import pytest
from fastapi import FastAPI

from portcall.cli.client import connect
from portcall.cli.manifest import Resource
from portcall.cli.nouns import TARGET
from portcall.cli.plan import Step
from portcall.errors import PreconditionError
from portcall.policies import Policy, Target
from tests.cli.conftest import TOKEN, Backend, Ran, Run

TEAM = """\
managed_by: team-a
targets:
  - {name: ci, url: "https://ci.example/hook"}
policies:
  - {name: deploy, targets: [ci]}
"""


@pytest.fixture
def apply(run: Run, tmp_path: Path):
    def apply_text(text: str, *options: str, **environment: str) -> Ran:
        (tmp_path / "f.yaml").write_text(text)
        return run("apply", "-f", "f.yaml", *options, **environment)

    return apply_text


async def keep(backend: Backend, *specs: Policy | Target) -> None:
    for spec in specs:
        part = backend.store.targets if isinstance(spec, Target) else backend.store.policies
        await part.create(spec)


def target(name: str, **more: str) -> Target:
    return Target(name=name, url="https://old.example/hook", **more)


async def test_a_documents_label_is_put_on_all_of_its_resources(apply, backend: Backend):
    assert apply(TEAM).code == 0
    assert backend.store.targets.rows["ci"].spec.managed_by == "team-a"
    assert backend.store.policies.rows["deploy"].spec.managed_by == "team-a"


async def test_only_what_has_the_files_label_and_is_not_in_them_is_deleted(apply, backend: Backend):
    await keep(
        backend,
        target("gone", managed_by="team-a"),
        target("of-others", managed_by="team-b"),
        target("of-nobody"),
        Policy(name="gone-too", targets=["gone"], managed_by="team-a"),
    )
    ran = apply(TEAM, "--prune")
    assert ran.out.splitlines() == [
        "+ target ci",
        "+ policy deploy",
        "- policy gone-too",
        "- target gone",
        "2 to create, 0 to update, 0 unchanged, 2 to delete.",
        "created target ci",
        "created policy deploy",
        "deleted policy gone-too",
        "deleted target gone",
    ]
    assert list(backend.store.targets.rows) == ["of-others", "of-nobody", "ci"]
    assert list(backend.store.policies.rows) == ["deploy"]


async def test_without_prune_nothing_is_deleted(apply, backend: Backend):
    await keep(backend, target("gone", managed_by="team-a"))
    assert "delete" not in apply(TEAM).out
    assert "gone" in backend.store.targets.rows


async def test_prune_needs_a_label(apply, backend: Backend):
    ran = apply(TEAM.replace("managed_by: team-a\n", ""), "--prune")
    assert (ran.code, ran.out) == (2, "")
    assert "write `managed_by: NAME` into them" in ran.err
    assert not backend.store.targets.rows


async def test_a_label_alone_prunes_all_that_carries_it(apply, backend: Backend):
    await keep(backend, target("gone", managed_by="team-a"))
    assert apply("managed_by: team-a\n", "--prune").code == 0
    assert not backend.store.targets.rows


async def test_a_dry_run_shows_and_counts_what_would_be_deleted(apply, backend: Backend):
    apply(TEAM)
    await keep(backend, target("gone", managed_by="team-a"))
    ran = apply(TEAM, "--prune", "--dry-run", "--exit-code")
    assert ran.code == 1
    assert ran.out.splitlines()[-2:] == [
        "- target gone",
        "0 to create, 0 to update, 2 unchanged, 1 to delete.",
    ]
    assert "gone" in backend.store.targets.rows


async def test_a_pruned_target_that_somebody_else_uses_stops_all_before_it_begins(
    apply, backend: Backend
):
    await keep(backend, target("gone", managed_by="team-a"), Policy(name="p", targets=["gone"]))
    ran = apply(TEAM, "--prune")
    assert ran.code == 4
    assert ran.err == (
        "--prune would delete target gone, which policy p still uses. Nothing was changed."
    )
    assert list(backend.store.targets.rows) == ["gone"]


async def test_a_policy_of_the_files_is_judged_by_what_it_becomes(apply, backend: Backend):
    await keep(
        backend, target("gone", managed_by="team-a"), Policy(name="deploy", targets=["gone"])
    )
    assert apply(TEAM, "--prune").code == 0
    assert list(backend.store.targets.rows) == ["ci"]


async def test_a_policy_of_the_files_that_uses_a_pruned_target_is_named(apply, backend: Backend):
    await keep(backend, target("gone", managed_by="team-a"))
    ran = apply(TEAM.replace("[ci]", "[ci, gone]"), "--prune")
    assert ran.code == 4
    assert "target gone, which policy deploy still uses" in ran.err


async def test_taking_over_from_another_label_is_shown_and_warned_of(apply, backend: Backend):
    spec = target("ci", managed_by="team-b").model_copy(update={"url": "https://ci.example/hook"})
    await keep(backend, spec)
    ran = apply(TEAM)
    assert ran.out.splitlines()[:2] == ["~ target ci", '    managed_by: "team-b" -> "team-a"']
    assert ran.err == "f.yaml:3:5: target ci: warning: it is managed by team-b so far\n"
    assert ran.code == 0


async def test_adopting_what_nobody_manages_is_no_warning(apply, backend: Backend):
    await keep(backend, target("ci"))
    ran = apply(TEAM)
    assert '    managed_by: null -> "team-a"' in ran.out
    assert ran.err == ""


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "managed_by: a\ntarget: {name: ci, url: 'https://x.example', managed_by: b}\n",
            "f.yaml:2:46: managed_by is 'b' here and 'a' for the whole document",
        ),
        ("managed_by: [a]\n", "f.yaml:1:1: managed_by is not text"),
        (
            "managed_by: Team A\ntarget: {name: ci, url: 'https://x.example'}\n",
            "f.yaml:1:1: target ci: managed_by: ",
        ),
    ],
)
def test_a_wrong_label_is_a_fault(apply, backend: Backend, text: str, fault: str):
    ran = apply(text)
    assert ran.code == 2
    assert ran.err.startswith(fault)


def test_a_spec_may_say_the_label_itself(apply, backend: Backend):
    text = "managed_by: a\ntarget: {name: ci, url: 'https://x.example', managed_by: a}\n"
    assert apply(text).code == 0
    bare = "name: p\ntargets: [ci]\nmanaged_by: a\n"
    assert apply(bare).code == 0
    assert backend.store.policies.rows["p"].spec.managed_by == "a"


async def test_what_was_changed_meanwhile_is_not_deleted(
    served: tuple[str, FastAPI], backend: Backend
):
    await keep(backend, target("gone", managed_by="team-a"))
    step = Step(Resource(TARGET, "gone", {}), "deleted", etag='"7"')
    with (
        connect(served[0], TOKEN) as api,
        pytest.raises(PreconditionError, match="target gone was changed in the meantime"),
    ):
        step.write(api)
    assert list(backend.store.targets.rows) == ["gone"]
