"""The commands `sources`, `targets` and `policies`: one shape for the three collections."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer
import yaml
from rich.text import Text

from portcall.cli import target_health
from portcall.cli.backtest import backtest
from portcall.cli.client import ApiClient, connect, path
from portcall.cli.nouns import POLICY, SOURCE, TARGET, Noun
from portcall.cli.options import Json, Limit, Name, Token, Url, Wide, Yes
from portcall.cli.preview import preview
from portcall.cli.rotation import rotate
from portcall.cli.tables import print_json, print_more, print_table, screen
from portcall.cli.target_health import states
from portcall.cli.writing import escaped
from portcall.conditions.text import TextCondition

Hold = Annotated[
    bool | None,
    typer.Option(
        "--hold/--skip",
        help="Keep what arrives until it is enabled again, or not; else as it says itself.",
        show_default=False,
    ),
]
Columns = Mapping[str, Callable[[Mapping[str, Any]], str]]


def commands(noun: Noun, columns: Columns) -> typer.Typer:
    """Make the commands of one collection."""
    app = typer.Typer(no_args_is_help=True, help=f"The {noun.plural}: look, switch, delete.")
    _add_looking(app, noun, columns)
    _add_changing(app, noun)
    return app


def _add_looking(app: typer.Typer, noun: Noun, columns: Columns) -> None:
    @app.command("list", help=f"List the {noun.plural} by name.")
    def list_(
        limit: Limit = 1000,
        wide: Wide = False,
        as_json: Json = False,
        url: Url = None,
        token: Token = None,
    ) -> None:
        with connect(url, token) as api:
            items, more = api.items(noun.plural, limit)
            unwell = states(api) if noun is TARGET and not as_json else {}
        if as_json:
            print_json(items)
        else:
            specs = [noun.written_out(item) for item in items]
            rows = [[cell(spec) for cell in columns.values()] for spec in specs]
            headings = list(columns)
            if unwell:
                headings.append("STATE")
                rows = [
                    [*row, unwell.get(spec["name"], "")]
                    for row, spec in zip(rows, specs, strict=True)
                ]
            print_table(headings, rows, wide=wide)
        print_more(more)

    @app.command("show", help=f"Show one {noun.singular} as `apply` reads it, secrets masked.")
    def show(name: Name, as_json: Json = False, url: Url = None, token: Token = None) -> None:
        with connect(url, token) as api:
            item = api.json("GET", path(noun.plural, name))
        if as_json:
            print_json(item)
        else:
            document = {noun.singular: escaped(noun.written_out(item))}
            text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
            screen().print(Text(text), end="", soft_wrap=True)


def _add_changing(app: typer.Typer, noun: Noun) -> None:
    @app.command("delete", help=f"Delete one {noun.singular}.")
    def delete(name: Name, yes: Yes = False, url: Url = None, token: Token = None) -> None:
        with connect(url, token) as api:
            if not yes and sys.stdin.isatty():
                typer.confirm(f"Delete {noun.singular} {name}?", abort=True)
            api.call("DELETE", path(noun.plural, name))
        print(f"Deleted {noun.singular} {name}.")

    if noun is not TARGET:

        @app.command("enable", help=f"Switch one {noun.singular} on.")
        def enable(name: Name, url: Url = None, token: Token = None) -> None:
            with connect(url, token) as api:
                _switch(api, noun, name, {"enabled": True})

    if noun is SOURCE:

        @app.command("disable", help=f"Switch one {noun.singular} off; all else of it stays.")
        def disable(name: Name, url: Url = None, token: Token = None) -> None:
            with connect(url, token) as api:
                _switch(api, noun, name, {"enabled": False})

    else:

        @app.command("disable", help=f"Suspend one {noun.singular}; all else of it stays.")
        def suspend(name: Name, hold: Hold = None, url: Url = None, token: Token = None) -> None:
            fate = {} if hold is None else {"while_disabled": "hold" if hold else "skip"}
            with connect(url, token) as api:
                _switch(api, noun, name, {"enabled": False, **fate})


def _switch(api: ApiClient, noun: Noun, name: str, changed: Mapping[str, Any]) -> None:
    answer = api.call("GET", path(noun.plural, name))
    spec = noun.written_out(answer.json())
    wanted = {**spec, **changed}
    if wanted != spec:
        unchanged_since = {"If-Match": answer.headers["ETag"]}
        api.call("PUT", path(noun.plural, name), json=wanted, headers=unchanged_since)
    state = "enabled" if wanted["enabled"] else "disabled"
    fate = "" if wanted["enabled"] else _fate(wanted, ": it {}s what arrives")
    print(f"{noun.singular} {name} is {state} {'already' if wanted == spec else 'now'}{fate}.")


def _fate(spec: Mapping[str, Any], phrase: str) -> str:
    """Say what becomes of what arrives while it is switched off; sources say nothing."""
    return phrase.format(spec["while_disabled"]) if "while_disabled" in spec else ""


def _condition(condition: Any) -> str:
    return str(TextCondition.model_validate(condition)) if condition else "any"


def _any(values: Sequence[str] | None) -> str:
    return ", ".join(values) if values else "any"


def _enabled(item: Mapping[str, Any]) -> str:
    return "yes" if item["enabled"] else "no" + _fate(item, ", {}s")


sources = commands(
    SOURCE,
    {
        "NAME": lambda source: source["name"],
        "KIND": lambda source: source["kind"],
        "AUTH": lambda source: source["auth"]["type"],
        "ENABLED": _enabled,
        "STRICT": lambda source: "yes" if source["strict"] else "no",
        "DESCRIPTION": lambda source: source["description"],
    },
)
targets = commands(
    TARGET,
    {
        "NAME": lambda target: target["name"],
        "URL": lambda target: target["url"],
        "AUTH": lambda target: target["auth"]["type"],
        "SIGNED": lambda target: "yes" if target["secrets"] else "no",
        "ENABLED": _enabled,
        "DESCRIPTION": lambda target: target["description"],
    },
)
policies = commands(
    POLICY,
    {
        "NAME": lambda policy: policy["name"],
        "EVENTS": lambda policy: _any(policy["match"].get("event_types")),
        "SOURCES": lambda policy: _any(policy["match"].get("sources")),
        "REPOSITORY": lambda policy: _condition(policy["match"].get("repository")),
        "TAG": lambda policy: _condition(policy["match"].get("tag")),
        "TARGETS": lambda policy: ", ".join(policy["targets"]),
        "FORMAT": lambda policy: policy["format"],
        "ENABLED": _enabled,
    },
)
targets.command("health")(target_health.health)
targets.command("enable")(target_health.enable)
targets.command("ping")(target_health.ping)
targets.command("rotate")(rotate)
policies.command("backtest")(backtest)
policies.command("preview")(preview)
