"""What `apply` would change; the API validates every resource before any is written.

A plan never shows a secret: one that changes reads «changed».
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portcall.cli.client import ApiClient, path
from portcall.cli.documents import Fault
from portcall.cli.manifest import Resource
from portcall.cli.nouns import TARGET
from portcall.errors import InvalidInputError, PreconditionError
from portcall.secrets import MASK


@dataclass(frozen=True)
class Step:
    """One resource and what applying it does: `result` is created, updated or unchanged.

    `details` say which fields change; `etag` is the version that was compared with.
    """

    resource: Resource
    result: str
    details: tuple[str, ...] = ()
    etag: str | None = None

    def write(self, api: ApiClient) -> None:
        """Write the resource, unless somebody else did so in the meantime."""
        held = {"If-Match": self.etag} if self.etag else {"If-None-Match": "*"}
        try:
            api.call("PUT", _address(self.resource), json=self.resource.spec, headers=held)
        except PreconditionError:
            raise PreconditionError(
                f"{self.resource.title} was changed in the meantime: apply again."
            ) from None


def make_plan(api: ApiClient, resources: Sequence[Resource]) -> tuple[list[Step], list[Fault]]:
    """Give a step per resource, and everything that the API finds wrong with any of them."""
    declared = {resource.name for resource in resources if resource.noun is TARGET}
    steps: list[Step] = []
    faults: list[Fault] = []
    for resource in resources:
        changed, wrong = _dry_run(api, resource, declared)
        faults += wrong
        if not wrong:
            steps.append(_step(api, resource, changed))
    return steps, faults


def _address(resource: Resource) -> str:
    return path(resource.noun.plural, resource.name)


def _dry_run(
    api: ApiClient, resource: Resource, declared: set[str]
) -> tuple[list[str] | None, list[Fault]]:
    """Give the fields that would change, None where the API cannot say yet, and the faults.

    A policy may refer to a target that the same files declare: that it is unknown is no fault.
    """
    try:
        answer = api.json("PUT", _address(resource), params={"dry_run": True}, json=resource.spec)
    except InvalidInputError as error:
        wrong = error.problem["errors"] or [{"field": "", "message": error.message}]
    else:
        return answer["changed"], []
    coming = {f"targets.{i}" for i, n in enumerate(_targets(resource)) if n in declared}
    return None, [
        Fault(resource.place(e["field"]), ": ".join(filter(None, (resource.title, *e.values()))))
        for e in wrong
        if e["field"] not in coming
    ]


def _targets(resource: Resource) -> Sequence[Any]:
    named = resource.spec.get("targets")
    return named if isinstance(named, list) else ()


def _step(api: ApiClient, resource: Resource, changed: Sequence[str] | None) -> Step:
    stored = api.find(_address(resource))
    if stored is None:
        return Step(resource, "created")
    before = dict(_leaves(resource.noun.written_out(stored.json())))
    after = dict(_leaves(resource.noun.written_out(resource.spec)))
    if changed is None:
        every = sorted(before.keys() | after.keys())
        changed = [name for name in every if before.get(name) != after.get(name)]
    details = tuple(f"{name}: {_change(before.get(name), after.get(name))}" for name in changed)
    return Step(
        resource, "updated" if details else "unchanged", details, stored.headers.get("ETag")
    )


def _change(old: Any, new: Any) -> str:
    shown = [json.dumps(value, ensure_ascii=False) for value in (old, new)]
    return "«changed»" if any(MASK in text for text in shown) else " -> ".join(shown)


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _leaves(part, f"{name}.{key}" if name else str(key))
    elif value is not None:
        yield name, value
