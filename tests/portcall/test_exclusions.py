import pytest
from pydantic import ValidationError

from portcall.policies import Policy


def policy(match, *exclude):
    given = {"name": "p", "targets": ["t"], "match": match, "exclude": list(exclude)}
    return Policy.model_validate(given)


def fault_of(match, *exclude):
    with pytest.raises(ValidationError) as caught:
        policy(match, *exclude)
    [fault] = caught.value.errors()
    return ".".join(map(str, fault["loc"])), fault["msg"]


def test_one_block_need_not_stand_in_a_list():
    block = {"actor": "robot"}
    written = Policy.model_validate({"name": "p", "targets": ["t"], "exclude": block})
    assert written == policy({}, block)


def test_a_block_without_conditions_is_refused():
    told = "exclude.1", "has no condition, so that it would exclude every event"
    assert fault_of({}, {"actor": "robot"}, {}) == told
    assert fault_of({}, {"actor": "robot"}, {"scan": {}}) == told


@pytest.mark.parametrize(
    ("match", "block"),
    [
        ({"repository": {"glob": "prod/**"}}, {"repository": {"glob": "prod/**"}}),
        ({"repository": {"glob": "prod/**"}, "tag": "v1"}, {"repository": {"glob": "prod/**"}}),
        ({"repository": ["prod/a", "prod/b"]}, {"repository": {"glob": "prod/*"}}),
        ({"repository": "a"}, {"repository": ["a", "b"]}),
        ({"event_types": ["scan.failed"]}, {"event_types": ["scan.*"]}),
        ({"sources": ["a"]}, {"sources": ["b", "a"]}),
        ({"size": {"gt": 5}}, {"size": {"gt": 5}}),
        (
            {"scan": {"severity": {"at_least": "high"}, "total": {"gt": 1}}},
            {"scan": {"total": {"gt": 1}}},
        ),
        ({"attributes": {"a": "1"}}, {"attributes": {"a": "1"}}),
        ({"tag": {"not": {"in": ["a"]}}}, {"tag": {"not": {"in": ["a"]}}}),
    ],
)
def test_a_block_that_covers_all_that_is_wanted_is_refused(match, block):
    assert fault_of(match, block) == ("exclude.0", "excludes every event that match wants")


@pytest.mark.parametrize(
    ("match", "block"),
    [
        ({}, {"repository": {"glob": "prod/**"}}),
        ({"repository": ["prod/a", "dev/b"]}, {"repository": {"glob": "prod/*"}}),
        ({"repository": {"glob": "prod/*"}}, {"repository": {"in": ["prod/a"]}}),
        ({"repository": "a"}, {"repository": "a", "actor": "robot"}),
        ({"event_types": ["scan.*"]}, {"event_types": ["scan.failed"]}),
        ({"tag": {"in": ["a"]}}, {"tag": {"not": {"in": ["b"]}}}),  # an event may have a and b
        ({"size": {"gt": 5}}, {"size": {"gt": 6}}),
    ],
)
def test_a_block_that_leaves_something_is_taken(match, block):
    assert policy(match, block)
