"""Translates Harbor's webhook policies into policies and targets.

What has no counterpart is said in notes, which hold no secret. Where the list comes from, and
what becomes of the result, is left to the command.
"""

import hashlib
import re
from collections.abc import Container
from dataclasses import dataclass
from urllib.parse import urlsplit

from portcall.addresses import check_url
from portcall.conditions.block import Match
from portcall.importing.harbor_endpoint import Endpoint, credential, endpoint
from portcall.importing.harbor_list import HarborPolicy, HarborTarget, Projects
from portcall.policies import Policy, Target
from portcall.sources.fields import own_type
from portcall.sources.harbor_names import NATIVE_TYPES, PING

_LONGEST_NAME = 50
_FORMATS = {"": "harbor", "default": "harbor", "cloudevents": "cloudevents"}
"""Harbor's payload formats in lower case, and ours; before 2.8 there was none to choose."""


@dataclass(frozen=True)
class Translation:
    """Policies and the targets that they name, and what a person should know."""

    targets: tuple[Target, ...]
    policies: tuple[Policy, ...]
    notes: tuple[str, ...]


def translate(
    projects: Projects,
    *,
    formats: Container[str],
    source: str | None = None,
    managed_by: str | None = None,
) -> Translation:
    """Translate the policies of projects; the same ones give the same names again.

    A policy is named after Harbor's id, which outlives a change of its name.
    """
    translator = _Translator(source, managed_by, formats)
    flat = [(policy, name) for name, policies in projects.items() for policy in policies]
    for policy, project in sorted(flat, key=lambda pair: (pair[0].id, pair[1])):
        translator.add(policy, project)
    return translator.result()


class _Translator:
    """Collects targets, which several policies may share, and notes."""

    def __init__(self, source: str | None, managed_by: str | None, formats: Container[str]) -> None:
        self._source = source
        self._prefix = source or "harbor"
        self._managed_by = managed_by
        self._formats = formats
        self._targets: dict[Endpoint, Target] = {}
        self._policies: dict[str, Policy] = {}
        self._notes: list[str] = []

    def result(self) -> Translation:
        by_name = sorted(self._targets.values(), key=lambda target: target.name)
        return Translation(tuple(by_name), tuple(self._policies.values()), tuple(self._notes))

    def add(self, policy: HarborPolicy, project: str) -> None:
        """Make a policy for each format that the targets of this one want."""
        title = f"{project}: webhook {policy.name or policy.id}"
        types = self._types(policy, title)
        targets = self._targets_by_format(policy, title) if types else {}
        if not types:
            self._notes.append(f"{title}: left out, it names no event type")
        elif not targets:
            self._notes.append(f"{title}: left out, none of its targets can be taken over")
        elif not policy.enabled:
            self._notes.append(f"{title}: switched off in Harbor, and so it is here")
        first = next(iter(targets), None)
        try:
            made = [
                Policy(
                    name=_name(
                        f"{self._prefix}-{project}",
                        f"-{policy.id}" + ("" if form == first else f"-{form}"),
                    ),
                    description=_described(policy, project),
                    enabled=policy.enabled,
                    match=self._match(types, project),
                    targets=names,
                    format=form,
                    managed_by=self._managed_by,
                )
                for form, names in targets.items()
            ]
        except ValueError:
            self._notes.append(f"{title}: left out, it holds more than a policy can")
        else:
            self._policies |= {new.name: new for new in made}  # a page may repeat one

    def _match(self, types: list[str], project: str) -> Match:
        return Match.model_validate(
            {
                "event_types": types,
                "sources": [self._source] if self._source else None,
                "project": {"in": [project]},
                # Harbor also tells of what is pushed by digest.
                "tagged": "any" if "artifact.pushed" in types else None,
            }
        )

    def _types(self, policy: HarborPolicy, title: str) -> list[str]:
        types: dict[str, None] = {}
        for native in policy.event_types:
            known = NATIVE_TYPES.get(native.lower())
            ours = known or own_type("harbor", native)
            if not known:
                self._notes.append(f"{title}: {native} is not known here, {ours} is matched")
            types |= {} if ours == PING else {ours: None}
        return list(types)

    def _targets_by_format(self, policy: HarborPolicy, title: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for target in policy.targets:
            form = _FORMATS.get(target.payload_format.lower(), target.payload_format)
            form = form if target.type == "http" else target.type
            if form not in self._formats:
                self._notes.append(f"{title}: a target is left out, there is no format {form}")
            elif (name := self._target(target, title)) and name not in found.get(form, []):
                found.setdefault(form, []).append(name)
        return found

    def _target(self, target: HarborTarget, title: str) -> str | None:
        """Give the name of our target, None where it cannot be one."""
        where = endpoint(target)
        try:
            known = self._targets.setdefault(where, self._targets.get(where) or self._made(where))
        except ValueError:
            self._notes.append(f"{title}: a target is left out, its address or auth is unusable")
            return None
        return known.name

    def _made(self, where: Endpoint) -> Target:
        host = urlsplit(where.url).hostname or ""
        # The path may be a secret, a hash of it is none; credentials are not even hashed.
        suffix = "-" + hashlib.sha256(where.url.encode()).hexdigest()[:6]
        same = sum(known.url == where.url for known in self._targets)
        made = Target(
            name=_name(f"{self._prefix}-{host}", suffix + (f"-{same + 1}" if same else "")),
            url=where.url,
            auth=credential(where),
            skip_cert_verify=where.skip_cert_verify,
            managed_by=self._managed_by,
        )
        try:
            check_url(made.url)
        except ValueError as error:
            self._notes.append(f"the target {made.name}: {error}")
        return made


def _described(policy: HarborPolicy, project: str) -> str:
    words = ": ".join(filter(None, [policy.name, policy.description]))
    return f"{words[:300]} (webhook {policy.id} of Harbor's project {project[:100]})".strip()


def _name(words: str, suffix: str) -> str:
    """Make a name of ours; the suffix, which makes it unique, stays whole."""
    plain = re.sub(r"[^a-z0-9._-]+", "-", words.lower())
    return plain[: _LONGEST_NAME - len(suffix)].strip("._-") + suffix
