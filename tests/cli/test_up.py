import os
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from portcall.cli.demo.receiver import running_receiver
from tests.cli.processes import PORTS, Up, parts_of, portcall, running_up

pytestmark = pytest.mark.usefixtures("temporal_program")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One `portcall up` for the tests that leave it running."""
    with running_up(tmp_path_factory.mktemp("up")) as running:
        yield running


def _is_ready(url: str) -> bool:
    try:
        answer = httpx.get(f"{url}/readyz", trust_env=False)
    except httpx.TransportError:
        return False
    return answer.json().get("parts") == {"database": "ok", "temporal": "ok"}


def _eventually(what: object) -> None:
    assert callable(what)
    for _ in range(300):
        if what():
            return
        time.sleep(0.1)
    pytest.fail("it did not come to that")


def test_everything_answers_where_it_says(up: Up) -> None:
    assert _is_ready(up.place("API"))
    assert httpx.get(up.place("Web UI"), trust_env=False, follow_redirects=True).is_success
    assert set(up.parts()) == {"api", "worker", "temporal"}


def test_the_admin_token_is_shown_once_and_opens_the_api(up: Up) -> None:
    token = up.place("Token")
    file = up.home / "data" / "admin-token"
    assert file.read_text() == token + "\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    policies = f"{up.place('API')}/api/v1/policies"
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.get(policies, headers=headers, trust_env=False).status_code == 200
    assert httpx.get(policies, trust_env=False).status_code == 401


def test_the_commands_find_the_token_in_the_data_directory(up: Up) -> None:
    listed = portcall("policies", "list", "--url", up.place("API"), home=up.home)
    assert (listed.returncode, listed.stderr) == (0, "Nothing found.\n")


def test_a_second_one_on_the_same_directory_is_refused(up: Up) -> None:
    second = portcall("up", *PORTS, home=up.home)
    assert second.returncode == 2
    assert second.stderr.startswith("error: another `portcall up` is running on")
    assert second.stdout == ""


@pytest.mark.parametrize(("option", "place"), [("--port", "API"), ("--ui-port", "Web UI")])
def test_a_port_in_use_is_one_sentence_with_the_option_to_change(
    up: Up, tmp_path: Path, option: str, place: str
) -> None:
    port = up.place(place).rpartition(":")[2]
    refused = portcall("up", *PORTS, option, port, home=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr == (
        f"error: cannot listen on 127.0.0.1:{port} (Address already in use);"
        f" choose another port with {option}\n"
    )


@pytest.mark.parametrize("name", ["api", "worker", "temporal"])
def test_a_part_that_dies_is_said_and_started_again(up: Up, name: str) -> None:
    killed = up.parts()[name]
    os.kill(killed, signal.SIGKILL)
    up.read_until(f"{name} ended (-9); starting it again in 1 s")
    _eventually(lambda: up.parts().get(name, killed) != killed)
    _eventually(lambda: _is_ready(up.place("API")))


def test_ctrl_c_stops_everything_and_the_next_start_goes_on(tmp_path: Path) -> None:
    with running_up(tmp_path) as first:
        token = first.place("Token")
        assert first.stop(signal.SIGINT) == 0
        assert first.said[-1] == "Stopping (Ctrl-C again: by force)\n"
    assert parts_of(tmp_path) == {}
    with running_up(tmp_path) as again:
        assert token not in "".join(again.said)
        assert again.place("Token  +in") == str(tmp_path / "data" / "admin-token")
        assert again.stop(signal.SIGTERM) == 0
    assert parts_of(tmp_path) == {}


WAITING = """
source: {name: hooks, kind: proposal, auth: {type: none}}
---
target: {name: ci, url: "http://127.0.0.1:%d/ci"}
---
policy: {name: all, targets: [ci], retry: {initial_interval: 1s, maximum_interval: 1s}}
"""
EVENT = {
    "project": "prj", "repoName": "app", "tag": "v1", "fullName": "prj/app",
    "triggerTime": 1583222332130, "imageId": "9e2c" * 16, "eventType": "PUSH",
}  # fmt: skip


def _outcomes(url: str, token: str) -> list[str]:
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.get(f"{url}/api/v1/deliveries", headers=headers, trust_env=False)
    return [item["outcome"] for item in answer.json()["items"]]


@pytest.mark.timeout(120)
def test_a_delivery_that_waits_when_all_is_stopped_arrives_after_the_next_start(
    tmp_path: Path,
) -> None:
    settings = {"PORTCALL_ALLOWED_NETWORKS": "127.0.0.0/8", "PORTCALL_ADMIN_TOKEN": "planted"}
    with running_receiver({"/ci": [503]}) as receiver:
        (tmp_path / "waiting.yaml").write_text(WAITING % receiver.port)
        with running_up(tmp_path, **settings) as up:
            url = up.place("API")
            applied = portcall(
                "apply", "-f", "waiting.yaml", "--url", url, home=tmp_path, **settings
            )
            assert applied.returncode == 0, applied.stderr
            accepted = httpx.post(
                f"{url}/notifications/hooks", json={"events": [EVENT]}, trust_env=False
            )
            assert accepted.status_code == 202
            _eventually(lambda: _outcomes(url, "planted") == ["retrying"])
            assert up.stop() == 0
        receiver.repair("/ci")
        with running_up(tmp_path, **settings) as again:
            _eventually(lambda: _outcomes(again.place("API"), "planted") == ["delivered"])
            assert again.stop() == 0


def test_a_second_ctrl_c_ends_it_by_force(tmp_path: Path) -> None:
    with running_up(tmp_path) as up:
        os.kill(up.parts()["worker"], signal.SIGSTOP)
        up.process.send_signal(signal.SIGINT)
        up.read_until("Stopping")
        assert up.stop(signal.SIGINT) == 130
        _eventually(lambda: parts_of(tmp_path) == {})


def test_killed_itself_it_leaves_no_process_behind(tmp_path: Path) -> None:
    with running_up(tmp_path) as up:
        assert up.stop(signal.SIGKILL) == -signal.SIGKILL
        _eventually(lambda: parts_of(tmp_path) == {})


def test_a_server_of_ones_own_is_used_in_place_of_the_embedded_one(
    tmp_path: Path, temporal: object
) -> None:
    address = getattr(temporal, "address")  # noqa: B009
    with running_up(tmp_path, TEMPORAL_ADDRESS=address, TEMPORAL_NAMESPACE="own") as up:
        assert _is_ready(up.place("API"))
        assert set(up.parts()) == {"api", "worker"}
