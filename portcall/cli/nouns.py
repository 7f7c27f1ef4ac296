"""The three kinds of resource that users write, as the commands name them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portcall.cli.client import understood
from portcall.policies import Policy, Source, Target
from portcall.spec import Spec


@dataclass(frozen=True)
class Noun:
    """A kind of resource: its word, its collection in the API, its model."""

    singular: str
    plural: str
    model: type[Spec]

    def spec(self, answer: Mapping[str, Any]) -> Spec:
        """Read the spec in an answer of the API, or in a file."""
        known = {name: answer[name] for name in self.model.model_fields if name in answer}
        return understood(self.model, known)

    def written_out(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Give the spec in an answer of the API, or in a file, with every default written out."""
        return written_out(self.spec(answer))


def written_out(spec: Spec) -> dict[str, Any]:
    """Give a source, target or policy as it is written, secrets masked, with every default.

    What is absent is left out, but not where that says something: `breaker: null` is no default.
    """
    written = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {
        name: written.get(name)
        for name, field in type(spec).model_fields.items()
        if name in written or field.default is not None
    }


SOURCE = Noun("source", "sources", Source)
TARGET = Noun("target", "targets", Target)
POLICY = Noun("policy", "policies", Policy)

NOUNS = (SOURCE, TARGET, POLICY)
"""In an order in which each refers only to those before it."""
