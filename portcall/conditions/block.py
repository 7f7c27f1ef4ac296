"""A block of conditions on an event: what a policy matches, and what it excludes.

`TEXT_FIELDS` says where each textual condition looks; the index and the explanation read
the same table.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from portcall.conditions.asking import Asked, Failure, OneOf, shown
from portcall.conditions.details import (
    PARTS,
    Key,
    QuotaConditions,
    ReplicationConditions,
    RetentionConditions,
    ScanConditions,
    attribute_values,
    count_values,
    part_values,
)
from portcall.conditions.expression import Expression, IsTrue, outcome
from portcall.conditions.numbers import SizeCondition
from portcall.conditions.text import TextCondition
from portcall.event_types import PUSHES
from portcall.events import RegistryEvent
from portcall.spec import EventTypePattern, Name, Spec, fault

Values = tuple[str, ...]


def _one(value: str | None) -> Values:
    return (value,) if value else ()


TEXT_FIELDS: Mapping[str, Callable[[RegistryEvent], Values]] = {
    "project": lambda event: _one(event.project),
    "repository": lambda event: _one(event.repository),
    "tag": lambda event: event.tags,
    "kind": lambda event: _one(event.kind),
    "native_type": lambda event: _one(event.native_type),
    "digest": lambda event: _one(event.digest),
    "registry": lambda event: _one(event.registry),
    "media_type": lambda event: _one(event.media_type),
    "artifact_type": lambda event: _one(event.artifact_type),
    "platform": lambda event: event.platforms,
    "actor": lambda event: _one(event.actor),
    "visibility": lambda event: _one(event.visibility),
}
"""Each field of `Conditions` that is a condition on text, and its values in an event."""

_LOOKS: Mapping[str, Callable[[RegistryEvent], Any]] = {
    **TEXT_FIELDS,
    "size": lambda event: () if event.size is None else (event.size,),
    **{
        f"{part}.{field}": partial(part_values, part, field)
        for part, model in PARTS.items()
        for field in model.model_fields
    },
}
_KEYED = {"attributes": attribute_values, "scan.counts": count_values}
_FIRST = ("event_types", "sources", "project")


class Conditions(Spec):
    """All conditions given must hold; one that is absent holds for every event."""

    event_types: Annotated[list[EventTypePattern], Field(min_length=1, max_length=100)] | None = (
        None
    )
    sources: Annotated[list[Name], Field(min_length=1, max_length=100)] | None = None
    project: TextCondition | None = None
    repository: TextCondition | None = None
    tag: TextCondition | None = None
    kind: TextCondition | None = None
    native_type: TextCondition | None = None
    digest: TextCondition | None = None
    registry: TextCondition | None = None
    media_type: TextCondition | None = None
    artifact_type: TextCondition | None = None
    platform: TextCondition | None = None
    actor: TextCondition | None = None
    visibility: TextCondition | None = None
    size: SizeCondition | None = None
    scan: ScanConditions | None = None
    replication: ReplicationConditions | None = None
    quota: QuotaConditions | None = None
    retention: RetentionConditions | None = None
    attributes: Annotated[dict[Key, TextCondition], Field(max_length=50)] | None = None

    @cached_property
    def asked(self) -> tuple[Asked, ...]:
        """All conditions: on type, source and project first, then the cheap before the dear."""
        given = [*self._named(), *_given("", self)]
        return tuple(sorted(given, key=lambda a: -1 if a.path in _FIRST else a.condition.cost))

    def _named(self) -> Iterator[Asked]:
        if self.event_types is not None:
            yield Asked("event_types", OneOf(self.event_types), lambda event: (event.type,))
        if self.sources is not None:
            yield Asked("sources", OneOf(self.sources), lambda event: (event.source,))

    def failure(self, event: RegistryEvent) -> Failure | None:
        """Give the first condition that does not hold; None where all do."""
        failures = (asked.failure(event) for asked in self.asked)
        return next(filter(None, failures), None)

    def seen(self, event: RegistryEvent) -> str:
        """Show what the event has in every place that is looked at."""
        return "; ".join(f"{a.path}: {shown(a.values(event))}" for a in self.asked)

    def __str__(self) -> str:
        """Describe the block: `actor glob: robot$*; project in: cache`."""
        return "; ".join(f"{asked.path} {asked.condition}" for asked in self.asked)


def _given(prefix: str, part: Spec) -> Iterator[Asked]:
    for name, given in part:
        path = prefix + name
        if given is None:
            continue
        if path in PARTS:
            yield from _given(f"{path}.", given)
        elif path in _KEYED:
            for key, condition in given.items():
                yield Asked(f"{path}.{key}", condition, partial(_KEYED[path], key))
        elif path in _LOOKS:
            yield Asked(path, given, _LOOKS[path])


def _is_tagged(value: Any) -> Any:
    if value not in (True, False, "true", "false", "any", None):
        raise ValueError("one of: true, false, any")
    return value


Tagged = Annotated[bool | Literal["any"], BeforeValidator(_is_tagged)]
Verification = Literal["verified", "unverified", "unchecked"]


class Match(Conditions):
    """What a policy wants.

    `tagged` is by default true for pushes, so that the images of an index and untagged pushes
    stay quiet, and of no matter for other types; `any` is of no matter for pushes either.
    `verification` is what may have come of asking the registry about the event's claim.
    `expression` is CEL, for what the others cannot say.
    """

    tagged: Tagged | None = None
    verification: Annotated[list[Verification], Field(min_length=1)] = ["verified", "unchecked"]
    expression: Expression | None = None

    @model_validator(mode="after")
    def _untagged_or_with_a_tag(self) -> Self:
        if self.tagged is False and self.tag is not None and not self.tag.holds(()):
            raise fault(
                ["tagged"], f"no event is without a tag and has one that fits tag {self.tag}"
            )
        return self

    def _named(self) -> Iterator[Asked]:
        yield from super()._named()
        yield Asked("verification", OneOf(self.verification), _verification)
        if self.tagged != "any":
            look = _tagged_if_pushed if self.tagged is None else _tagged
            yield Asked("tagged", OneOf(["false" if self.tagged is False else "true"]), look)
        if self.expression is not None:
            yield Asked("expression", IsTrue(self.expression), partial(outcome, self.expression))


def _verification(event: RegistryEvent) -> Values:
    return (event.verification.state if event.verification else "unchecked",)


def _tagged(event: RegistryEvent) -> Values:
    return ("true" if event.tags else "false",)


def _tagged_if_pushed(event: RegistryEvent) -> Values:
    return _tagged(event) if event.type in PUSHES else ("true",)
