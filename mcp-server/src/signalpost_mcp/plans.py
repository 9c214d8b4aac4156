"""Replays: planned by one call, and started by another that says the same number.

A person who is asked to approve the second call sees how much it sends. The token of the plan is its
`Idempotency-Key`, so that no repeat of the call sends anything twice.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import AwareDatetime

from signalpost_client import AsyncClient, NoAnswer, shapes
from signalpost_mcp.reading import first
from signalpost_mcp.refusals import told_to_assistant
from signalpost_mcp.view import Json, as_text

PLAN_LASTS = timedelta(hours=1)
"""Less than the gateway remembers an `Idempotency-Key`, and not so long that a person forgot what was approved."""
MAX_PLANS = 100
MAX_COUNTED = 1_000
"""How far `plan_replay` counts with a key that may only read."""


@dataclass
class Plan:
    """A replay that was counted."""

    subscription_id: str
    since: datetime
    until: datetime
    count: int
    made_at: datetime
    may_be_started: bool = False
    """Whether it was started, or may have been: then its events are not counted once more."""


class ReplayCounter:
    """Plans with a key that may only read: counts, and no way to send."""

    def __init__(self, client: AsyncClient, now: Callable[[], datetime]) -> None:
        self._client = client
        self._now = now

    async def plan_replay(self, subscription_id: str, since: AwareDatetime, until: AwareDatetime | None = None) -> str:
        """Count the failed deliveries of events since a time that a replay would send again. Sends nothing."""
        until = until or self._now()
        with told_to_assistant():
            pages = self._client.subscriptions.list_deliveries(subscription_id, status="failed", from_=since, to=until)
            found, are_more = await first(pages, MAX_COUNTED)
        told: Json = {"count": len(found), "thereAreMore": are_more, "since": since, "until": until}
        return as_text({**told, "note": "A person can send them: signalpost replay. This assistant may not."})


class Replays:
    """Plans that can be carried out."""

    def __init__(self, client: AsyncClient, now: Callable[[], datetime]) -> None:
        self._client = client
        self._now = now
        self._plans: dict[str, Plan] = {}

    async def plan_replay(self, subscription_id: str, since: AwareDatetime, until: AwareDatetime | None = None) -> str:
        """Count the failed deliveries of events since a time that a replay would send again. Sends nothing. Tell the
        person the count; `replay` wants it, and the token."""
        now = self._now()
        plan = Plan(subscription_id, since, until or now, 0, now)
        with told_to_assistant():
            counted = await self._counted(plan)
        if counted.count_is_capped:
            raise ToolError(f"It is more than {counted.count}. Plan a shorter time.")
        plan.count = counted.count
        told: Json = {"count": plan.count, "leftOut": counted.left_out, "since": plan.since, "until": plan.until}
        return as_text({**told, "token": self._kept(plan)} if plan.count else told)

    async def replay(self, token: str, count: int) -> str:
        """Send again what `plan_replay` counted. Ask the person before you call it."""
        plan = self._plans.get(token)
        if plan is None or plan.made_at + PLAN_LASTS < self._now():
            raise ToolError("There is no such plan, or it is older than an hour. Nothing was sent. Call plan_replay.")
        if count != plan.count:
            raise ToolError(f"The plan's count is {plan.count}, and not {count}. Nothing was sent. Ask the person.")
        with told_to_assistant():
            if not plan.may_be_started:
                await self._check_count(plan)
            return as_text(await self._started(token, plan))

    async def _check_count(self, plan: Plan) -> None:
        """Raises ToolError if the replay would no longer send as many as the person was told."""
        counted = await self._counted(plan)
        if counted.count != plan.count:
            raise ToolError(
                f"Since the plan was made, its count changed from {plan.count} to {counted.count}. Nothing was sent. "
                "Call plan_replay again, and ask the person."
            )

    async def _started(self, token: str, plan: Plan) -> Json:
        try:
            found = await self._client.subscriptions.start_replay(
                plan.subscription_id, status="failed", from_=plan.since, to=plan.until, idempotency_key=token
            )
        except NoAnswer as error:
            plan.may_be_started |= error.outcome_unknown
            raise
        assert isinstance(found, shapes.StartedReplay)
        plan.may_be_started = True
        return {"replay": found.id, "state": found.state, "count": found.count}

    async def _counted(self, plan: Plan) -> shapes.ReplayCount:
        found = await self._client.subscriptions.start_replay(
            plan.subscription_id, status="failed", from_=plan.since, to=plan.until, dry_run=True
        )
        assert isinstance(found, shapes.ReplayCount)
        return found

    def _kept(self, plan: Plan) -> str:
        """Keep a plan, and forget the oldest if there are too many. Returns its token."""
        while len(self._plans) >= MAX_PLANS:
            del self._plans[next(iter(self._plans))]
        token = str(uuid.uuid4())
        self._plans[token] = plan
        return token
