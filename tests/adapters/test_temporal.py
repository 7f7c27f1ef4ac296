import asyncio
import os
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from portcall.adapters.temporal import TemporalEngine
from portcall.sources.kind import Notification
from portcall.sources.repeats import WINDOW, id_by_time
from tests.workflows.scripted import an_event

SECOND = timedelta(seconds=1)


async def test_settings_of_the_sdk_that_name_nothing_are_an_error_of_configuration(
    tmp_path: Path,
) -> None:
    """In a process of its own, whose environment it is."""
    script = (
        "import asyncio\n"
        "from portcall.adapters.temporal import connect\n"
        "from portcall.errors import ConfigurationError\n"
        "try: asyncio.run(connect())\n"
        "except ConfigurationError as error: print(error.message)\n"
    )
    env = {**os.environ, "TEMPORAL_PROFILE": "nobody", "HOME": str(tmp_path)}
    ran = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, env=env, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await ran.communicate()
    assert said == b"how to connect to Temporal is not clear: Profile 'nobody' not found\n"


def told(words: str, at: datetime):
    notification = Notification(source="quay", body=b"{}", received_at=at)
    update = {"id": id_by_time(notification, words), "received_at": at}
    return an_event().model_copy(update=update)


@pytest.mark.parametrize(
    ("gap", "repeats"), [(timedelta(seconds=WINDOW), True), (timedelta(seconds=WINDOW + 1), False)]
)
async def test_an_edge_of_the_clock_parts_no_repeat_from_its_event(
    temporal_client: Client, gap: timedelta, repeats: bool
) -> None:
    engine, words = TemporalEngine(temporal_client), uuid.uuid4().hex
    first = told(words, datetime.fromtimestamp(WINDOW * 29_000_000, UTC) - SECOND)
    again = told(words, first.received_at + gap)
    assert not (await engine.start(first, timeout=10 * SECOND)).duplicate
    started = await engine.start(again, timeout=10 * SECOND)
    assert (started.duplicate, started.event_id) == (repeats, (first if repeats else again).id)
