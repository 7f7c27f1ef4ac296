"""`/api/v1/policies/{name}/backtest`: what a policy would have matched in the log of events.

It answers within some ten seconds with what it has read by then, and where it goes on.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from api.authorization import admin_router
from api.problems import invalid, problems
from api.services import TheServices
from portcall.backtest import Backtest, examine
from portcall.log import Moment
from portcall.narrowing import bounds
from portcall.policies import Policy
from portcall.spec import Name

SECONDS = 10
PAGE = 200

router = admin_router("policies")


class TriedPolicy(Policy):
    """A policy that need not be stored; its name is the one in the path."""

    name: Name = Field(default="", description="the name in the path, or absent")


class Question(BaseModel):
    """Which policy, absent the stored one, and which part of the log."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"days": 7}]})

    policy: TriedPolicy | None = None
    days: Annotated[float, Field(gt=0, le=3650)] = 7
    since: Annotated[Moment | None, Field(description="instead of `days`")] = None
    cursor: Annotated[
        str | None, Field(max_length=500, description="`next_cursor` of the call before")
    ] = None
    limit: Annotated[int, Field(ge=1, le=10_000, description="events read in one call")] = 10_000


@router.post("/{name}/backtest", responses=problems(404))
async def backtest(services: TheServices, name: Name, question: Question | None = None) -> Backtest:
    """Say what a policy would have matched lately, as if it and its targets were enabled.

    Nothing is started. A call reads for ten seconds at most; ask again with `cursor` and the
    `since` of the answer for what is older, and add up.
    """
    question = question or Question()
    if question.policy and question.policy.name not in ("", name):
        raise invalid([{"field": "policy.name", "message": "another name than in the path"}])
    policy = question.policy or (await services.store.policies.get(name)).spec
    policy = policy.model_copy(update={"name": name, "enabled": True})
    since = question.since or datetime.now(UTC) - timedelta(days=question.days)
    log, within, cursor = services.events, bounds(policy), question.cursor
    found = Backtest(since=since, next_cursor=cursor)
    if cursor is None:
        everything, candidates = await log.count((), since), await log.count(within, since)
        ruled_out = max(0, everything - candidates)
        found = Backtest(since=since, candidates=candidates, ruled_out=ruled_out)
    deadline = time.monotonic() + SECONDS
    while True:
        limit = min(PAGE, question.limit - found.examined)
        events, cursor = await log.recorded(within, since, cursor=cursor, limit=limit)
        # Not on the event loop, on which notifications are taken: an expression takes its time.
        part = await asyncio.to_thread(examine, policy, events)
        found = found.plus(part.model_copy(update={"next_cursor": cursor}))
        if cursor is None or found.examined >= question.limit or time.monotonic() > deadline:
            return found
