import json
import re

import pytest

from portcall.outgoing import live_secrets
from portcall.policies import Target
from portcall.signing import check_secret
from tests.cli.conftest import Backend, Run
from tests.portcall.test_rotation import NOW
from tests.portcall.test_signing import NEW, OLD, SVIX, SVIX_PUBLIC


@pytest.fixture(autouse=True)
async def target(backend: Backend) -> None:
    await backend.store.targets.put(Target(name="ci", url="https://ci.example", secrets=[OLD]))


async def secrets_of(backend: Backend) -> list[str]:
    return live_secrets((await backend.store.targets.get("ci")).spec, NOW)


async def test_the_new_secret_alone_goes_to_stdout(run: Run, backend: Backend) -> None:
    ran = run("targets", "rotate", "ci")
    assert ran.code == 0
    check_secret(ran.out.strip())
    assert await secrets_of(backend) == [ran.out.strip(), OLD]
    assert "shown this once" in ran.err
    assert re.search(r"An older secret signs as well until 20[0-9-]+T[0-9:]+Z\.", ran.err)


async def test_a_key_pair_comes_with_the_public_key(run: Run, backend: Backend) -> None:
    ran = run("targets", "rotate", "ci", "--ed25519", "--grace", "0")
    assert await secrets_of(backend) == [ran.out.strip()]
    assert "The receiver verifies by its public key: whpk_" in ran.err


@pytest.mark.parametrize(("given", "stdin"), [(SVIX, ""), ("-", SVIX + "\n")])
async def test_a_secret_that_is_given_is_not_printed(
    run: Run, backend: Backend, given: str, stdin: str
) -> None:
    ran = run("targets", "rotate", "ci", "--secret", given, "--grace", "30m", stdin=stdin)
    assert ran.out == ""
    assert SVIX not in ran.err
    assert SVIX_PUBLIC in ran.err
    assert await secrets_of(backend) == [SVIX, OLD]


async def test_a_script_gets_the_answer_as_json(run: Run, backend: Backend) -> None:
    ran = run("targets", "rotate", "ci", "--json")
    answer = json.loads(ran.out)
    assert await secrets_of(backend) == [answer["secret"], OLD]
    assert ran.err == ""


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["x"], 4, "There is no target named x."),
        (["ci", "--grace", "soon"], 2, "grace: write a duration"),
        (["ci", "--secret", "plain"], 2, "secret: a signing secret starts with whsec_"),
        (["ci", "--secret", NEW, "--ed25519"], 2, "kind: the secret is one of hmac"),
    ],
)
def test_what_cannot_be_done_is_told(run: Run, arguments: list[str], code: int, said: str) -> None:
    ran = run("targets", "rotate", *arguments)
    assert (ran.code, said in ran.err) == (code, True), ran.err
