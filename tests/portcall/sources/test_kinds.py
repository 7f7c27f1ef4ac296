import sys

import pytest

from portcall.errors import ConfigurationError
from portcall.sources.kinds import load_kinds

PLUGIN = """
class Depot:
    kind = "depot"
    body_limit = 1024
    signature = None
    mapping_use = "none"
    def parse(self, notification):
        return notification

depot = Depot()
harbor = Depot()
harbor.kind = "harbor"
no_kind = object()
loud = Depot()
loud.kind = "Depot!"
dumb = Depot()
dumb.parse = None
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a package `portcall-more` that has this entry point."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "portcall_more.py").write_text(PLUGIN)
    metadata = tmp_path / "portcall_more-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: portcall-more\nVersion: 1.0\n")

    def declare(*entry_points: str) -> None:
        lines = ["[portcall.sources]", *entry_points]
        (metadata / "entry_points.txt").write_text("\n".join(lines))

    yield declare
    sys.modules.pop("portcall_more", None)


def test_the_built_in_kinds_are_there_under_their_names():
    kinds = load_kinds()
    assert kinds.keys() >= {"distribution", "harbor", "proposal"}
    assert all(kind.kind == name and kind.body_limit > 0 for name, kind in kinds.items())


@pytest.mark.parametrize("what", ["Depot", "depot"])
def test_another_package_adds_a_kind_by_class_or_instance(install, what):
    install(f"depot = portcall_more:{what}")
    assert load_kinds()["depot"].body_limit == 1024


@pytest.mark.parametrize(
    ("entry_point", "why"),
    [
        ("mine = portcall_more:harbor", "the name 'harbor' is taken already"),
        ("mine = portcall_more:nothing", "AttributeError"),
        ("mine = no_such_module", "ModuleNotFoundError"),
        ("mine = portcall_more:no_kind", "AttributeError"),
        ("mine = portcall_more:loud", "not as the protocol says"),
        ("mine = portcall_more:dumb", "not as the protocol says"),
    ],
)
def test_a_broken_entry_point_is_named_with_its_package(install, entry_point, why):
    install(entry_point)
    with pytest.raises(ConfigurationError, match=r"'mine'.*portcall-more") as refused:
        load_kinds()
    assert why in refused.value.message


def test_no_two_packages_bring_the_same_kind(install):
    install("depot = portcall_more:depot", "depot2 = portcall_more:Depot")
    with pytest.raises(ConfigurationError, match="'depot2'"):
        load_kinds()
