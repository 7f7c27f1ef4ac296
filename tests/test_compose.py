"""docker-compose.yml, .env.example and the Dockerfile, read as text: no engine is needed.

`make test-stack` runs the same files for real.
"""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from api.metrics import Metrics

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOT = {"temporal-schema", "init"}
LONG_RUNNING = SERVICES.keys() - ONE_SHOT
SECRETS = {"POSTGRES_PASSWORD", "PORTCALL_ADMIN_TOKEN", "PORTCALL_SECRET_KEY"}
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def example_settings() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text().splitlines()
    found = (re.fullmatch(r"#?([A-Z_]+)=(.*)", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


def test_the_file_follows_the_compose_specification() -> None:
    schema = json.loads((ROOT / "tests" / "data" / "compose-spec.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    assert [error.message for error in validator.iter_errors(COMPOSE)] == []


def test_the_schema_would_notice_a_misspelt_key() -> None:
    schema = json.loads((ROOT / "tests" / "data" / "compose-spec.json").read_text())
    wrong = {"services": {"api": {"image": "portcall", "restarts": "always"}}}
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(wrong))


def test_secrets_must_be_set_and_have_no_default() -> None:
    required = {name for name, kind, _ in VARIABLE.findall(TEXT) if kind == "?"}
    optional = {name for name, kind, _ in VARIABLE.findall(TEXT) if kind != "?"}
    assert required == SECRETS
    assert not required & optional
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|PWD|TOKEN|SECRET", name):
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", str(value)), name


def test_every_variable_is_in_the_example_with_its_default() -> None:
    used = {name: default for name, kind, default in VARIABLE.findall(TEXT) if kind != "?"}
    assert example_settings() == used | dict.fromkeys(SECRETS, "")


def test_the_example_says_how_to_make_each_secret() -> None:
    text = (ROOT / ".env.example").read_text()
    for name in SECRETS:
        comment = text.partition(f"\n{name}=")[0].rpartition("\n\n")[2]
        assert "Make one with: openssl rand" in comment, name


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_only_the_api_can_be_published_beyond_loopback(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        expected = "${PORTCALL_BIND:-127.0.0.1}:" if name == "api" else "127.0.0.1:"
        assert port.startswith(expected)


def test_the_database_is_not_published() -> None:
    assert "ports" not in SERVICES["postgresql"]


def test_workers_can_be_scaled() -> None:
    assert "ports" not in SERVICES["worker"]
    assert not [name for name, service in SERVICES.items() if "container_name" in service]


@pytest.mark.parametrize("name", sorted(LONG_RUNNING))
def test_what_goes_on_running_is_watched_and_restarted(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(ONE_SHOT))
def test_what_runs_once_is_not_restarted(name: str) -> None:
    assert SERVICES[name]["restart"] == "no"


def test_each_waits_for_what_it_needs() -> None:
    waits = {
        (name, needed): how["condition"]
        for name, service in SERVICES.items()
        for needed, how in service.get("depends_on", {}).items()
    }
    completed, healthy = "service_completed_successfully", "service_healthy"
    assert waits == {
        ("temporal-schema", "postgresql"): healthy,
        ("temporal", "temporal-schema"): completed,
        ("temporal-ui", "temporal"): healthy,
        ("init", "postgresql"): healthy,
        ("init", "temporal"): healthy,
        ("api", "init"): completed,
        ("worker", "init"): completed,
    }


def test_images_are_pinned_and_the_schema_tool_is_of_the_servers_version() -> None:
    tags = {
        service["image"].partition(":")[0]: service["image"].partition(":")[2]
        for service in SERVICES.values()
        if "build" not in service
    }
    assert all(re.fullmatch(r"\d+(\.\d+)+", tag) for tag in tags.values()), tags
    assert tags["temporalio/server"] == tags["temporalio/admin-tools"]


def test_data_is_kept_in_a_named_volume() -> None:
    assert SERVICES["postgresql"]["volumes"] == ["postgresql:/var/lib/postgresql/data"]
    assert set(COMPOSE["volumes"]) == {"postgresql"}


@pytest.mark.parametrize("name", ["init", "api", "worker"])
def test_portcall_runs_with_no_privilege(name: str) -> None:
    assert SERVICES[name]["read_only"] is True
    assert SERVICES[name]["cap_drop"] == ["ALL"]
    assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"]


def test_the_servers_files_are_in_the_repository() -> None:
    folder = ROOT / "deploy" / "temporal"
    assert (folder / "schema.sh").is_file()
    settings = yaml.safe_load((folder / "dynamic-config.yaml").read_text())
    assert settings["history.shardIOConcurrency"] == [{"value": 64}]
    assert all(list(values[0]) == ["value"] for values in settings.values())


def test_the_image_holds_locked_packages_and_an_ordinary_user() -> None:
    text = (ROOT / "Dockerfile").read_text()
    installs = re.findall(r"pip install (.*)", text)
    assert installs
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)
    assert re.search(r"^USER (\d+):\1$", text, re.MULTILINE)
    assert text.endswith('ENTRYPOINT ["portcall"]\n')
    assert not re.search(r"^(ARG|ENV) .*(PROXY|INDEX|PASSWORD|TOKEN|KEY)", text, re.MULTILINE)


def test_every_figure_of_the_api_is_documented_with_its_labels() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    rows = dict(re.findall(r"^\| `(portcall_\w+)` \| ([^|]*)\|", text, re.MULTILINE))
    documented = {
        name.removesuffix("_total"): re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", labels))
        for name, labels in rows.items()
    }
    metrics = Metrics()
    figures = (metrics.notifications, metrics.events, metrics.answer_seconds, metrics.inbox)
    assert documented == {figure._name: list(figure._labelnames) for figure in figures}
    assert {family.name for family in metrics.registry.collect()} == documented.keys()
