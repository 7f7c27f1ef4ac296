"""docker-compose.yml for real: up from nothing, through what goes wrong, down and up again.

Each test uses names of its own and leaves the stack whole, so their order does not matter.
"""

import shutil
import signal
import threading
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.stack.stack import ROOT, Stack, wait_for

pytestmark = [pytest.mark.stack, pytest.mark.timeout(3600)]

WORKFLOWS = "/api/v1/namespaces/portcall/workflows"


def push_all(stack: Stack, source: str, tags: list[str]) -> set[str]:
    """Notify of each tag; every one has to be accepted."""
    accepted = {stack.push(source, tag) for tag in tags}
    assert accepted == {f"{source}-{tag}" for tag in tags}
    return {event for event in accepted if event}


def test_older_compose_reads_the_file_too(stack: Stack) -> None:
    for program in filter(None, [shutil.which("docker-compose")]):
        stack.engine.execute(
            [
                program, "--project-directory", str(ROOT), "--env-file", str(stack.settings),
                "--file", str(ROOT / "docker-compose.yml"), "config", "--quiet",
            ]
        )  # fmt: skip


def test_without_its_secrets_nothing_starts(stack: Stack) -> None:
    refused = stack.engine.execute(
        [
            *stack.engine.compose, "--env-file", "/dev/null",
            "--file", str(ROOT / "docker-compose.yml"), "config",
        ],
        check=False,
    )  # fmt: skip
    assert refused.returncode != 0
    assert "see .env.example" in refused.stderr


def test_a_pushed_tag_is_delivered_and_its_exchange_is_in_the_log(stack: Stack) -> None:
    stack.configure("plain", "/plain")
    (event,) = push_all(stack, "plain", ["v1"])
    wait_for("the delivery in the log", lambda: event in stack.delivered("plain"))
    assert stack.received("/plain") == ["v1"]
    (delivery,) = stack.deliveries(repository="plain/app", tag="v1")
    answer = stack.api.get(f"/api/v1/deliveries/{quote(delivery['id'], safe='')}")
    (attempt,) = answer.raise_for_status().json()["attempt_records"]
    assert "plain/app" in attempt["request"]["body"]
    assert "the receiver" in attempt["response"]["body"]


def test_only_the_api_can_be_reached_from_elsewhere(stack: Stack) -> None:
    addresses = {
        binding["HostIp"]
        for service in stack.services()
        for box in stack.containers(service)
        for bindings in box["NetworkSettings"]["Ports"].values()
        for binding in bindings or []
    }
    assert addresses == {"127.0.0.1"}


def test_what_portcall_runs_as_cannot_change_its_image(stack: Stack) -> None:
    script = "id -u; touch /opt/portcall/new /var/lib/portcall/new"
    (box,) = stack.containers("api")
    tried = stack.engine.call("exec", box["Id"], "sh", "-c", script, check=False)
    assert tried.returncode != 0
    assert tried.stdout == "10001\n"


def test_of_three_workers_one_is_killed_and_every_delivery_arrives(stack: Stack) -> None:
    stack.configure("scaled", "/slow/scaled")
    stack.up("--scale", "worker=3")
    workers = stack.containers("worker")
    assert len(workers) == 3
    accepted = push_all(stack, "scaled", [f"a{number}" for number in range(30)])
    stack.engine.call("kill", "--signal", "KILL", workers[0]["Id"])
    accepted |= push_all(stack, "scaled", [f"b{number}" for number in range(10)])
    wait_for("all deliveries", lambda: stack.delivered("scaled") == accepted)
    assert {f"scaled-{tag}" for tag in stack.received("/slow/scaled")} == accepted
    attempts = [delivery["attempts"] for delivery in stack.deliveries(source="scaled")]
    assert max(attempts) > 1, "the killed worker was idle"
    stack.up("--scale", "worker=1")


def test_a_database_that_restarts_loses_nothing_that_was_accepted(stack: Stack) -> None:
    stack.configure("outage", "/outage")
    tries: list[str | None] = []
    enough = threading.Event()

    def keep_pushing() -> None:
        while not enough.is_set():
            tries.append(stack.push("outage", f"v{len(tries)}"))
            time.sleep(0.2)

    pushing = threading.Thread(target=keep_pushing)
    pushing.start()
    try:
        wait_for("some events before", lambda: len(tries) > 5)
        stack.compose("restart", "postgresql")
        before = len(tries)
        wait_for("events accepted afterwards", lambda: any(tries[before + 5 :]))
    finally:
        enough.set()
        pushing.join()
    accepted = {event for event in tries if event}
    wait_for("all deliveries", lambda: accepted <= stack.delivered("outage"))
    assert accepted <= {f"outage-{tag}" for tag in stack.received("/outage")}
    wait_for("every container healthy", stack.is_healthy)


def test_a_failed_delivery_is_found_and_reset_in_the_web_ui(stack: Stack) -> None:
    stack.configure("broken", "/broken", maximum_attempts=2)
    stack.receiver.put("/broken", content="500")
    (event,) = push_all(stack, "broken", ["v1"])
    wait_for("giving up", lambda: stack.deliveries(source="broken", outcome="exhausted"))
    assert "<!doctype html>" in stack.web_ui.get("/").raise_for_status().text
    query = "ExecutionStatus = 'Failed' AND Repository = 'broken/app'"
    listed = stack.web_ui.get(WORKFLOWS, params={"query": query}).raise_for_status().json()
    (execution,) = [item["execution"] for item in listed["executions"]]

    stack.receiver.put("/broken", content="200")
    reset = stack.web_ui.post(
        f"{WORKFLOWS}/{quote(execution['workflowId'], safe='')}/reset",
        json={
            "workflowExecution": execution,
            "workflowTaskFinishEventId": "4",
            "reason": "the receiver is repaired",
            "requestId": "reset-of-broken",
        },
        headers={"X-CSRF-TOKEN": stack.web_ui.cookies["_csrf"]},
    )
    assert reset.status_code == 200, reset.text
    wait_for("the redelivery", lambda: event in stack.delivered("broken"))


def test_a_stopped_worker_finishes_what_it_sends(stack: Stack) -> None:
    stack.configure("graceful", "/slow/graceful")
    tags = [f"v{number}" for number in range(5)]
    accepted = push_all(stack, "graceful", tags)
    stack.compose("stop", "api", "worker")
    (worker,), (api,) = stack.containers("worker"), stack.containers("api")
    assert worker["State"]["ExitCode"] == 0
    assert api["State"]["ExitCode"] in {0, 128 + signal.SIGTERM}  # uvicorn passes it on
    stack.up()
    wait_for("all deliveries", lambda: stack.delivered("graceful") == accepted)
    assert sorted(stack.received("/slow/graceful")) == tags


def test_down_and_up_again_keeps_the_log_and_goes_on_delivering(stack: Stack) -> None:
    stack.configure("kept", "/kept")
    stack.receiver.put("/kept", content="503")
    accepted = push_all(stack, "kept", [f"v{number}" for number in range(10)])
    wait_for("retries", lambda: len(stack.deliveries(source="kept", http_status="503")) == 10)
    known = {delivery["id"] for delivery in stack.deliveries()}
    stack.compose("down")
    stack.up()  # with a receiver that has forgotten what it was told
    wait_for("all deliveries", lambda: stack.delivered("kept") == accepted)
    assert {f"kept-{tag}" for tag in stack.received("/kept")} == accepted
    assert known <= {delivery["id"] for delivery in stack.deliveries()}


def test_a_backup_taken_while_it_runs_brings_everything_back(stack: Stack, tmp_path: Path) -> None:
    """The commands of docs/operations.md."""
    stack.configure("saved", "/saved")
    accepted = push_all(stack, "saved", ["v1"])
    wait_for("the delivery", lambda: stack.delivered("saved") == accepted)
    with (tmp_path / "backup.tar").open("wb") as backup:
        stack.compose(
            "exec", "-T", "postgresql", "pg_basebackup", "--username=portcall", "--pgdata=-",
            "--format=tar", "--wal-method=fetch", "--checkpoint=fast", stdout=backup,
        )  # fmt: skip
    stack.compose("down", "--volumes")
    with (tmp_path / "backup.tar").open("rb") as backup:
        stack.compose(
            "run", "--rm", "--no-deps", "-T", "--entrypoint", "tar", "postgresql",
            "--extract", "--directory=/var/lib/postgresql/data", stdin=backup,
        )  # fmt: skip
    stack.up()
    assert stack.delivered("saved") == accepted
    assert stack.push("saved", "v2")
    wait_for("a new delivery", lambda: stack.received("/saved") == ["v2"])
