import asyncio
import sys

import pytest

from tests.fixtures.portcall import ROOT


@pytest.mark.timeout(180)
async def test_the_benchmark_measures_both_and_compares_them() -> None:
    """The short form of `make bench`."""
    arguments = ("-m", "bench", "--rounds", "1", "--count", "20", "--seconds", "1")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    text = output.decode()
    assert process.returncode == 0, text
    assert "portcall/floor round by round: accepted" in text
