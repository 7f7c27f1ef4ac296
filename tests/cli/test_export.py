import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from portcall.auth import BasicAuth, BearerAuth, HmacAuth
from portcall.cli.manifest import read_manifest
from portcall.cli.nouns import NOUNS, POLICY, SOURCE, TARGET
from portcall.cli.writing import Variables, clear, document, entry, in_clear, masked
from portcall.policies import Policy, RegistryAccess, Source, Target
from portcall.secrets import split
from tests import spec_strategies
from tests.cli.conftest import Backend, Run
from tests.fakes import FakeCollection

SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SOURCE_SPEC = Source(
    name="harbor-eu",
    kind="harbor",
    auth=BearerAuth(token="planted-token"),
    verify=RegistryAccess(
        url="https://harbor.example", auth=BasicAuth(username="p", password="planted-password")
    ),
)
TARGET_SPEC = Target(name="ci", url="https://ci.example/${x}", secrets=[SIGNING, SIGNING])
POLICY_SPEC = Policy(
    name="deploy",
    description="first line\nsecond line",
    match={"repository": {"glob": "prod/**"}},
    targets=["ci"],
    retry={"maximum_attempts": 3},
    managed_by="team-a",
)
TEXT = """\
# yaml-language-server: $schema=portcall.schema.json

sources:
- name: harbor-eu
  kind: harbor
  auth:
    type: bearer
    token: '**********'
  verify:
    url: https://harbor.example
    auth:
      type: basic
      username: p
      password: '**********'

targets:
- name: ci
  url: https://ci.example/$${x}
  secrets:
  - '**********'
  - '**********'

policies:
- name: deploy
  description: |-
    first line
    second line
  match:
    repository:
      glob: prod/**
  targets:
  - ci
  retry:
    maximum_attempts: 3
  managed_by: team-a
"""


@pytest.fixture
async def filled(backend: Backend) -> Backend:
    await backend.store.sources.create(SOURCE_SPEC)
    await backend.store.targets.create(TARGET_SPEC)
    await backend.store.policies.create(POLICY_SPEC)
    return backend


def test_what_there_is_is_written_without_what_goes_without_saying(run: Run, filled: Backend):
    ran = run("export")
    assert (ran.code, ran.out, ran.err) == (0, TEXT, "")


def test_what_was_exported_changes_nothing_when_it_is_applied(run: Run, filled: Backend):
    text = run("export").out
    ran = run("apply", "-f", "-", "--dry-run", "--exit-code", stdin=text)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith("0 to create, 0 to update, 3 unchanged.\n")
    assert run("apply", "-f", "-", stdin=text).code == 0
    assert filled.store.sources.rows["harbor-eu"].spec == SOURCE_SPEC


@pytest.mark.parametrize(
    ("options", "headings"),
    [
        (["--sources"], ["sources"]),
        (["--policies", "--targets"], ["targets", "policies"]),
        ([], ["sources", "targets", "policies"]),
    ],
)
def test_a_kind_can_be_chosen(run: Run, filled: Backend, options: list[str], headings: list[str]):
    lines = run("export", *options).out.splitlines()
    assert [line.strip(":") for line in lines if line.endswith("s:") and line[0] != " "] == headings


def test_what_a_label_owns_is_written_under_that_label(run: Run, filled: Backend):
    text = run("export", "--managed-by", "team-a").out
    assert text.splitlines()[2:7] == ["managed_by: team-a", "", "sources: []", "", "targets: []"]
    assert text.count("managed_by") == 1
    ran = run("apply", "-f", "-", "--prune", "--dry-run", stdin=text)
    assert ran.out.endswith("0 to create, 0 to update, 1 unchanged.\n")


def test_nothing_is_written_as_such(run: Run, backend: Backend):
    assert run("export", "--targets").out.splitlines()[2:] == ["targets: []"]


def test_secrets_can_be_variables_for_another_installation(run: Run, filled: Backend):
    ran = run("export", "--secrets", "env")
    names = [
        "PORTCALL_SOURCE_HARBOR_EU_TOKEN",
        "PORTCALL_SOURCE_HARBOR_EU_VERIFY_PASSWORD",
        "PORTCALL_TARGET_CI_SECRETS_0",
        "PORTCALL_TARGET_CI_SECRETS_1",
    ]
    assert [line.strip() for line in ran.err.splitlines()[1:]] == names
    assert all(f"${{{name}}}" in ran.out for name in names)
    values = ["planted-token", "planted-password", SIGNING, SIGNING]
    filled.store.sources.rows.clear()
    filled.store.policies.rows.clear()
    filled.store.targets.rows.clear()
    environment = dict(zip(names, values, strict=True))
    assert run("apply", "-f", "-", stdin=ran.out, **environment).code == 0
    assert filled.store.sources.rows["harbor-eu"].spec == SOURCE_SPEC
    assert filled.store.targets.rows["ci"].spec == TARGET_SPEC


def test_each_secret_has_a_variable_of_its_own():
    variables = Variables()
    given = [variables.of(TARGET, name)(("auth", "token"), "") for name in ("a.b", "a-b", "a_b")]
    assert given == [
        "${PORTCALL_TARGET_A_B_TOKEN}",
        "${PORTCALL_TARGET_A_B_TOKEN_2}",
        "${PORTCALL_TARGET_A_B_TOKEN_3}",
    ]


def test_a_file_can_be_written(run: Run, filled: Backend, tmp_path: Path):
    ran = run("export", "-o", "all.yaml")
    assert (ran.out, ran.err) == ("", "Wrote all.yaml.\n")
    assert (tmp_path / "all.yaml").read_text() == TEXT


def test_a_directory_gets_a_file_for_each_kind_and_the_schema(
    run: Run, filled: Backend, tmp_path: Path
):
    assert run("export", "-o", "config/").code == 0
    names = ["policies.yaml", "portcall.schema.json", "sources.yaml", "targets.yaml"]
    assert sorted(file.name for file in (tmp_path / "config").iterdir()) == names
    assert json.loads((tmp_path / "config" / "portcall.schema.json").read_text())["$defs"]
    ran = run("apply", "-f", "config", "--dry-run", "--exit-code")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "0 to create, 0 to update, 3 unchanged.")
    assert run("export", "-o", "config").code == 0


@pytest.mark.parametrize("place", ["no/such/file.yaml", "taken/"])
def test_a_place_that_cannot_be_written_is_named(
    run: Run, filled: Backend, tmp_path: Path, place: str
):
    (tmp_path / "taken").write_text("")
    ran = run("export", "-o", place)
    assert ran.code == 2
    assert ran.err.startswith(place.strip("/"))


URL = "https://elsewhere.example/"
SPECS = st.one_of(
    st.tuples(st.just(SOURCE), spec_strategies.sources),
    st.tuples(st.just(TARGET), spec_strategies.targets),
    st.tuples(st.just(POLICY), spec_strategies.policies),
)


@given(SPECS)
@example((SOURCE, SOURCE_SPEC.model_copy(update={"description": "a\x85b\u2028\n c\r"})))
@example((TARGET, TARGET_SPEC.model_copy(update={"description": "\n a\n\n  b: #c\n "})))
def test_every_spec_is_read_back_as_it_was_written(pair: tuple[Any, Any]):
    noun, spec = pair
    for secret in (masked, clear):
        manifest = read_manifest({"f": document({noun: [entry(spec, secret)]})}, {})
        assert not manifest.faults
        (resource,) = manifest.resources
        read = noun.spec(resource.spec)
        assert split(read)[0] == split(spec)[0]
        assert secret is masked or read == spec
    assert noun.spec(in_clear(spec)) == spec
    variables = Variables()
    manifest = read_manifest(
        {"f": document({noun: [entry(spec, variables.of(noun, spec.name))]})},
        {name: URL if name.endswith("_URL") else SIGNING for name in variables.names},
    )
    assert len(variables.names) == len(split(spec)[1])
    assert not manifest.faults


@given(SPECS)
def test_nothing_is_written_that_goes_without_saying(pair: tuple[Any, Any]):
    noun, spec = pair
    written = entry(spec, clear)
    defaults = {name for name, field in noun.model.model_fields.items() if not field.is_required()}
    unneeded = [
        name
        for name in defaults & written.keys()
        if noun.spec({k: v for k, v in in_clear(spec).items() if k != name}) == spec
    ]
    assert unneeded == []


def acceptable(source: Source) -> Source:
    """Give it a kind that takes any signature, if only it says where that stands."""
    is_signed = isinstance(source.auth, HmacAuth)
    auth = source.auth.model_copy(update={"header": "X-Sum"}) if is_signed else source.auth
    return source.model_copy(update={"kind": "harbor", "auth": auth, "mapping": None})


@settings(
    max_examples=15,
    phases=[Phase.explicit, Phase.generate],  # each takes a tenth of a second
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(
    st.lists(spec_strategies.sources, max_size=2, unique_by=lambda spec: spec.name),
    st.lists(spec_strategies.targets, min_size=1, max_size=2, unique_by=lambda spec: spec.name),
    st.lists(spec_strategies.policies, max_size=2, unique_by=lambda spec: spec.name),
)
def test_export_and_apply_change_nothing_whatever_is_stored(
    run: Run,
    backend: Backend,
    sources: list[Source],
    targets: list[Target],
    policies: list[Policy],
):
    store = backend.store
    known: list[tuple[FakeCollection[Any], list[Any]]] = [
        (store.sources, [acceptable(spec) for spec in sources]),
        (store.targets, targets),
        (
            store.policies,
            [
                spec.model_copy(update={"format": "slack", "targets": [targets[0].name]})
                for spec in policies
            ],
        ),
    ]
    for collection, _ in reversed(known):
        collection.rows.clear()
    for collection, specs in known:
        for spec in specs:
            collection._write(spec)
    ran = run("apply", "-f", "-", "--dry-run", "--exit-code", stdin=run("export").out)
    assert (ran.code, [line for line in ran.out.splitlines() if line[0] in "+~-"]) == (0, [])


def test_every_kind_of_resource_is_exported():
    assert {noun.model for noun in NOUNS} == {Source, Target, Policy}
