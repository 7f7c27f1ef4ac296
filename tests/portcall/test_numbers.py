import pytest
from pydantic import TypeAdapter, ValidationError

from portcall.conditions.numbers import (
    CountCondition,
    NumberCondition,
    SeverityCondition,
    SizeCondition,
)


def fault_of(model, given):
    with pytest.raises(ValidationError) as caught:
        model.model_validate(given)
    (error,) = caught.value.errors()
    return error["msg"].removeprefix("Value error, ")


@pytest.mark.parametrize(
    ("given", "holding", "failing"),
    [
        ({"gt": 5}, 6, 5),
        ({"gte": 5}, 5, 4.9),
        ({"lt": 5}, 4.9, 5),
        ({"lte": 5}, 5, 6),
        ({"eq": 5}, 5, 6),
        ({"gt": 5, "lt": 6}, 5.5, 6),
        ({"gte": 90.5, "lte": 100}, 90.5, 90),
    ],
)
def test_all_comparisons_must_hold(given, holding, failing):
    condition = NumberCondition.model_validate(given)
    assert condition.holds([holding])
    assert not condition.holds([failing])
    assert condition.holds([failing, holding])
    assert not condition.holds([])


@pytest.mark.parametrize(
    ("given", "bytes_"),
    [("10MiB", 10 * 2**20), ("1.5GB", 1_500_000_000), (7, 7), ("7", 7), ("1 kB", 1000)],
)
def test_a_size_may_be_written_with_its_unit(given, bytes_):
    assert SizeCondition.model_validate({"gte": given}).model_dump(mode="json") == {"gte": bytes_}


@pytest.mark.parametrize(
    ("model", "given", "message"),
    [
        (NumberCondition, {"gt": 5, "lt": 5}, "no such number is > 5 and < 5"),
        (NumberCondition, {"gte": 5, "lt": 5}, "no such number is >= 5 and < 5"),
        (NumberCondition, {"gt": 6, "lte": 5}, "no such number is > 6 and <= 5"),
        (NumberCondition, {"eq": 4, "gt": 4}, "no such number is > 4 and = 4"),
        (CountCondition, {"gt": 5, "lt": 6}, "no such number is > 5 and < 6"),
        (CountCondition, {"lt": 0}, "no such number is < 0"),
        (
            SizeCondition,
            {"gt": "10MiB", "lt": "5MiB"},
            "no such number is > 10485760 and < 5242880",
        ),
        (NumberCondition, {}, "give one or more of: gt, gte, lt, lte, eq"),
        (NumberCondition, 5, "say how to compare: one or more of gt, gte, lt, lte, or eq"),
        (SizeCondition, "5MB", "say how to compare: one or more of gt, gte, lt, lte, or eq"),
        *(
            (NumberCondition, {"gt": given}, "write a number, without quotes")
            for given in ("5", True, 10**400, float("inf"), float("nan"), [])
        ),
        (CountCondition, {"gt": -1}, "Input should be greater than or equal to 0"),
        (
            SizeCondition,
            {"gt": "9" * 400},
            "write a number of bytes, or for example 10MiB or 1.5GB",
        ),
        (SizeCondition, {"gt": True}, "write a number of bytes, or for example 10MiB or 1.5GB"),
        *(
            (SizeCondition, {"gt": given}, "write a number of bytes, or for example 10MiB or 1.5GB")
            for given in ("5 apples", "10,5MB", "1.5.5GB", "10 MB or so", "1Gi", "-5MB", "")
        ),
        (NumberCondition, {"gt": 5, "lte_": 6}, "unknown field, did you mean lte?"),
    ],
)
def test_what_compares_nothing_is_refused(model, given, message):
    assert fault_of(model, given) == message


@pytest.mark.parametrize("given", [{"gte": 5, "lte": 5}, {"eq": 0}, {"gt": 4, "lt": 6}])
def test_a_range_of_one_number_is_taken(given):
    assert CountCondition.model_validate(given).model_dump() == given


@pytest.mark.parametrize(
    ("wanted", "word", "holds"),
    [
        ({"at_least": "high"}, "High", True),
        ({"at_least": "HIGH"}, "critical", True),
        ({"at_least": "high"}, "Important", True),
        ({"at_least": "high"}, "Medium", False),
        ({"at_least": "high"}, "Unknown", False),
        ({"at_least": "none"}, "Unknown", False),
        ({"at_least": "none"}, "UNDEFINED", False),
        ({"at_least": "none"}, "what else", False),
        ({"at_least": "negligible"}, "INFORMATIONAL", True),
        ({"at_least": "moderate"}, "MEDIUM", True),
        ({"at_least": "critical"}, "Defcon1", True),
        ({"in": ["Unknown", "none"]}, "UNDEFINED", True),
        ({"in": ["high"]}, "critical", False),
    ],
)
def test_a_severity_is_known_by_every_registrys_words(wanted, word, holds):
    assert SeverityCondition.model_validate(wanted).holds([word]) is holds
    assert not SeverityCondition.model_validate(wanted).holds([])


KNOWN = "none, negligible, low, medium, high, critical"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("high", "say how to compare: {at_least: high} or {in: [high, critical]}"),
        (["high"], "say how to compare: {at_least: high} or {in: [high, critical]}"),
        ({}, "give exactly one of: at_least, in"),
        ({"at_least": "low", "in": ["low"]}, "give exactly one of: at_least, in"),
        ({"at_least": "hgih"}, f"did you mean high? one of: {KNOWN}, unknown"),
        ({"in": ["xxx"]}, f"one of: {KNOWN}, unknown"),
        (
            {"at_least": "unknown"},
            f"unknown is not more or less than another; one of: {KNOWN}",
        ),
    ],
)
def test_a_severity_that_nobody_knows_is_refused(given, message):
    assert fault_of(SeverityCondition, given) == message


@pytest.mark.parametrize(
    ("model", "given", "text"),
    [
        (NumberCondition, {"lt": 6, "gt": 5}, "> 5 and < 6"),
        (SeverityCondition, {"at_least": "High"}, "at least high"),
        (SeverityCondition, {"in": ["High", "low"]}, "in: high, low"),
    ],
)
def test_a_condition_describes_itself_and_comes_back_as_it_was_written(model, given, text):
    condition = model.model_validate(given)
    assert str(condition) == text
    adapter = TypeAdapter(model)
    assert adapter.validate_json(adapter.dump_json(condition)) == condition
