"""What `apply --prune` deletes: what carries a label of the files and stands in none of them."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from portcall.cli.client import ApiClient
from portcall.cli.manifest import LABEL, Resource
from portcall.cli.nouns import NOUNS, POLICY, TARGET
from portcall.errors import ConfigurationError, ConflictError

Items = Mapping[str, Mapping[str, Any]]


def superfluous(
    api: ApiClient, resources: Sequence[Resource], labels: set[str]
) -> list[tuple[Resource, str]]:
    """Give what is to be deleted, each with its ETag, in an order that no dependence forbids.

    Raise ConfigurationError where no file names a label, ConflictError where a target would
    still be used by a policy that stays.
    """
    if not labels:
        raise ConfigurationError(
            f"--prune deletes what carries a label of the files, and none has one: "
            f"write `{LABEL}: NAME` into them."
        )
    stored = {noun: _stored(api, noun.plural) for noun in NOUNS}
    declared = {resource.title for resource in resources}
    found = [
        (Resource(noun, name, item), f'"{item["version"]}"')
        for noun in reversed(NOUNS)
        for name, item in stored[noun].items()
        if item.get(LABEL) in labels and f"{noun.singular} {name}" not in declared
    ]
    _check_unused([resource for resource, _ in found], stored[POLICY], resources)
    return found


def _stored(api: ApiClient, plural: str) -> Items:
    items, _ = api.items(plural, sys.maxsize)
    return {item["name"]: item for item in items}


def _check_unused(gone: Sequence[Resource], policies: Items, resources: Sequence[Resource]) -> None:
    targets = [resource.name for resource in gone if resource.noun is TARGET]
    without = {resource.name for resource in gone if resource.noun is POLICY}
    staying = {name: item for name, item in policies.items() if name not in without}
    staying |= {r.name: r.spec for r in resources if r.noun is POLICY}
    used = [
        f"target {name}, which {', '.join(users)} still {'uses' if len(users) == 1 else 'use'}"
        for name in targets
        if (users := list(_users(name, staying)))
    ]
    if used:
        raise ConflictError(f"--prune would delete {'; '.join(used)}. Nothing was changed.")


def _users(target: str, policies: Items) -> Iterator[str]:
    for name, spec in policies.items():
        named = spec.get("targets")
        if isinstance(named, list) and target in named:
            yield f"policy {name}"
