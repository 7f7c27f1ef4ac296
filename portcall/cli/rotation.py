"""The command `targets rotate`: a target gets a new signing secret, shown this once."""

import sys
from datetime import datetime
from typing import Annotated, Any

import typer

from portcall.cli.client import connect, path
from portcall.cli.options import Json, Name, Token, Url
from portcall.cli.tables import print_json, when

STDIN = "-"


def rotate(
    name: Name,
    *,
    grace: Annotated[
        str, typer.Option("--grace", help="How long older secrets sign as well; 0 for not at all.")
    ] = "24h",
    secret: Annotated[
        str | None,
        typer.Option("--secret", help="Take this one, whsec_… or whsk_…; - reads it from stdin."),
    ] = None,
    ed25519: Annotated[
        bool, typer.Option("--ed25519", help="Make a key pair: the receiver needs no secret.")
    ] = False,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Give a target a new signing secret, and print it: it is shown this once.

    The older ones sign as well until the grace is over, so that the receiver may change over.
    """
    body: dict[str, Any] = {"grace": int(grace) if grace.isdecimal() else grace}
    if secret:
        body["secret"] = sys.stdin.readline().strip() if secret == STDIN else secret
    if ed25519:
        body["kind"] = "ed25519"
    with connect(url, token) as api:
        answer = api.json("POST", path("targets", name) + "/rotate", json=body)
    if as_json:
        print_json(answer)
    else:
        _print(answer)


def _print(answer: dict[str, Any]) -> None:
    """Print the secret, or of one that was given the public key, alone; the rest is said aside."""
    if answer["secret"]:
        print(answer["secret"])
        _say(f"Target {answer['name']} signs with it now. It is shown this once.")
    else:
        _say(f"Target {answer['name']} signs with the secret that you gave.")
    if answer["public_key"]:
        _say(f"The receiver verifies by its public key: {answer['public_key']}")
    for older in answer["retiring"]:
        until = when(datetime.fromisoformat(older["until"]))
        _say(f"An older secret signs as well until {until}.")


def _say(text: str) -> None:
    print(text, file=sys.stderr)
