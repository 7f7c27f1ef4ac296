"""How the settings of the network are read; `tests/cli` has how a wrong one is told."""

from ipaddress import ip_network

import pytest

from portcall.addresses import Allowed
from portcall.errors import ConfigurationError
from portcall.settings import load_settings


def set_to(monkeypatch, **values):
    for name, value in values.items():
        monkeypatch.setenv(f"PORTCALL_{name.upper()}", value)
    return load_settings()


def test_what_deliveries_may_reach_is_read_from_lists(monkeypatch):
    settings = set_to(
        monkeypatch,
        allowed_networks="10.0.0.0/8, fd00::/8",
        allowed_hosts="CI.corp.example , *.apps.example,",
        allowed_ports="80, 443,8000-9000",
        proxy_resolves="true",
    )
    assert settings.allowed == Allowed(
        (ip_network("10.0.0.0/8"), ip_network("fd00::/8")),
        ("ci.corp.example", "*.apps.example"),
        (range(80, 81), range(443, 444), range(8000, 9001)),
    )
    assert settings.proxy_resolves


def test_by_default_nothing_is_allowed_besides():
    settings = load_settings()
    assert settings.allowed == Allowed()
    assert not settings.proxy_resolves


def test_values_may_be_given_instead_of_texts():
    settings = load_settings(
        allowed_networks=(ip_network("10.0.0.0/8"),),
        allowed_hosts=("ci.example",),
        allowed_ports=(range(80, 81),),
    )
    assert settings.allowed == Allowed(
        (ip_network("10.0.0.0/8"),), ("ci.example",), (range(80, 81),)
    )


@pytest.mark.parametrize("value", ["http://ci.example", "*", "ci.*.example", "a b", "*.", "a..b"])
def test_what_is_no_host_is_refused(monkeypatch, value):
    with pytest.raises(ConfigurationError, match=r"PORTCALL_ALLOWED_HOSTS: .*write hosts like"):
        set_to(monkeypatch, allowed_hosts=value)


@pytest.mark.parametrize("value", ["http", "0", "0-10", "65536", "90-80", "80-", "-80", "80;443"])
def test_what_is_no_port_is_refused(monkeypatch, value):
    with pytest.raises(ConfigurationError, match=r"PORTCALL_ALLOWED_PORTS: .*write ports like"):
        set_to(monkeypatch, allowed_ports=value)
