import asyncio
import sys

import pytest

from tests.fixtures.portcall import ROOT


async def output_of(*arguments: str) -> str:
    """Run Python so and give what it printed."""
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
    return text


@pytest.mark.timeout(180)
async def test_the_benchmark_measures_both_and_compares_them() -> None:
    """The short form of `make bench`."""
    text = await output_of("-m", "bench", "--rounds", "1", "--count", "20", "--seconds", "1")
    assert "portcall/floor round by round: accepted" in text


@pytest.mark.timeout(180)
async def test_the_isolation_benchmark_compares_the_healthy_with_and_without_hanging_ones() -> None:
    """The short form of `make bench-isolation`."""
    brief = ("--targets", "3", "--rounds", "1", "--burst", "10", "--seconds", "2")
    text = await output_of("-m", "bench.isolation", *brief)
    assert "all answer" in text
    assert "1 of 3 hang" in text
    assert "hanging by healthy: p50" in text
