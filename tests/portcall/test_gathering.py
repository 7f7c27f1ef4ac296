import pytest
from pydantic import ValidationError

from portcall.policies import Policy
from portcall.spec import faults

POLICY = {"name": "p", "targets": ["ci"], "format": "slack"}


@pytest.mark.parametrize("by", [["repository"], ["repository", "event_type"]])
def test_groups_of_one_repository_can_be_ordered(by: list[str]) -> None:
    policy = Policy.model_validate({**POLICY, "ordered": True, "group": {"by": by}})
    assert policy.ordered


@pytest.mark.parametrize("by", [[], ["source"], ["event_type", "actor"]])
def test_groups_of_many_repositories_cannot_be_ordered(by: list[str]) -> None:
    with pytest.raises(ValidationError) as refused:
        Policy.model_validate({**POLICY, "ordered": True, "group": {"by": by}})
    assert faults(refused.value) == (
        "group.by: needs repository: with ordered, order is kept for each"
    )
    assert Policy.model_validate({**POLICY, "group": {"by": by}}).group


@pytest.mark.parametrize(
    "group",
    [{"window": "10ms"}, {"window": "2d"}, {"max": 1}, {"max": 101}, {"by": ["tag"]}, {"bye": []}],
)
def test_a_group_has_bounds(group: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Policy.model_validate({**POLICY, "group": group})


def test_an_empty_group_has_what_serves_most() -> None:
    policy = Policy.model_validate({**POLICY, "group": {}})
    assert policy.model_dump(mode="json")["group"] == {
        "by": ["repository"],
        "window": "30s",
        "max": 50,
    }
