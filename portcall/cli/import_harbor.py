"""The command `import harbor`: webhook policies of Harbor become policies and targets."""

import json
import os
import re
import sys
from typing import Annotated, Any

import httpx
import typer
from pydantic import TypeAdapter, ValidationError
from rich.text import Text

from portcall.cli.apply import DryRun, Wishes, bring_about
from portcall.cli.client import LOOPBACK
from portcall.cli.documents import Place
from portcall.cli.export import hand_out, name_variables
from portcall.cli.files import read_text
from portcall.cli.harbor_api import Harbor
from portcall.cli.manifest import Manifest, Resource
from portcall.cli.nouns import POLICY, TARGET
from portcall.cli.options import Token, Url, Yes
from portcall.cli.tables import printable, screen
from portcall.cli.writing import Variables, clear, document, entry, in_clear
from portcall.errors import ConfigurationError, InvalidInputError
from portcall.formats.known import load_formats
from portcall.importing.harbor import Translation, translate
from portcall.importing.harbor_list import Projects, read_projects
from portcall.spec import Name

PASSWORD = "HARBOR_PASSWORD"  # noqa: S105 - a variable's name
_API = "/api/v2.0"

commands = typer.Typer(no_args_is_help=True, help="Take over another registry's webhooks.")


@commands.callback()
def _import() -> None:
    """Take over another registry's webhooks."""


@commands.command("harbor")
def harbor(
    *,
    origin: Annotated[
        str,
        typer.Argument(
            metavar="FILE|URL", help="What Harbor's API lists, - for stdin, or Harbor's URL."
        ),
    ],
    project: Annotated[
        str | None, typer.Option("--project", help="One project; without it all of them.")
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", help="The source that this Harbor is here.")
    ] = None,
    managed_by: Annotated[
        str | None, typer.Option("--managed-by", help="A label for what is taken over.")
    ] = None,
    username: Annotated[
        str | None,
        typer.Option("--username", help=f"Harbor's user; the password is in {PASSWORD}, or asked."),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Do not check Harbor's certificate.")
    ] = False,
    with_secrets: Annotated[
        bool, typer.Option("--with-secrets", help="Write secrets instead of variables.")
    ] = False,
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="A file instead of stdout.")
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Bring them to Portcall, as `portcall apply` does.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Turn Harbor's webhook policies into policies and targets: as YAML, or applied at once.

    What has no counterpart is said on stderr. Done again it changes nothing.
    """
    _check_names(source, managed_by)
    if output and (apply or dry_run):
        raise InvalidInputError("Either --output, or --apply and --dry-run.")
    if origin.startswith(("http://", "https://")):
        projects = _fetched(origin, project, username, insecure=insecure)
    else:
        projects = read_projects(_json(origin), project)
    found = translate(projects, formats=load_formats(), source=source, managed_by=managed_by)
    _report(found, len(projects), source)
    if apply or dry_run:
        wishes = Wishes(dry_run=dry_run, yes=yes)
        bring_about(_manifest(found, origin), wishes, url, token)
    else:
        _write(found, managed_by, output, with_secrets=with_secrets)


def _check_names(*names: str | None) -> None:
    for name in filter(None, names):
        try:
            TypeAdapter(Name).validate_python(name)
        except ValidationError:
            raise InvalidInputError(
                f"{name!r} is no name: lower-case letters, digits, . _ - and at most 50 of them."
            ) from None


def _json(origin: str) -> Any:
    try:
        return json.loads(read_text(origin))
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"{origin} is not JSON: {error}.") from None


def _fetched(origin: str, project: str | None, username: str | None, *, insecure: bool) -> Projects:
    try:
        address = httpx.URL(origin)
    except httpx.InvalidURL as error:
        raise InvalidInputError(f"{origin!r} is no URL: {error}.") from None
    if address.userinfo:
        raise InvalidInputError(f"Leave the user out of the URL: --username and {PASSWORD}.")
    base, _, part = str(address.copy_with(query=None, fragment=None)).partition(_API)
    base = re.sub(r"/(harbor/.*)?$", "", base)  # what a browser shows of Harbor's pages
    is_local = address.host in LOOPBACK
    if username and address.scheme == "http" and not is_local:
        _say(f"warning: the password goes to {address.host} in clear; use https.")
    with httpx.Client(
        base_url=base + _API,
        auth=(username, _password()) if username else None,
        timeout=30,
        verify=not insecure and address.scheme == "https",
        trust_env=not is_local,
    ) as http:
        projects, refused = Harbor(http).listed(project, part.strip("/"))
    for name in refused:
        _say(f"{name}: left out, this user may not read its webhooks")
    return read_projects(projects, None)


def _password() -> str:
    password = os.environ.get(PASSWORD)
    if password is None and sys.stdin.isatty():
        password = str(typer.prompt("Harbor's password", hide_input=True, err=True))
    if not password:
        raise ConfigurationError(f"No password for Harbor: set {PASSWORD}.")
    return password


def _report(found: Translation, projects: int, source: str | None) -> None:
    for note in found.notes:
        _say(note)
    if found.policies and not source:
        _say("Without --source the policies take such projects' events from every source.")
    counts = f"{projects} projects, {len(found.policies)} policies, {len(found.targets)} targets"
    _say(f"Read: {counts}.")


def _manifest(found: Translation, origin: str) -> Manifest:
    specs = {TARGET: map(in_clear, found.targets), POLICY: map(in_clear, found.policies)}
    return Manifest(
        [
            Resource(noun, spec["name"], spec, {(): Place(origin)})
            for noun, written in specs.items()
            for spec in written
        ]
    )


def _write(
    found: Translation, label: str | None, output: str | None, *, with_secrets: bool
) -> None:
    variables = Variables()
    targets = [
        entry(target, clear if with_secrets else variables.of(TARGET, target.name))
        for target in found.targets
    ]
    policies = [entry(policy, clear) for policy in found.policies]
    hand_out(document({TARGET: targets, POLICY: policies}, label), output, private=with_secrets)
    name_variables(variables)


def _say(text: str) -> None:
    screen(stderr=True).print(Text(printable(text)), soft_wrap=True)
