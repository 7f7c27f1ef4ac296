"""What every `PolicyStore` does, the fake one included."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings

from portcall.adapters.database import Database
from portcall.auth import BearerAuth
from portcall.conditions.block import Match
from portcall.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    PreconditionError,
)
from portcall.policies import Policy, Source, Target
from portcall.ports import PolicyStore
from tests import spec_strategies as strategies

SIGNING = "whsec_" + "c2VjcmV0" * 4
# The database stays over all examples of one test, and each writes and reads its own names.
one_database = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25
)


def source(name: str = "eu", *, word: str = "one", **more: object) -> Source:
    return Source(name=name, kind="harbor", auth=BearerAuth(token=word), **more)


def target(name: str = "ci", **more: object) -> Target:
    return Target(name=name, url="https://ci.example/hook", **more)


def policy(name: str = "prod", *targets: str, **more: object) -> Policy:
    return Policy(name=name, targets=list(targets or ["ci"]), **more)


@pytest.fixture
def store(database: Database) -> PolicyStore:
    return database.store


@one_database
@given(strategies.sources, strategies.targets, strategies.policies)
async def test_what_was_stored_is_read_back_the_same(
    store: PolicyStore, a_source: Source, a_target: Target, a_policy: Policy
) -> None:
    for name in a_policy.targets:
        await store.targets.put(target(name))
    for collection, spec in (
        (store.sources, a_source),
        (store.targets, a_target),
        (store.policies, a_policy),
    ):
        put = await collection.put(spec)
        assert put.spec == spec
        assert await collection.get(spec.name) == put
        assert put in await collection.list()


async def test_a_new_spec_has_version_one_and_aware_times(store: PolicyStore) -> None:
    stored = await store.targets.create(target())
    assert stored.version == 1
    assert stored.created_at == stored.updated_at
    assert stored.created_at.utcoffset() == timedelta()
    assert datetime.now(UTC) - stored.created_at < timedelta(minutes=1)


async def test_a_name_in_use_cannot_be_created_again(store: PolicyStore) -> None:
    await store.targets.create(target())
    with pytest.raises(ConflictError, match="target named ci"):
        await store.targets.create(target(enabled=False))
    assert (await store.targets.get("ci")).spec.enabled


async def test_each_change_counts_the_version_up_and_keeps_the_creation_time(
    store: PolicyStore,
) -> None:
    first = await store.sources.put(source(word="one"))
    second = await store.sources.put(source(word="two"))
    assert (first.version, second.version) == (1, 2)
    assert second.created_at == first.created_at
    assert second.updated_at >= first.updated_at
    assert (await store.sources.get("eu")).spec.auth.token.get_secret_value() == "two"


async def test_a_put_that_changes_nothing_keeps_version_and_time(store: PolicyStore) -> None:
    first = await store.sources.put(source())
    assert await store.sources.put(source()) == first


async def test_a_put_names_the_version_that_it_replaces(store: PolicyStore) -> None:
    await store.targets.put(target())
    await store.targets.put(target(description="second"), if_version=1)
    with pytest.raises(PreconditionError):
        await store.targets.put(target(description="third"), if_version=1)
    assert (await store.targets.get("ci")).spec.description == "second"


async def test_a_put_that_names_a_version_of_nothing_is_refused(store: PolicyStore) -> None:
    with pytest.raises(PreconditionError):
        await store.targets.put(target(), if_version=1)
    assert await store.targets.list() == []


async def test_of_many_who_replace_the_same_version_one_succeeds(store: PolicyStore) -> None:
    await store.targets.put(target())
    puts = [store.targets.put(target(description=str(n)), if_version=1) for n in range(8)]
    results = await asyncio.gather(*puts, return_exceptions=True)
    assert sum(isinstance(result, PreconditionError) for result in results) == 7
    assert (await store.targets.get("ci")).version == 2


async def test_of_many_who_create_the_same_name_one_succeeds(store: PolicyStore) -> None:
    creates = [store.targets.create(target(description=str(n))) for n in range(8)]
    results = await asyncio.gather(*creates, return_exceptions=True)
    assert sum(isinstance(result, ConflictError) for result in results) == 7


async def test_names_are_listed_in_byte_order_in_pages(store: PolicyStore) -> None:
    names = ["a", "a-b", "a.b", "a0", "a_b", "aa", "b"]
    for name in reversed(names):
        await store.sources.create(source(name))
    assert [row.spec.name for row in await store.sources.list()] == sorted(names)
    page = await store.sources.list(after="a.b", limit=2)
    assert [row.spec.name for row in page] == ["a0", "a_b"]


async def test_what_is_missing_is_not_found(store: PolicyStore) -> None:
    with pytest.raises(NotFoundError, match="no policy named prod"):
        await store.policies.get("prod")
    with pytest.raises(NotFoundError):
        await store.policies.delete("prod")


async def test_deleting_forgets_it_and_the_name_starts_again(store: PolicyStore) -> None:
    await store.sources.put(source(word="one"))
    await store.sources.put(source(word="two"))
    with pytest.raises(PreconditionError):
        await store.sources.delete("eu", if_version=1)
    await store.sources.delete("eu", if_version=2)
    with pytest.raises(NotFoundError):
        await store.sources.get("eu")
    assert (await store.sources.create(source())).version == 1


async def test_a_target_in_use_is_not_deleted_and_its_policies_are_named(
    store: PolicyStore,
) -> None:
    await store.targets.put(target())
    await store.policies.put(policy("second"))
    await store.policies.put(policy("first"))
    with pytest.raises(ConflictError, match="first, second") as refused:
        await store.targets.delete("ci")
    assert refused.value.problem["policies"] == ["first", "second"]
    await store.policies.delete("first")
    await store.policies.delete("second")
    await store.targets.delete("ci")


async def test_a_policy_lets_go_of_the_targets_that_it_no_longer_names(
    store: PolicyStore,
) -> None:
    for name in ("old", "kept", "new"):
        await store.targets.put(target(name))
    await store.policies.put(policy("prod", "old", "kept"))
    await store.policies.put(policy("prod", "new", "kept"))
    await store.targets.delete("old")
    with pytest.raises(ConflictError):
        await store.targets.delete("kept")
    assert (await store.policies.get("prod")).spec.targets == ["new", "kept"]


async def test_a_policy_with_unknown_targets_is_refused_by_field_and_name(
    store: PolicyStore,
) -> None:
    await store.targets.put(target())
    before = await store.policies.put(policy())
    with pytest.raises(InvalidInputError, match="x, y") as refused:
        await store.policies.put(policy("prod", "ci", "x", "y"))
    assert [error["field"] for error in refused.value.problem["errors"]] == ["targets"]
    with pytest.raises(InvalidInputError):
        await store.policies.create(policy("other", "x"))
    assert await store.policies.list() == [before]


async def test_a_target_deleted_while_policies_take_it_is_never_left_dangling(
    store: PolicyStore,
) -> None:
    for _ in range(5):
        await store.targets.put(target())
        results = await asyncio.gather(
            *(store.policies.put(policy(f"p{n}")) for n in range(3)),
            store.targets.delete("ci"),
            *(store.policies.put(policy(f"p{n}")) for n in range(3, 6)),
            return_exceptions=True,
        )
        refused = [result for result in results if isinstance(result, BaseException)]
        assert all(isinstance(error, InvalidInputError | ConflictError) for error in refused)
        left = {row.spec.name for row in await store.targets.list()}
        assert all(set(row.spec.targets) <= left for row in await store.policies.list())
        for row in await store.policies.list():
            await store.policies.delete(row.spec.name)


async def test_a_source_that_policies_filter_by_can_be_deleted(store: PolicyStore) -> None:
    await store.sources.put(source())
    await store.targets.put(target())
    await store.policies.put(policy(match=Match(sources=["eu"])))
    await store.sources.delete("eu")
    assert (await store.policies.get("prod")).spec.match.sources == ["eu"]


async def test_a_snapshot_has_all_policies_by_name_and_the_targets_switched_off(
    store: PolicyStore,
) -> None:
    assert (await store.snapshot()).policies == ()
    await store.targets.put(target())
    await store.targets.put(target("off", enabled=False, secrets=[SIGNING]))
    await store.policies.put(policy("z", "ci", "off"))
    await store.policies.put(policy("a"))
    await store.policies.put(policy("sleeping", enabled=False))
    snapshot = await store.snapshot()
    assert [found.name for found in snapshot.policies] == ["a", "sleeping", "z"]
    assert snapshot.disabled_targets == {"off"}


async def test_a_target_that_holds_what_arrives_is_matched_like_any_other(
    store: PolicyStore,
) -> None:
    await store.targets.put(target("holds", enabled=False, while_disabled="hold"))
    await store.targets.put(target("skips", enabled=False, while_disabled="skip"))
    assert (await store.snapshot()).disabled_targets == {"skips"}


async def test_a_change_shows_in_the_next_snapshot(store: PolicyStore) -> None:
    await store.targets.put(target())
    await store.policies.put(policy())
    assert len((await store.snapshot()).policies) == 1
    await store.targets.put(target(enabled=False))
    assert (await store.snapshot()).disabled_targets == {"ci"}
    await store.policies.delete("prod")
    assert (await store.snapshot()).policies == ()


async def test_a_change_while_snapshots_are_read_shows_at_the_end(store: PolicyStore) -> None:
    async def change(number: int) -> None:
        await store.targets.put(target(f"t{number}", enabled=False))
        await store.snapshot()

    await asyncio.gather(*map(change, range(10)))
    assert len((await store.snapshot()).disabled_targets) == 10


async def test_a_store_that_is_there_answers_a_ping(store: PolicyStore) -> None:
    assert await store.ping() is None
