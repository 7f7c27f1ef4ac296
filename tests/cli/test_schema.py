from pathlib import Path

from portcall.cli.schema import schema_text
from tests.cli.conftest import Run

COPY = Path(__file__).parents[2] / "docs" / "portcall.schema.json"


def test_the_schema_is_printed(run: Run):
    ran = run("schema")
    assert (ran.code, ran.out) == (0, schema_text())


def test_the_copy_in_the_docs_is_fresh():
    hint = "run: portcall schema > docs/portcall.schema.json"
    assert COPY.read_text() == schema_text(), hint
