import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from temporalio.testing import ActivityEnvironment

from activities.redeliver import FindInput, Redeliver, SendAgainInput
from portcall.errors import (
    ConflictError,
    EngineUnavailableError,
    InvalidInputError,
    NotFoundError,
)
from portcall.redeliveries import FailedCount, FailedFilter, FailedRun, Progress
from tests.fakes import FakeFailed

RUNS = [FailedRun(id=f"delivery:s:{number}:p:ci", run_id=f"run-{number}") for number in range(3)]
WANTED = FailedFilter(target="ci")


def given(*runs: FailedRun, per_second: float = 1000) -> SendAgainInput:
    return SendAgainInput(runs=runs, reason="repaired", per_second=per_second)


async def test_failed_deliveries_are_counted_and_found():
    failed = FakeFailed(list(RUNS))
    redeliver = Redeliver(failed)
    assert await ActivityEnvironment().run(redeliver.count_failed, WANTED) == FailedCount(count=3)
    wanted = FindInput(filter=WANTED, before=datetime.now(UTC))
    page = await ActivityEnvironment().run(redeliver.find_failed, wanted)
    assert (page.runs, page.after) == (tuple(RUNS), None)


async def test_each_is_sent_again_and_what_is_under_way_is_skipped():
    failed = FakeFailed(RUNS[:2])
    done = await ActivityEnvironment().run(Redeliver(failed).send_again, given(*RUNS))
    assert done == Progress(redelivered=2, skipped=1)
    assert failed.sent == [(run.id, "repaired", False) for run in RUNS[:2]]


async def test_a_second_try_says_so_to_whoever_resets():
    failed, environment = FakeFailed(RUNS[:1]), ActivityEnvironment()
    environment.info = replace(environment.info, attempt=2)
    await environment.run(Redeliver(failed).send_again, given(RUNS[0]))
    assert failed.sent == [(RUNS[0].id, "repaired", True)]


async def test_one_that_cannot_be_sent_again_stops_none_of_the_others():
    broken = {
        RUNS[0].id: NotFoundError("it is gone"),
        RUNS[1].id: ConflictError("it ended before it began"),
        RUNS[2].id: InvalidInputError("Temporal refuses this"),
    }
    last = FailedRun(id="delivery:s:3:p:ci", run_id="run-3")
    failed = FakeFailed([*RUNS, last], broken=broken)
    done = await ActivityEnvironment().run(Redeliver(failed).send_again, given(*RUNS, last))
    assert (done.redelivered, done.failed) == (1, 3)
    assert done.problem == f"{RUNS[2].id}: Temporal refuses this"


async def test_an_outage_fails_the_activity_so_that_temporal_repeats_it():
    failed = FakeFailed(list(RUNS), broken={RUNS[1].id: EngineUnavailableError("away")})
    with pytest.raises(EngineUnavailableError):
        await ActivityEnvironment().run(Redeliver(failed).send_again, given(*RUNS))


async def test_no_more_than_so_many_are_sent_a_second():
    began = time.monotonic()
    slowly = given(*RUNS, per_second=20)
    await ActivityEnvironment().run(Redeliver(FakeFailed(list(RUNS))).send_again, slowly)
    assert time.monotonic() - began >= 0.1
