"""Finds the sources, targets and policies in the YAML files of `portcall apply`.

Whether a spec is right is the API's to say; a fault in here is one that leaves unclear what
the file is about.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from portcall.cli.documents import Document, Fault, Place, Steps, read_documents
from portcall.cli.nouns import NOUNS, POLICY, Noun

LABEL = "managed_by"
"""What a resource, or a document for all of its resources, says about who owns it."""


@dataclass(frozen=True)
class Resource:
    """One source, target or policy of a file, and where each of its fields stands.

    `filled` are the fields that hold something of the environment's, which may be a secret.
    """

    noun: Noun
    name: str
    spec: Mapping[str, Any]
    places: Mapping[Steps, Place] = field(default_factory=lambda: {(): Place("")})
    filled: frozenset[Steps] = frozenset()

    @property
    def title(self) -> str:
        """What people call it: `policy deploy-prod`."""
        return f"{self.noun.singular} {self.name}"

    def place(self, dotted: str = "") -> Place:
        """Give the place of a dotted field, or of what it lacks in where it is absent."""
        return self.places[self._steps(dotted)]

    def value(self, dotted: str) -> Any:
        """Give what stands at a dotted field, None where there is no such."""
        found: Any = self.spec
        for part in dotted.split("."):
            if isinstance(found, list) and part.isdecimal():
                found = dict(enumerate(found)).get(int(part))
            else:
                found = found.get(part) if isinstance(found, Mapping) else None
        return found

    def is_filled(self, dotted: str) -> bool:
        """Whether a dotted field, or anything in it, came from the environment."""
        steps = self._steps(dotted)
        return any(filled[: len(steps)] == steps for filled in self.filled) if steps else False

    def _steps(self, dotted: str) -> Steps:
        """Find the way to a field as far as the file has it.

        Parts that the file does not know are passed over: the API may name the variant of a
        union (`auth.bearer.token`).
        """
        steps: Steps = ()
        for part in dotted.split("."):
            step = int(part) if part.isdecimal() else part
            if (*steps, step) in self.places:
                steps = (*steps, step)
        return steps


@dataclass
class Manifest:
    """What all files declare together: resources in the order of their dependence.

    `labels` are all that `managed_by` says anywhere.
    """

    resources: list[Resource] = field(default_factory=list)
    labels: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)


def read_manifest(texts: Mapping[str, str], environment: Mapping[str, str]) -> Manifest:
    """Read all files; what is wrong with them is told by place."""
    found: dict[str, Resource] = {}
    manifest = Manifest()
    for file, text in texts.items():
        for document in read_documents(file, text, environment):
            for resource in _resources(document, manifest.labels):
                first = found.setdefault(resource.title, resource)
                if first is not resource:
                    message = f"{resource.title} stands already at {first.place()}"
                    document.faults.append(Fault(resource.place(), message))
            manifest.faults += document.faults
    manifest.resources = sorted(found.values(), key=lambda found: NOUNS.index(found.noun))
    return manifest


def _resources(document: Document, labels: set[str]) -> Iterator[Resource]:
    content = document.content
    if content is None:
        return
    if not isinstance(content, dict):
        document.faults.append(Fault(document.places[()], "a document is a mapping"))
        return
    if "name" in content and "targets" in content:
        found = _resource(POLICY, document, ())
    else:
        found = _resources_under_keys(document)
    label = _label(document)
    for resource in found:
        labelled = _labelled(resource, label, document)
        labels.update(filter(None, [label, _text(labelled.spec.get(LABEL))]))
        yield labelled
    labels.update(filter(None, [label]))


def _resources_under_keys(document: Document) -> Iterator[Resource]:
    for key in document.content:
        noun = next((noun for noun in NOUNS if key in (noun.singular, noun.plural)), None)
        if noun:
            yield from _resources_under(key, noun, document)
        elif key != LABEL:
            allowed = ", ".join(f"{noun.singular}, {noun.plural}" for noun in NOUNS)
            message = f"{key!r} is not known here; a document holds {allowed}, {LABEL}"
            document.faults.append(Fault(document.places[key,], message))


def _resources_under(key: str, noun: Noun, document: Document) -> Iterator[Resource]:
    value = document.content[key]
    if key == noun.singular:
        yield from _resource(noun, document, (key,))
    elif isinstance(value, list):
        for index in range(len(value)):
            yield from _resource(noun, document, (key, index))
    else:
        document.faults.append(Fault(document.places[key,], f"{key} is not a list"))


def _resource(noun: Noun, document: Document, steps: Sequence[str | int]) -> Iterator[Resource]:
    spec = document.content
    for step in steps:
        spec = spec[step]
    depth, way = len(steps), tuple(steps)
    places = {p[depth:]: at for p, at in document.places.items() if p[:depth] == way}
    name = spec.get("name") if isinstance(spec, dict) else None
    if isinstance(spec, dict) and isinstance(name, str) and name:
        filled = frozenset(p[depth:] for p in document.filled if p[:depth] == way)
        yield Resource(noun, name, spec, places, filled)
    else:
        named = isinstance(spec, dict) and spec.get("name") not in (None, "")
        unnamed = "has a name that is no text: put it in quotes" if named else "has no name"
        lack = unnamed if isinstance(spec, dict) else "is not a mapping"
        document.faults.append(Fault(places[()], f"this {noun.singular} {lack}"))


def _label(document: Document) -> str | None:
    """Give the label that a document puts on all of its resources."""
    label = document.content.get(LABEL)
    if label is not None and not _text(label):
        document.faults.append(Fault(document.places[LABEL,], f"{LABEL} is not text"))
    return _text(label)


def _labelled(resource: Resource, label: str | None, document: Document) -> Resource:
    own = resource.spec.get(LABEL)
    if label is None or own == label:
        return resource
    if own is not None:
        message = f"{LABEL} is {own!r} here and {label!r} for the whole document"
        document.faults.append(Fault(resource.place(LABEL), message))
    places = {**resource.places, (LABEL,): document.places[LABEL,]}
    spec = {**resource.spec, LABEL: label}
    return Resource(resource.noun, resource.name, spec, places, resource.filled)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
