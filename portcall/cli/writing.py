"""Writes specs as the YAML that `apply` reads: without defaults, in an order that stays.

Which specs, and where the text goes, is the commands' to say.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml
from pydantic import ValidationError

from portcall.cli.manifest import LABEL
from portcall.cli.nouns import Noun, written_out
from portcall.secrets import Path, shown, split
from portcall.spec import Spec

SCHEMA_FILE = "portcall.schema.json"
"""Where editors look for the JSON Schema: beside the file."""

HEAD = f"# yaml-language-server: $schema={SCHEMA_FILE}\n"

Secret = Callable[[Path, str], str]
"""What to write in place of a secret, which stands at a path and has a value."""


Entries = Mapping[Noun, Sequence[Mapping[str, Any]]]
"""What is to be written, by kind of resource."""


class Variables:
    """Gives each secret an environment variable of its own; `names` are those given so far."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def of(self, noun: Noun, name: str) -> Secret:
        """Give what writes `${PORTCALL_TARGET_CI_TOKEN}` for the target ci's `auth.token`."""

        def placeholder(path: Path, _: str) -> str:
            steps = [str(step) for step in path if step != "auth"]
            wanted = re.sub(r"\W", "_", "_".join(["portcall", noun.singular, name, *steps])).upper()
            free, count = wanted, 1
            while free in self.names:
                free, count = f"{wanted}_{count + 1}", count + 1
            self.names.append(free)
            return f"${{{free}}}"

        return placeholder


def masked(_: Path, value: str) -> str:
    """Write the mask, of a URL in the place of its secrets alone: `apply` keeps what is stored."""
    return str(escaped(shown(value)))


def clear(_: Path, value: str) -> str:
    """Write a secret as it is."""
    return str(escaped(value))


def entry(spec: Spec, secret: Secret) -> dict[str, Any]:
    """Give a spec as it is written to a file."""
    return _with_secrets(escaped(concise(spec)), spec, secret)


def in_clear(spec: Spec) -> dict[str, Any]:
    """Give a spec as it is sent to the API."""
    return _with_secrets(concise(spec), spec, lambda _, value: value)


def _with_secrets(written: dict[str, Any], spec: Spec, secret: Secret) -> dict[str, Any]:
    for (*parents, last), value in split(spec)[1].items():
        part: Any = written
        for step in parents:
            part = part[step]
        part[last] = secret((*parents, last), value)
    return written


def concise(spec: Spec) -> dict[str, Any]:
    """Give the spec, secrets masked, without all that it would say by itself.

    What remains is read as the same spec: each part that goes has been tried.
    """
    written = written_out(spec)
    meant = spec.model_validate(written)

    def means_the_same() -> bool:
        try:
            return spec.model_validate(written) == meant
        except ValidationError:
            return False

    _shorten(written, means_the_same)
    return written


def _shorten(part: Any, means_the_same: Callable[[], bool]) -> None:
    if isinstance(part, dict):
        for key in list(part):
            value = part.pop(key)
            if not means_the_same():
                part[key] = value  # all that stay are put back in turn: the order remains
                _shorten(value, means_the_same)
    elif isinstance(part, list):
        for item in part:
            _shorten(item, means_the_same)


def document(entries: Entries, label: str | None = None) -> str:
    """Write one YAML document; with a label it manages what stands in it."""
    parts = [HEAD]
    if label:
        parts.append(_yaml({LABEL: label}))
        entries = {
            noun: [_without_label(spec) for spec in specs] for noun, specs in entries.items()
        }
    for noun, specs in entries.items():
        items = "\n".join(_yaml([spec]) for spec in specs)
        parts.append(f"{noun.plural}:\n{items}" if items else f"{noun.plural}: []\n")
    return "\n".join(parts)


def escaped(value: Any) -> Any:
    """Write `${` as `apply` reads it back."""
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, dict):
        return {key: escaped(part) for key, part in value.items()}
    return [escaped(part) for part in value] if isinstance(value, list) else value


def _without_label(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key != LABEL}


class _Dumper(yaml.SafeDumper):
    """Writes a text of several lines as such."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    # PyYAML folds the other line breaks of YAML 1.1, and reads them back as a blank.
    style = '"' if re.search("[\r\x85\u2028\u2029]", value) else "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def _yaml(value: Any) -> str:
    return str(
        yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=float("inf"))
    )
