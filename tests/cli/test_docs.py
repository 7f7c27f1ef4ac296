import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from portcall.cli.main import COMMANDS, app, load
from portcall.cli.manifest import read_manifest
from tests.cli.conftest import Backend, Run

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "cli.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
SHARED = {"--help", "--url", "--token"}


def section(name: str) -> str:
    """Give the section about a command."""
    return next(text for heading, text in SECTIONS.items() if f"{name}`" in heading)


def commands(name: str) -> dict[str, Any]:
    """Give a command, or the commands of a group, by its words."""
    command = load(name)
    verbs = getattr(command, "commands", None)
    return {f"{name} {verb}": part for verb, part in verbs.items()} if verbs else {name: command}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str):
    text = section(name) + (section("deliveries") if name == "events" else "")
    for words, command in commands(name).items():
        assert f"`portcall {words}" in text + f"`portcall {name}`"
        options = {option for param in command.params for option in param.opts}
        named = {option for option in options - SHARED if option.startswith("-")}
        assert [option for option in named if f"`{option}" not in text] == []


def test_the_options_that_all_share_are_documented():
    assert all(f"`{name}`" in PAGE for name in SHARED - {"--help"})
    assert all(f"{param.opts[0]}`" in PAGE for param in get_command(app).params)


def test_every_exit_code_in_the_overview_is_in_the_table():
    codes = re.findall(r"[:;] (\d+) ", str(app.info.epilog))
    assert codes
    assert [code for code in codes if f"\n| {code} | " not in PAGE] == []


@pytest.mark.parametrize("file", sorted((DOCS / "examples").glob("*.yaml")), ids=lambda f: f.name)
def test_every_example_can_be_applied(run: Run, backend: Backend, file: Path):
    variables = set(re.findall(r"\$\{(\w+)\}", file.read_text()))
    values = dict.fromkeys(variables, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    values |= {name: "https://ci.example/hook" for name in variables if name.endswith("_URL")}
    manifest = read_manifest({file.name: file.read_text()}, values)
    assert manifest.resources
    assert not manifest.faults
    ran = run("apply", "-f", str(file), **values)
    assert (ran.code, ran.err) == (0, "")
    assert run("apply", "--dry-run", "--exit-code", "-f", str(file), **values).code == 0


def test_the_message_for_an_absent_api_is_the_documented_one(run: Run):
    said = run("deliveries", "list", "--url", "http://127.0.0.1:9").err
    assert said.replace("127.0.0.1:9", "127.0.0.1:8080") in PAGE
