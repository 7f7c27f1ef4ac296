"""What `apply` would change; the API validates every resource before any is written."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from portcall.cli.client import ApiClient, path
from portcall.cli.difference import differing, lines
from portcall.cli.documents import Fault
from portcall.cli.manifest import LABEL, Resource
from portcall.cli.prune import superfluous
from portcall.errors import InvalidInputError, PreconditionError


@dataclass(frozen=True)
class Step:
    """One resource and what applying does: `result` is created, updated, unchanged or deleted.

    `details` say which fields change, `warnings` what is not wrong but hardly meant; `etag` is
    the version that was compared with.
    """

    resource: Resource
    result: str
    details: tuple[str, ...] = ()
    etag: str | None = None
    warnings: tuple[str, ...] = ()

    def write(self, api: ApiClient) -> Sequence[str]:
        """Write or delete the resource, unless somebody else did so in the meantime.

        Give the warnings that there were not before.
        """
        address = _address(self.resource)
        held = {"If-Match": self.etag} if self.etag else {"If-None-Match": "*"}
        try:
            if self.result == "deleted":
                api.call("DELETE", address, headers=held)
                return ()
            answer = api.json("PUT", address, json=self.resource.spec, headers=held)
            return [text for text in answer.get("warnings", ()) if text not in self.warnings]
        except PreconditionError:
            raise PreconditionError(
                f"{self.resource.title} was changed in the meantime: apply again."
            ) from None


@dataclass(frozen=True)
class Answer:
    """What the API's dry run says; `changed` is None where it cannot say yet."""

    changed: Sequence[str] | None = None
    warnings: tuple[str, ...] = ()


def make_plan(
    api: ApiClient, resources: Sequence[Resource], pruned_labels: set[str] | None = None
) -> tuple[list[Step], list[Fault]]:
    """Give a step per resource, and everything that the API finds wrong with any of them.

    With `pruned_labels`, whatever else carries one of these labels is deleted.
    """
    declared = {(resource.noun.plural, resource.name) for resource in resources}
    steps: list[Step] = []
    faults: list[Fault] = []
    for resource in resources:
        answer, wrong = _dry_run(api, resource, declared)
        faults += wrong
        if not wrong:
            steps.append(_step(api, resource, answer))
    if pruned_labels is not None and not faults:
        pruned = superfluous(api, resources, pruned_labels)
        steps += [Step(resource, "deleted", etag=etag) for resource, etag in pruned]
    return steps, faults


def _address(resource: Resource) -> str:
    return path(resource.noun.plural, resource.name)


def _dry_run(
    api: ApiClient, resource: Resource, declared: Container[tuple[str, Any]]
) -> tuple[Answer, list[Fault]]:
    """Give what the API says, and the faults.

    What a policy refers to may be declared by the same files: that it is unknown is no fault.
    """
    try:
        answer = api.json("PUT", _address(resource), params={"dry_run": True}, json=resource.spec)
    except InvalidInputError as error:
        wrong = error.problem["errors"] or [{"field": "", "message": error.message}]
    else:
        told = [*_empty_conditions(resource), *answer.get("warnings", ())]
        warnings = [text for text in told if not _is_coming(resource, field_of(text), declared)]
        return Answer(answer["changed"], tuple(warnings)), []
    return Answer(), [
        Fault(resource.place(e["field"]), ": ".join(filter(None, (resource.title, *e.values()))))
        for e in wrong
        if not _is_coming(resource, e["field"], declared)
    ]


def _empty_conditions(resource: Resource) -> Iterator[str]:
    """Name the conditions that the file leaves empty, which wants nothing of an event."""
    match = resource.value("match")
    for field, condition in match.items() if isinstance(match, dict) else ():
        if condition is None:
            yield f"match.{field}: is empty, and so holds for every event"


def field_of(warning: str) -> str:
    """Give the field that a warning begins with."""
    return warning.partition(":")[0]


def _is_coming(resource: Resource, field: str, declared: Container[tuple[str, Any]]) -> bool:
    """Whether a field such as `targets.0` or `match.sources.1` names what the files declare."""
    value = resource.value(field)
    return isinstance(value, str) and (field.split(".")[-2:][0], value) in declared


def _step(api: ApiClient, resource: Resource, answer: Answer) -> Step:
    stored = api.find(_address(resource))
    if stored is None:
        return Step(resource, "created", warnings=answer.warnings)
    before = resource.noun.written_out(stored.json())
    after = resource.noun.written_out(resource.spec)
    changed = differing(before, after) if answer.changed is None else answer.changed
    warnings = answer.warnings
    owner = before.get(LABEL)
    if owner and owner != after.get(LABEL):
        warnings = (f"it is managed by {owner} so far", *warnings)
    return Step(
        resource,
        "updated" if changed else "unchanged",
        lines(before, after, changed, resource.is_filled),
        stored.headers.get("ETag"),
        warnings,
    )
