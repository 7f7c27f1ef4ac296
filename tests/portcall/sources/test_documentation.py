from pathlib import Path

import pytest
import yaml

from portcall.mapping import FieldMapping
from portcall.policies import Source
from portcall.sources.custom import Custom
from portcall.sources.harbor_names import NATIVE_TYPES, PING
from portcall.sources.kind import Notification
from portcall.sources.kinds import BUILT_IN
from portcall.sources.quay_names import NATIVE_TYPES as QUAYS
from tests.portcall.sources.notifications import RECEIVED, cases, facts, parse, recorded

PAGE = (Path(__file__).parents[3] / "docs" / "sources.md").read_text()
BLOBS = {"blob.pushed", "blob.pulled", "blob.mounted", "tag.deleted", "repository.deleted"}


@pytest.mark.parametrize("kind", [kind.kind for kind in BUILT_IN])
def test_every_kind_has_its_chapter(kind):
    assert f"(`{kind}`)" in PAGE


@pytest.mark.parametrize(
    "event_type", sorted({*NATIVE_TYPES.values(), *QUAYS.values(), *BLOBS} - {PING})
)
def test_every_event_type_is_in_the_table(event_type):
    assert f"`{event_type}`" in PAGE


@pytest.mark.parametrize("kind", [kind.kind for kind in BUILT_IN])
def test_every_type_that_a_recording_gives_is_named(kind):
    events = (event for case in cases(kind) for event in parse(kind, recorded(kind, case)).events)
    types = {event.type for event in events if not event.type.startswith(f"{kind}.")}
    assert {name for name in types if f"`{name}`" not in PAGE} == set()


def test_the_documented_source_is_one():
    (spec,) = yaml.safe_load(PAGE.split("```yaml")[1].split("```")[0])["sources"]
    assert Source.model_validate(spec).ignore == Source.model_fields["ignore"].default


def test_the_documented_mapping_makes_the_event_that_its_chapter_speaks_of():
    chapter = PAGE.split("(`custom`)")[1]
    body, written = (chapter.split(f"```{what}")[1].split("```")[0] for what in ("json", "yaml"))
    source = Source.model_validate(yaml.safe_load(written)["sources"][0])
    notification = Notification(
        source.name, body.encode(), mapping=source.mapping, received_at=RECEIVED
    )
    (event,) = Custom().parse(notification).events
    expected = {
        "type": "artifact.pushed",
        "native_type": "release",
        "registry": "depot.example",
        "repository": "shop/web",
        "tags": ("1.4.2", "latest"),
        "digest": "sha256:" + "1" * 64,
        "visibility": "private",
        "actor": "ada",
        "attributes": {"team": "shop"},
    }
    assert facts(event, expected) == expected


def test_every_field_of_a_mapping_is_in_the_chapter():
    chapter = PAGE.split("(`custom`)")[1].split("\n## ")[0]
    missed = [name for name in FieldMapping.model_fields if name not in chapter]
    assert missed == []


def test_the_documented_source_of_cloudevents_is_one():
    written = PAGE.split("(`cloudevents`)")[1].split("```yaml")[1].split("```")[0]
    assert Source.model_validate(yaml.safe_load(written)["sources"][0]).mapping is not None
