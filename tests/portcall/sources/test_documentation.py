from pathlib import Path

import pytest
import yaml

from portcall.policies import Source
from portcall.sources.harbor_names import NATIVE_TYPES, PING
from portcall.sources.kinds import BUILT_IN
from portcall.sources.quay_names import NATIVE_TYPES as QUAYS
from tests.portcall.sources.notifications import cases, parse, recorded

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
