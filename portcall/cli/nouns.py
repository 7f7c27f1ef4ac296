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
        """Give the spec in an answer of the API, or in a file, with every default written out.

        Secrets come out masked, what is absent is left out.
        """
        return self.spec(answer).model_dump(mode="json", exclude_none=True)


SOURCE = Noun("source", "sources", Source)
TARGET = Noun("target", "targets", Target)
POLICY = Noun("policy", "policies", Policy)

NOUNS = (SOURCE, TARGET, POLICY)
"""In an order in which each refers only to those before it."""
