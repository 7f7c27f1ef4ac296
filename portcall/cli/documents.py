"""Reads YAML documents into plain values and remembers where each of them stands.

`${NAME}` in a string is the environment's, `$${` stands for `${`. What a document means is
`manifest.py`'s to say.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml
from yaml.constructor import ConstructorError

Steps = tuple[str | int, ...]
"""The way from a document's root to a value: keys and list indices."""

_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null")}
_VARIABLE = re.compile(r"(\$?)\$\{([^}]*)(\}?)")
_SURROGATE = re.compile("[\ud800-\udfff]")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_HINTS = {
    "undefined alias": "; put a text that begins with * in quotes",
    "scanning an alias": "; put a text that begins with * in quotes",
    "cannot start any token": "; put a text that begins so in quotes",
    "unknown escape character": r"; between double quotes a backslash is written \\",
}


class Place(NamedTuple):
    """Where something stands in a file; lines and columns count from 1."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """Write it as compilers do."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Fault(NamedTuple):
    """What is wrong, and where."""

    place: Place
    message: str

    def __str__(self) -> str:
        """Write it as one line."""
        return f"{self.place}: {self.message}"


@dataclass
class Document:
    """One document of a file. `places` has every value's place, a key's for those of a mapping.

    `filled` are the values that hold something of the environment's, which may be a secret.
    """

    content: Any = None
    places: dict[Steps, Place] = field(default_factory=dict)
    filled: set[Steps] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)


def read_documents(file: str, text: str, environment: Mapping[str, str]) -> Iterator[Document]:
    """Give a file's documents; a fault of the syntax is the last one's."""
    if found := yaml.reader.Reader.NON_PRINTABLE.search(text):
        line = text.count("\n", 0, found.start()) + 1
        column = found.start() - text.rfind("\n", 0, found.start())
        message = f"the character {found[0]!a} has no place in YAML"
        yield Document(faults=[Fault(Place(file, line, column), message)])
        return
    loader = yaml.SafeLoader(text)
    try:
        while root := loader.get_node() if loader.check_node() else None:
            yield _Reader(file, loader, environment).read(root)
    except yaml.MarkedYAMLError as error:
        yield Document(faults=[_syntax_fault(file, error)])
    except RecursionError:
        yield Document(faults=[Fault(Place(file), "nested too deeply")])


def _syntax_fault(file: str, error: yaml.MarkedYAMLError) -> Fault:
    mark, begin = error.problem_mark or error.context_mark, error.context_mark
    problem = error.problem or "not YAML"
    if "'\\t'" in problem:
        problem = "a tab; YAML is indented with spaces"
    elif error.context:
        problem += f", {error.context}" + (f" begun in line {begin.line + 1}" if begin else "")
    problem += next((hint for sign, hint in _HINTS.items() if sign in problem), "")
    return Fault(Place(file, mark.line + 1, mark.column + 1) if mark else Place(file), problem)


class _Reader:
    """Turns the nodes of one document into values."""

    def __init__(self, file: str, loader: yaml.SafeLoader, environment: Mapping[str, str]) -> None:
        self._file = file
        self._loader = loader
        self._environment = environment
        self._open: set[int] = set()
        self._document = Document()

    def read(self, root: yaml.Node) -> Document:
        self._document.places[()] = self._at(root)
        self._document.content = self._value(root, ())
        return self._document

    def _at(self, node: yaml.Node) -> Place:
        return Place(self._file, node.start_mark.line + 1, node.start_mark.column + 1)

    def _fault(self, node: yaml.Node, message: str) -> None:
        self._document.faults.append(Fault(self._at(node), message))

    def _value(self, node: yaml.Node, steps: Steps) -> Any:
        if id(node) in self._open:
            raise ConstructorError(None, None, "an alias inside what it names", node.start_mark)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, steps)
            if isinstance(node, yaml.SequenceNode):
                return [self._part(n, (*steps, i), n) for i, n in enumerate(node.value)]
            return self._scalar(node, steps)
        finally:
            self._open.remove(id(node))

    def _part(self, node: yaml.Node, steps: Steps, stands: yaml.Node) -> Any:
        self._document.places[steps] = self._at(stands)
        return self._value(node, steps)

    def _mapping(self, node: yaml.MappingNode, steps: Steps) -> dict[str, Any]:
        seen: dict[str, Place] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or _SURROGATE.search(key.value):
                raise ConstructorError(None, None, "a key that is no word", key.start_mark)
            if key.value in seen:
                self._fault(key, f"the key {key.value!r} stands already at {seen[key.value]}")
            seen[key.value] = self._at(key)
        self._loader.flatten_mapping(node)
        return {k.value: self._part(n, (*steps, k.value), k) for k, n in node.value}

    def _scalar(self, node: yaml.Node, steps: Steps) -> Any:
        if node.tag == "tag:yaml.org,2002:timestamp":
            return node.value
        try:
            value = self._loader.construct_object(node)
        except (ValueError, KeyError):
            message = f"{node.value[:50]!r} is no {node.tag.rpartition(':')[2]}"
            raise ConstructorError(None, None, message, node.start_mark) from None
        if node.tag not in _PLAIN_TAGS or not _fits_json(value):
            self._fault(node, "neither text nor a finite number nor true, false or null")
            return None
        return self._filled(value, node, steps) if isinstance(value, str) else value

    def _filled(self, text: str, node: yaml.Node, steps: Steps) -> str:
        def fill(found: re.Match[str]) -> str:
            escaped, name, closed = found.groups()
            if escaped:
                return found[0][1:]
            if closed and name in self._environment:
                self._document.filled.add(steps)
                return self._environment[name]
            if closed and _VARIABLE_NAME.fullmatch(name):
                self._fault(node, f"the environment variable {name} is not set")
            else:
                self._fault(node, f"{found[0]} is no variable; write $${{ for the characters ${{")
            return found[0]

        return _VARIABLE.sub(fill, text)


def _fits_json(value: Any) -> bool:
    if isinstance(value, str):
        return _SURROGATE.search(value) is None
    return not isinstance(value, float) or math.isfinite(value)
