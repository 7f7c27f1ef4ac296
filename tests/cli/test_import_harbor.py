import json
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from portcall.auth import BearerAuth
from portcall.cli.manifest import read_manifest
from tests.cli.conftest import Backend, Ran, Run
from tests.cli.harbor import PASSWORD, USER, FakeHarbor, serve

TARGET = "harbor-ci.example-71a37c"
VARIABLE = "PORTCALL_TARGET_HARBOR_CI_EXAMPLE_71A37C_TOKEN"


def webhook(number: int, **more: Any) -> dict[str, Any]:
    hook = {
        "type": "http",
        "address": "https://ci.example/hook",
        "auth_header": "Bearer planted-token",
        "skip_cert_verify": False,
        "payload_format": "CloudEvents",
    }
    known = {"id": number, "name": f"hook {number}", "enabled": True, "targets": [hook | more]}
    return known | {"event_types": ["PUSH_ARTIFACT", "DELETE_ARTIFACT"], "project_id": 1}


@pytest.fixture
def harbor() -> Iterator[FakeHarbor]:
    fake = FakeHarbor(
        {
            "shop": [webhook(number) for number in (3, 4, 5)],
            "42": [webhook(9)],
            "empty": [],
        }
    )
    server = serve(fake)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield fake
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def ask(run: Run):
    def import_harbor(*arguments: str, **more: Any) -> Ran:
        login = {"HARBOR_PASSWORD": PASSWORD} | more
        ran = run("import", "harbor", *arguments, "--username", USER, **login)
        assert PASSWORD not in ran.out + ran.err
        return ran

    return import_harbor


def names(text: str) -> list[str]:
    """Give what a document declares, its secrets from the environment."""
    manifest = read_manifest({"f": text}, {VARIABLE: "t"})
    assert not manifest.faults
    return [resource.title for resource in manifest.resources]


def test_all_projects_are_read_page_after_page(ask, harbor: FakeHarbor):
    ran = ask(harbor.url)
    assert ran.code == 0
    assert names(ran.out) == [
        f"target {TARGET}",
        "policy harbor-shop-3",
        "policy harbor-shop-4",
        "policy harbor-shop-5",
        "policy harbor-42-9",
    ]
    assert ran.err.splitlines() == [
        "Without --source the policies take such projects' events from every source.",
        "Read: 3 projects, 4 policies, 1 targets.",
        "Set these before you apply it:",
        f"  {VARIABLE}",
    ]
    assert "planted" not in ran.out


def test_pages_are_followed_where_harbor_gives_no_count(ask, harbor: FakeHarbor):
    harbor.counts = False
    assert len(names(ask(harbor.url).out)) == 5


def test_harbor_may_show_less_than_it_counts(ask, harbor: FakeHarbor):
    harbor.instead = (200, {"X-Total-Count": "5"}, b"null")
    assert ask(harbor.url).err.endswith("Read: 0 projects, 0 policies, 0 targets.\n")


@pytest.mark.parametrize(
    "ending", ["", "/", "/api/v2.0", "/api/v2.0/", "/?x=1#top", "/harbor/projects/1/webhook"]
)
def test_the_url_is_that_of_the_browser_or_of_the_api(ask, harbor: FakeHarbor, ending: str):
    assert len(names(ask(harbor.url + ending, "--project", "shop").out)) == 4
    assert all("/projects/shop/" in asked for asked in harbor.asked)


def test_a_project_of_digits_is_no_id(ask, harbor: FakeHarbor):
    assert names(ask(harbor.url, "--project", "42").out)[1:] == ["policy harbor-42-9"]


@pytest.mark.parametrize("part", ["shop", "1"])
def test_the_list_of_one_project_can_be_named(ask, harbor: FakeHarbor, part: str):
    ran = ask(f"{harbor.url}/api/v2.0/projects/{part}/webhook/policies")
    assert names(ran.out)[1:] == [f"policy harbor-shop-{number}" for number in (3, 4, 5)]


def test_a_project_that_the_user_may_not_read_is_said(ask, harbor: FakeHarbor):
    harbor.private = {"shop"}
    ran = ask(harbor.url)
    assert ran.code == 0
    assert names(ran.out)[1:] == ["policy harbor-42-9"]
    assert ran.err.startswith("shop: left out, this user may not read its webhooks\n")


def test_a_user_who_may_read_nothing_is_refused(ask, harbor: FakeHarbor):
    harbor.private = {"shop", "42", "empty"}
    ran = ask(harbor.url)
    assert (ran.code, ran.out) == (4, "")
    assert "that takes a project admin" in ran.err


@pytest.mark.parametrize(
    ("instead", "code", "said"),
    [
        ((401, {}, b"{}"), 4, "Harbor wants a user"),
        ((404, {}, b"{}"), 4, "has no projects/shop."),
        ((500, {}, b""), 3, "answers HTTP 500; try again"),
        ((429, {}, b""), 3, "answers HTTP 429; try again"),
        ((301, {"Location": "https://harbor.example"}, b""), 2, "redirects to https://harbor"),
        ((400, {}, b"{}"), 2, "does not speak like Harbor's API"),
        ((200, {}, b"<html>"), 2, "does not speak like Harbor's API"),
        ((200, {}, b'{"a": 1}'), 2, "does not speak like Harbor's API"),
        ((200, {}, b"[5]"), 2, "not what Harbor's API lists"),
    ],
)
def test_whatever_else_answers_is_told(
    ask, harbor: FakeHarbor, instead: tuple[int, dict[str, str], bytes], code: int, said: str
):
    harbor.instead = instead
    ran = ask(harbor.url, "--project", "shop")
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err


def test_projects_without_a_name_are_not_harbors(ask, harbor: FakeHarbor):
    harbor.instead = (200, {}, b"[5]")
    assert "does not speak like Harbor's API" in ask(harbor.url).err


def test_a_project_that_is_not_there_is_named(ask, harbor: FakeHarbor):
    ran = ask(harbor.url, "--project", "other")
    assert (ran.code, ran.err) == (4, f"Harbor at {harbor.url}/api/v2.0 has no projects/other.")


def test_a_wrong_password_is_refused(ask, harbor: FakeHarbor):
    ran = ask(harbor.url, HARBOR_PASSWORD="wrong")
    assert ran.code == 4
    assert "HARBOR_PASSWORD" in ran.err


def test_without_a_password_nothing_is_asked(ask, harbor: FakeHarbor):
    ran = ask(harbor.url, HARBOR_PASSWORD=None)
    assert (ran.code, ran.err) == (2, "No password for Harbor: set HARBOR_PASSWORD.")
    assert harbor.asked == []


def test_without_a_user_harbor_decides(run: Run, harbor: FakeHarbor):
    assert run("import", "harbor", harbor.url).code == 4


def test_a_harbor_that_is_away_is_told(ask):
    ran = ask("http://127.0.0.1:9")
    assert ran.code == 3
    assert ran.err.startswith("Harbor does not answer at http://127.0.0.1:9")


@pytest.mark.parametrize("options", [(), ("--insecure",)])
def test_a_port_that_speaks_no_tls_is_told(ask, harbor: FakeHarbor, options: tuple[str, ...]):
    ran = ask(harbor.url.replace("http:", "https:"), *options)
    assert ran.code == 3
    assert "Harbor does not answer" in ran.err


def test_a_password_in_clear_over_the_network_is_warned_of(ask):
    ran = ask("http://harbor.invalid", "--project", "shop")
    assert ran.code == 3
    assert ran.err.startswith("warning: the password goes to harbor.invalid in clear; use https.")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://admin:planted@harbor.example", "Leave the user out of the URL"),
        ("https://harbor.example:x", "is no URL"),
    ],
)
def test_a_url_that_cannot_be_asked_is_told(ask, url: str, said: str):
    ran = ask(url)
    assert ran.code == 2
    assert said in ran.err
    assert "planted" not in ran.err


@pytest.mark.parametrize("option", ["--source", "--managed-by"])
def test_a_name_that_is_none_is_refused(ask, option: str):
    ran = ask("nowhere.json", option, "Team A")
    assert (ran.code, ran.err.partition(":")[0]) == (2, "'Team A' is no name")


def test_it_is_applied_with_its_secrets_and_twice_is_once(
    ask, harbor: FakeHarbor, backend: Backend
):
    options = ("--apply", "--source", "harbor-eu", "--managed-by", "from-harbor")
    ran = ask(harbor.url, *options)
    assert ran.code == 0
    assert "planted" not in ran.out + ran.err
    assert ran.out.splitlines()[-1] == "created policy harbor-eu-42-9"
    (target,) = [row.spec for row in backend.store.targets.rows.values()]
    assert (target.auth, target.managed_by) == (BearerAuth(token="planted-token"), "from-harbor")
    policy = backend.store.policies.rows["harbor-eu-shop-3"].spec
    assert (policy.format, policy.match.sources) == ("cloudevents", ["harbor-eu"])
    assert ask(harbor.url, *options).out.splitlines()[-1].endswith(" 5 unchanged.")
    harbor.projects["42"][0]["targets"][0]["auth_header"] = "Bearer planted-other"
    ran = ask(harbor.url, *options, "--dry-run")
    assert "planted" not in ran.out
    assert ran.out.splitlines()[-1] == "1 to create, 1 to update, 4 unchanged."


@pytest.mark.parametrize("option", ["--apply", "--dry-run"])
def test_it_is_either_written_or_applied(ask, option: str):
    ran = ask("nowhere.json", option, "-o", "harbor.yaml")
    assert (ran.code, ran.err) == (2, "Either --output, or --apply and --dry-run.")


def test_a_dry_run_shows_what_would_be_applied(ask, harbor: FakeHarbor, backend: Backend):
    ran = ask(harbor.url, "--dry-run")
    assert ran.out.splitlines()[-1] == "5 to create, 0 to update, 0 unchanged."
    assert not backend.store.targets.rows


def test_an_address_that_the_api_refuses_is_told_and_nothing_is_written(
    ask, harbor: FakeHarbor, backend: Backend
):
    harbor.projects = {"shop": [webhook(3, address="http://10.1.2.3/hook")]}
    ran = ask(harbor.url, "--apply")
    assert ran.code == 2
    assert "10.1.2.3 is a private address (RFC 1918); PORTCALL_ALLOWED_NETWORKS" in ran.err
    assert f"{harbor.url}: target harbor-10.1.2.3-" in ran.err
    assert ran.err.endswith("1 wrong; nothing was changed.\n")
    assert not backend.store.policies.rows


def test_what_is_written_is_what_apply_reads(ask, run: Run, harbor: FakeHarbor, tmp_path: Path):
    ran = ask(harbor.url, "-o", "harbor.yaml", "--managed-by", "from-harbor")
    assert (ran.code, ran.out) == (0, "")
    text = (tmp_path / "harbor.yaml").read_text()
    assert text.splitlines()[2] == "managed_by: from-harbor"
    ran = run("apply", "-f", "harbor.yaml", **{VARIABLE: "planted-token"})
    assert (ran.code, ran.err) == (0, "")
    assert (
        ask(harbor.url, "--apply", "--managed-by", "from-harbor")
        .out.splitlines()[-1]
        .endswith("5 unchanged.")
    )


def test_secrets_are_written_to_the_owner_alone_where_that_is_wanted(
    ask, harbor: FakeHarbor, tmp_path: Path
):
    (tmp_path / "harbor.yaml").touch(mode=0o644)
    ran = ask(harbor.url, "--with-secrets", "-o", "harbor.yaml")
    file = tmp_path / "harbor.yaml"
    assert "token: planted-token" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "Set these" not in ran.err


def test_a_saved_list_is_read_from_a_file_or_stdin(run: Run, tmp_path: Path):
    text = json.dumps([webhook(3)])
    (tmp_path / "shop.json").write_text(text)
    ran = run("import", "harbor", "shop.json", "--project", "shop")
    assert names(ran.out) == [f"target {TARGET}", "policy harbor-shop-3"]
    assert run("import", "harbor", "-", "--project", "shop", stdin=text).out == ran.out
    many = json.dumps({"shop": [webhook(3)], "other": []})
    assert run("import", "harbor", "-", stdin=many).out == ran.out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "- is not JSON: "),
        ("[" * 100_000, "- is not JSON: "),
        ("[]", "This is the list of one project: say which with --project."),
        ('{"shop": [{"name": "x"}]}', "not what Harbor's API lists as webhook policies."),
    ],
)
def test_a_file_that_is_something_else_is_told(run: Run, text: str, said: str):
    ran = run("import", "harbor", "-", stdin=text)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_the_group_names_its_commands(run: Run):
    assert "harbor" in run("import", "--help").out
