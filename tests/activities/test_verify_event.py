import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.verify_event import AT_ONCE, TAGS_LOOKED_AT, VerifyEvent, VerifyInput
from portcall.auth import NoAuth
from portcall.events import RegistryEvent, Verification
from portcall.policies import RegistryAccess, Source
from tests.fakes import FakeRegistries, FakeRepository, FakeStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACCESS = RegistryAccess(url="https://registry.test")
IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
GONE = "sha256:" + "0" * 64


def an_event(event_type="artifact.pushed", **fields):
    pending = Verification(state="pending")
    values = {"repository": "prod/app", "verification": pending, **fields}
    return RegistryEvent(
        id="1", source="s", kind="k", type=event_type, occurred_at=NOW, received_at=NOW, **values
    )


def an_image(config="sha256:" + "c" * 64):
    return {"mediaType": IMAGE, "config": {"mediaType": CONFIG, "digest": config}}


class World:
    def __init__(self):
        self.store = FakeStore()
        self.repository = FakeRepository("prod/app")
        self.registries = FakeRegistries({"prod/app": self.repository})

    async def ask(self, event, attempt=2):
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, attempt=attempt)
        activity = VerifyEvent(self.store, self.registries)
        return await environment.run(activity.verify_event, VerifyInput(event=event))


@pytest.fixture
async def world():
    world = World()
    await world.store.sources.put(Source(name="s", kind="k", auth=NoAuth(), verify=ACCESS))
    return world


async def test_a_true_push_is_verified_and_what_was_left_out_is_added(world):
    digest = world.repository.push(an_image(), "v1")
    config = b'{"os": "linux", "architecture": "arm64"}'
    world.repository.blobs["sha256:" + "c" * 64] = config
    seen = await world.ask(an_event(tags=("v1",)), attempt=1)
    assert seen.verification == Verification(state="verified")
    assert (seen.digest, seen.media_type, seen.platforms) == (digest, IMAGE, ("linux/arm64",))
    assert world.registries.accesses == [ACCESS]


async def test_an_index_is_verified_with_the_platforms_of_its_images(world):
    platform = {"os": "linux", "architecture": "arm64"}
    world.repository.push({"mediaType": INDEX, "manifests": [{"platform": platform}]}, "v1")
    seen = await world.ask(an_event(tags=("v1",)))
    assert (seen.media_type, seen.platforms) == (INDEX, ("linux/arm64",))
    assert world.repository.asked == ["v1"]


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (an_event(tags=("v2",)), "the registry has no prod/app:v2"),
        (an_event(tags=("v1", "v2")), "the registry has no prod/app:v2"),
        (an_event(tags=("v1",), digest=GONE), "prod/app:v1 is at "),
        (an_event(digest=GONE), f"the registry has no prod/app@{GONE}"),
        (an_event("tag.deleted", tags=("v1",)), "the registry still has prod/app:v1"),
        (an_event("artifact.deleted", tags=("v1",)), "the registry still has prod/app:v1"),
        (an_event(repository="..", tags=("v1",)), ".. is not a repository's name"),
    ],
)
async def test_a_claim_that_the_registry_denies_is_unverified(world, event, why):
    world.repository.push(an_image(), "v1")
    seen = await world.ask(event)
    assert seen.verification.state == "unverified"
    assert seen.verification.reason.startswith(why)
    assert seen.model_copy(update={"verification": event.verification}) == event


async def test_a_denial_is_believed_when_it_is_said_twice(world):
    event = an_event(tags=("v1",))
    with pytest.raises(ApplicationError, match="has no prod/app:v1; the registry is asked again"):
        await world.ask(event, attempt=1)
    world.repository.push(an_image(), "v1")
    assert (await world.ask(event, attempt=2)).verification.state == "verified"


@pytest.mark.parametrize(
    "event",
    [an_event("tag.deleted", tags=("v2",)), an_event("artifact.deleted", digest=GONE)],
)
async def test_what_is_gone_from_the_registry_was_deleted(world, event):
    world.repository.push(an_image(), "v1")
    seen = await world.ask(event)
    assert seen == event.model_copy(update={"verification": Verification(state="verified")})


async def test_a_digest_without_a_tag_gets_all_its_tags(world):
    digest = world.repository.push(an_image(), "v1", "latest")
    world.repository.push({"mediaType": INDEX, "manifests": []}, "other")
    seen = await world.ask(an_event("scan.completed", digest=digest))
    assert seen.tags == ("v1", "latest")
    assert "more_tags" not in seen.attributes


async def test_of_a_repository_with_many_tags_some_are_left_out_and_the_event_says_so(world):
    digest = world.repository.push(an_image(), *(f"v{n}" for n in range(TAGS_LOOKED_AT + 1)))
    event = an_event("scan.completed", digest=digest, attributes={"kept": 1})
    seen = await world.ask(event)
    assert len(seen.tags) == TAGS_LOOKED_AT
    assert seen.attributes == {"kept": 1, "more_tags": True}


async def test_the_registry_is_not_asked_for_all_tags_at_once(world):
    asking = most = 0

    async def digest(tag):
        nonlocal asking, most
        asking += 1
        most = max(most, asking)
        await asyncio.sleep(0.001)
        asking -= 1
        return "sha256:" + "1" * 64

    known = world.repository.push(an_image(), *(f"v{n}" for n in range(50)))
    world.repository.digest = digest
    await world.ask(an_event("scan.completed", digest=known))
    assert most == AT_ONCE


async def test_a_push_by_digest_stays_without_tags(world):
    digest = world.repository.push(an_image(), "v1")
    seen = await world.ask(an_event(digest=digest))
    assert seen.verification.state == "verified"
    assert seen.tags == ()
    assert "tags" not in world.repository.asked


async def test_tags_of_several_digests_have_no_one_digest(world):
    world.repository.push(an_image(), "v1")
    world.repository.push({"mediaType": INDEX, "manifests": []}, "v2")
    seen = await world.ask(an_event(tags=("v1", "v2")))
    assert seen.verification.state == "verified"
    assert seen.digest is None


async def test_a_registry_that_cannot_be_asked_makes_the_activity_fail_and_says_why(world):
    world.repository.why = "registry.test: the credential is refused"
    with pytest.raises(ApplicationError, match="the credential is refused") as caught:
        await world.ask(an_event(tags=("v1",)))
    assert not caught.value.non_retryable


async def test_while_the_store_is_away_the_activity_fails_so_that_temporal_tries_again(world):
    world.store.switch.available = False
    with pytest.raises(ApplicationError) as caught:
        await world.ask(an_event(tags=("v1",)))
    assert caught.value.type == "StoreUnavailableError"
    assert not caught.value.non_retryable


async def test_a_source_that_no_longer_verifies_lets_its_events_go_unchecked(world):
    await world.store.sources.put(Source(name="s", kind="k", auth=NoAuth()))
    event = an_event(tags=("v1",))
    assert (await world.ask(event)).verification is None
    await world.store.sources.delete("s")
    assert (await world.ask(event)).verification is None
    assert world.repository.asked == []
