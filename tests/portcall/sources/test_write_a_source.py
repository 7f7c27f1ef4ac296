"""The example of the guide is a real package: what the page shows is what is tested here."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from portcall.sources.kinds import load_kinds

DOCS = Path(__file__).parents[3] / "docs"
EXAMPLE = DOCS / "examples" / "write_a_source"
PAGE = (DOCS / "write-a-source.md").read_text()


@pytest.mark.parametrize("file", sorted(EXAMPLE.glob("*.*")), ids=lambda file: file.name)
def test_the_page_shows_the_files_of_the_example(file):
    assert f"\n{file.read_text().strip()}\n```" in PAGE


def test_the_tests_of_the_example_pass():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null"]
    environment = {"PYTHONPATH": f"{EXAMPLE}:{DOCS.parent}", "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(
        [*command, EXAMPLE], env=environment, capture_output=True, text=True, check=False
    )
    assert "3 passed" in ran.stdout, ran.stdout


def test_the_example_is_found_through_its_entry_point(tmp_path, monkeypatch):
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    metadata = tmp_path / "portcall_depot-1.0.0.dist-info"
    metadata.mkdir()
    name, version = project["name"], project["version"]
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    ((group, entries),) = project["entry-points"].items()
    lines = [f"[{group}]", *(f"{key} = {place}" for key, place in entries.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(EXAMPLE))
    depot = load_kinds()["depot"]
    sys.modules.pop("portcall_depot")
    assert depot.signature is not None
    assert depot.signature.header == "X-Depot-Signature"
