"""What a real registry sends is what the parser expects, on the wire and not only in files."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from portcall.sources.distribution import Distribution
from portcall.sources.kind import Notification
from tests.fixtures.receiver import Receiver
from tests.fixtures.registry import StartRegistry


async def sent(receiver: Receiver, count: int):
    """Give the events of the first notifications, each notification parsed by itself."""
    events = []
    for request in await receiver.wait_for(count):
        assert request.headers["authorization"] == "Bearer s3cret"
        notification = Notification(
            "local", request.body, request.headers, received_at=datetime.now(UTC)
        )
        parsed = Distribution().parse(notification)
        assert not parsed.refusals
        events += parsed.events
    return events


@pytest.fixture
async def registry(start_registry: StartRegistry, receiver: Receiver):
    headers = {"Authorization": "Bearer s3cret"}
    return await start_registry(receiver.url("/notifications/local"), headers)


async def test_a_push_by_tag_is_an_event_with_tag_digest_and_children(registry, receiver):
    digest = await registry.push_image("prod/app", "v1.2.3")
    *blobs, pushed = await sent(receiver, 3)
    assert [event.type for event in blobs] == ["blob.pushed", "blob.pushed"]
    assert (pushed.type, pushed.repository, pushed.project) == (
        "artifact.pushed",
        "prod/app",
        "prod",
    )
    assert (pushed.tags, pushed.digest) == (("v1.2.3",), digest)
    assert pushed.registry == registry.url.removeprefix("http://")
    assert len(pushed.attributes["references"]) == 2


async def test_deleting_tags_and_digests_are_different_events(registry, receiver):
    digest = await registry.push_image("prod/app", "v1")
    await registry.push_image("prod/app", "v2")
    await registry.delete("prod/app", "v1")
    await registry.delete("prod/app", digest)
    events = await sent(receiver, 9)
    assert sorted((event.type, event.tags) for event in events[6:]) == [
        ("artifact.deleted", ()),
        ("tag.deleted", ("v1",)),
        ("tag.deleted", ("v2",)),
    ]


async def test_of_a_push_for_three_platforms_one_event_has_the_tag_and_the_children_have_none(
    registry, receiver
):
    digest = await registry.push_index("prod/multi", "v2", ["amd64", "arm64", "s390x"])
    events = await sent(receiver, 3 * 4 + 1)
    *children, index = [event for event in events if event.type == "artifact.pushed"]
    assert (index.tags, index.digest) == (("v2",), digest)
    assert index.platforms == ("linux/amd64", "linux/arm64", "linux/s390x")
    assert [child.tags for child in children] == [()] * 3
    named = [reference["digest"] for reference in index.attributes["references"]]
    assert [child.digest for child in children] == named
    pulled = [event for event in events if event.type == "artifact.pulled"]
    assert [(event.tags, event.digest) for event in pulled] == [((), digest) for digest in named]


async def test_deleting_an_index_by_digest_deletes_its_tag_and_leaves_the_children(
    registry, receiver
):
    digest = await registry.push_index("prod/multi", "v2", ["amd64", "arm64"])
    await registry.delete("prod/multi", digest)
    events = await sent(receiver, 2 * 4 + 1 + 2)
    assert sorted((event.type, event.tags, event.digest) for event in events[9:]) == [
        ("artifact.deleted", (), digest),
        ("tag.deleted", ("v2",), None),
    ]


async def test_a_mount_names_where_the_blob_came_from_and_a_head_is_a_pull(registry, receiver):
    digest = await registry.push_image("prod/app", "v1", content=b"a layer")
    await registry.mount_blob("test/copy", b"a layer", "prod/app")
    await registry.pull("prod/app", "v1", "HEAD")
    *_, mounted, pulled = await sent(receiver, 5)
    assert (mounted.type, mounted.repository) == ("blob.mounted", "test/copy")
    assert mounted.attributes["from_repository"] == "prod/app"
    assert (pulled.type, pulled.tags, pulled.digest) == ("artifact.pulled", ("v1",), digest)
    assert pulled.attributes["request_method"] == "HEAD"


async def test_the_documented_configuration_sends_pushes_and_spares_layers_and_pulls(
    start_registry, receiver
):
    page = (Path(__file__).parents[2] / "docs" / "sources.md").read_text()
    documented = next(b for b in page.split("```yaml")[1:] if "notifications:" in b.split("\n")[1])
    notifications = yaml.safe_load(documented.split("```")[0])["notifications"]
    notifications["endpoints"][0]["url"] = receiver.url("/notifications/local")
    registry = await start_registry(notifications=notifications)
    await registry.push_image("prod/app", "v1")
    await registry.pull("prod/app", "v1")
    await registry.push_image("prod/app", "v2")
    events = await sent(receiver, 2)
    assert [(event.type, event.tags) for event in events] == [
        ("artifact.pushed", ("v1",)),
        ("artifact.pushed", ("v2",)),
    ]
