from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.match_policies import MatchInput, MatchPolicies
from portcall.events import RawOriginal, RegistryEvent
from portcall.formats.format import Message
from portcall.policies import Policy, Target
from tests.fakes import FakeStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVENT = RegistryEvent(
    id="1",
    source="s",
    kind="harbor",
    type="artifact.pushed",
    tags=("v1",),
    occurred_at=NOW,
    received_at=NOW,
    raw=RawOriginal.of(b"{}"),
)


@dataclass(frozen=True)
class Plain:
    name: str
    needs_raw: bool

    def render(self, event):
        return Message("text/plain", event.id.encode())


FORMATS = {"default": Plain("default", needs_raw=False), "raw": Plain("raw", needs_raw=True)}


async def test_the_activity_matches_against_the_stored_policies():
    store = FakeStore()
    await store.targets.put(Target(name="t", url="https://t.example"))
    await store.policies.put(Policy(name="all", targets=["t"], format="raw"))
    await store.policies.put(Policy(name="near", targets=["t"], match={"tag": {"in": ["x"]}}))
    await store.policies.put(Policy(name="far", targets=["t"], match={"sources": ["x"]}))
    activity = MatchPolicies(store, FORMATS)

    result = await ActivityEnvironment().run(activity.match_policies, MatchInput(event=EVENT))

    [match] = result.matches
    assert (match.policy, match.target, match.format, match.needs_raw) == ("all", "t", "raw", True)
    [miss] = result.misses
    assert (miss.policy, miss.condition, miss.seen) == ("near", "tag", "v1")
    assert result.ruled_out == {"sources": 1}


async def test_while_the_store_is_away_the_activity_fails_so_that_temporal_tries_again():
    store = FakeStore()
    store.switch.available = False
    activity = MatchPolicies(store, FORMATS)

    with pytest.raises(ApplicationError) as caught:
        await ActivityEnvironment().run(activity.match_policies, MatchInput(event=EVENT))

    assert caught.value.type == "StoreUnavailable"
    assert not caught.value.non_retryable


def test_the_raw_original_does_not_travel_to_the_activity():
    assert MatchInput(event=EVENT).event.raw is None
