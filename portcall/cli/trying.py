"""The command `try`: what a notification in a file would become, with nothing started or kept."""

import json
from typing import Annotated, Any

import typer
import yaml
from pydantic import BaseModel

from portcall.cli.client import connect, understood
from portcall.cli.files import read_text
from portcall.cli.options import Json, Token, Url
from portcall.cli.tables import print_json, printable
from portcall.errors import ConfigurationError, InvalidInputError
from portcall.events import RegistryEvent

_KNOWN = {"source", "kind", "received_at"}


class _Refusal(BaseModel):
    message: str


class _Answer(BaseModel):
    events: list[RegistryEvent]
    ignored: list[RegistryEvent]
    refusals: list[_Refusal]
    reply: dict[str, Any] | None


def try_notification(
    *,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The body; - is stdin.")],
    source: Annotated[
        str | None, typer.Option("--source", help="The source that it is for, by name.")
    ] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Or a kind of source.")] = None,
    mapping: Annotated[
        str | None,
        typer.Option("--mapping", help="For --kind: YAML with a mapping, or one source with it."),
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", help="'Name: value'; may be given repeatedly.")
    ] = None,
    hint: Annotated[
        str | None, typer.Option("--hint", help="What stands behind the source in the URL.")
    ] = None,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Try a notification; nothing is started or kept. Exit code 1 if it is not understood."""
    if (source is None) == (kind is None) or (source and mapping):
        raise InvalidInputError("Give --source, or --kind and for it perhaps --mapping.")
    described = {"kind": kind, "mapping": _mapping(mapping)} if kind else source
    question = {
        "source": described,
        "body": read_text(file),
        "headers": dict(_header(line) for line in header or []),
        "hint": hint,
    }
    with connect(url, token) as api:
        answer = api.json("POST", "sources/try", json=question)
    result = understood(_Answer, answer)
    if as_json:
        print_json(answer)
    else:
        _print(result)
    if result.refusals and not (result.events or result.ignored):
        raise typer.Exit(1)


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name.strip():
        raise InvalidInputError(f"--header {line!r} is not written 'Name: value'.")
    return name.strip(), value.strip()


def _mapping(file: str | None) -> Any:
    """Read a mapping, or that of the only source in a file that has one."""
    if file is None:
        return None
    try:
        content = yaml.safe_load(read_text(file))
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{file}: not YAML: {error}") from None
    if not isinstance(content, dict) or "sources" not in content:
        return content
    sources = content["sources"] if isinstance(content["sources"], list) else []
    found = [one["mapping"] for one in sources if isinstance(one, dict) and "mapping" in one]
    if len(found) != 1:
        raise ConfigurationError(f"{file}: {len(found)} sources with a mapping; leave one.")
    return found[0]


def _print(answer: _Answer) -> None:
    for event in answer.events:
        _print_event(event)
    for event in answer.ignored:
        print("The source ignores this:")
        _print_event(event)
    for refusal in answer.refusals:
        print(f"Not understood: {printable(refusal.message)}")
    if answer.reply is not None:
        print(f"Answered with {printable(json.dumps(answer.reply))}")
    if not (answer.events or answer.ignored or answer.refusals or answer.reply):
        print("Understood; it tells of no event.")


def _print_event(event: RegistryEvent) -> None:
    facts = event.model_dump(mode="json", exclude=_KNOWN | {"type"}, exclude_defaults=True)
    print(event.type)
    for name, value in facts.items():
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        print(f"  {name:<15} {printable(shown)}")
