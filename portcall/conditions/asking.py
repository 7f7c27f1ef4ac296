"""One condition of a block, where it looks in an event, and how both are shown."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, Protocol

from portcall.events import RegistryEvent

VALUES_SHOWN = 20


class Condition(Protocol):
    """Whether one of an event's values in some place is as wanted; its text says what is."""

    @property
    def cost(self) -> int:
        """How dear it is to ask, in no unit: the dear ones are asked last."""
        ...

    def holds(self, values: Sequence[Any]) -> bool:
        """Whether the values satisfy the condition."""
        ...


class OneOf:
    """A condition made of names, in which `*` stands for any characters."""

    cost = 0

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)

    def holds(self, values: Sequence[str]) -> bool:
        """Whether one of the values has one of the names."""
        return any(fnmatchcase(value, name) for value in values for name in self.names)

    def __str__(self) -> str:
        return ", ".join(self.names)


class Failure(NamedTuple):
    """A condition that does not hold: its dotted name, what was wanted, what was seen."""

    path: str
    wanted: str
    seen: str


@dataclass(frozen=True)
class Asked:
    """A condition under its dotted name, `scan.severity`, and the event's values in its place."""

    path: str
    condition: Condition
    values: Callable[[RegistryEvent], Sequence[Any]]

    def failure(self, event: RegistryEvent) -> Failure | None:
        """Give None where the event satisfies the condition."""
        values = self.values(event)
        if self.condition.holds(values):
            return None
        return Failure(self.path, str(self.condition), shown(values))


def shown(values: Sequence[Any]) -> str:
    """Show values, the first of them."""
    more = ", …" if len(values) > VALUES_SHOWN else ""
    return ", ".join(map(str, values[:VALUES_SHOWN])) + more
