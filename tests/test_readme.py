import re
import subprocess
from pathlib import Path

import pytest

from portcall.attempts import EventOutcome, Outcome
from portcall.formats.known import load_formats
from portcall.ids import SEARCH_ATTRIBUTES
from portcall.log import Filter
from portcall.settings import Settings
from portcall.sources.kinds import load_kinds

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
WORDS = {
    "setting": [f"PORTCALL_{name.upper()}" for name in Settings.model_fields],
    "kind of source": list(load_kinds()),
    "format": list(load_formats()),
    "search filter": list(Filter.model_fields),
    "search attribute": [key.name for key in SEARCH_ATTRIBUTES],
    "outcome": [outcome.value for outcome in (*Outcome, *EventOutcome)],
}


@pytest.mark.parametrize("what", WORDS)
def test_the_readme_names_every(what: str) -> None:
    assert [word for word in WORDS[what] if f"`{word}`" not in README] == []


def test_the_readme_names_no_setting_that_does_not_exist() -> None:
    named = set(re.findall(r"PORTCALL_[A-Z_]+", README))
    assert named - set(WORDS["setting"]) == {"PORTCALL_DEBUG"}


def anchors(page: Path) -> set[str]:
    """Give the anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)", page.read_text())
    for path, anchor in links:
        goal = page.parent / path if path else page
        assert goal.exists(), path
        assert not anchor or anchor in anchors(goal), f"{path}#{anchor}"


def test_every_page_can_be_reached_from_the_readme() -> None:
    linked = {(ROOT / path).resolve() for path in re.findall(r"\]\(([^)#:]+)\)", README)}
    missed = [page for page in PAGES if page.name != "README.md" and page not in linked]
    assert [page for page in missed if page.parent not in linked] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|\$ )make ([a-z-]+)", page.read_text()))
    assert named - targets == set()


def test_make_alone_lists_the_two_commands() -> None:
    said = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "make demo " in said
    assert "make test " in said


def test_the_readme_stays_readable() -> None:
    assert len(README.splitlines()) < 250
