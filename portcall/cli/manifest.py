"""Finds the sources, targets and policies in the YAML files of `portcall apply`.

Whether a spec is right is the API's to say; a fault in here is one that leaves unclear what
the file is about.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portcall.cli.documents import Document, Fault, Place, Steps, read_documents
from portcall.cli.nouns import NOUNS, POLICY, Noun


@dataclass(frozen=True)
class Resource:
    """One source, target or policy of a file, and where each of its fields stands."""

    noun: Noun
    name: str
    spec: Mapping[str, Any]
    places: Mapping[Steps, Place]

    @property
    def title(self) -> str:
        """What people call it: `policy deploy-prod`."""
        return f"{self.noun.singular} {self.name}"

    def place(self, dotted: str = "") -> Place:
        """Give the place of a dotted field, or of what it lacks in where it is absent.

        Parts that the file does not know are passed over: the API may name the variant of a
        union (`auth.bearer.token`).
        """
        steps: Steps = ()
        for part in dotted.split("."):
            step = int(part) if part.isdecimal() else part
            if (*steps, step) in self.places:
                steps = (*steps, step)
        return self.places[steps]


def read_resources(
    texts: Mapping[str, str], environment: Mapping[str, str]
) -> tuple[list[Resource], list[Fault]]:
    """Give the resources of all files in the order of their dependence, and all faults."""
    found: dict[str, Resource] = {}
    faults: list[Fault] = []
    for file, text in texts.items():
        for document in read_documents(file, text, environment):
            for resource in _resources(document):
                first = found.setdefault(resource.title, resource)
                if first is not resource:
                    message = f"{resource.title} stands already at {first.place()}"
                    document.faults.append(Fault(resource.place(), message))
            faults += document.faults
    return sorted(found.values(), key=lambda resource: NOUNS.index(resource.noun)), faults


def _resources(document: Document) -> Iterator[Resource]:
    content = document.content
    if content is None:
        return
    if not isinstance(content, dict):
        document.faults.append(Fault(document.places[()], "a document is a mapping"))
        return
    if "name" in content and "targets" in content:
        yield from _resource(POLICY, document, ())
        return
    for key in content:
        noun = next((noun for noun in NOUNS if key in (noun.singular, noun.plural)), None)
        if noun is None:
            allowed = ", ".join(f"{noun.singular}, {noun.plural}" for noun in NOUNS)
            message = f"{key!r} is not known here; a document holds {allowed}"
            document.faults.append(Fault(document.places[key,], message))
        else:
            yield from _resources_under(key, noun, document)


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
    depth = len(steps)
    places = {p[depth:]: at for p, at in document.places.items() if p[:depth] == tuple(steps)}
    name = spec.get("name") if isinstance(spec, dict) else None
    if isinstance(spec, dict) and isinstance(name, str) and name:
        yield Resource(noun, name, spec, places)
    else:
        lack = "has no name of text" if isinstance(spec, dict) else "is not a mapping"
        document.faults.append(Fault(places[()], f"this {noun.singular} {lack}"))
