"""What changes, as it changes: a stream of server-sent events that name topics and carry no data.

A viewer then fetches again what it shows of that topic. Nothing waits for a slow reader: while one does not read, no
message is made for it, and the next one names all that changed meanwhile. A message's id is a revision, so that a
stream that broke off goes on where it was, on another connection too; on another node, or after a restart, everything
may have changed.

All who watch together are told of at most `TOLD_PER_SECOND` changes a second, because each of them then asks for what
it shows. Those who watch the same tenant are told at the same moments, so that what they ask for can be made once for
all of them (`console/shared_regions.py`).
"""

import asyncio
from collections.abc import AsyncGenerator, Set
from math import inf
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from signalpost.api.guards.callers import caller_of
from signalpost.api.http.response import CONTENT_TYPE, Response, StreamedResponse
from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.queries import Query
from signalpost.api.routing.route import FOLLOWS, Example, Reply, Route
from signalpost.api.routing.shapes.live import Changed
from signalpost.domain.errors import TooMany, Unauthenticated, Unavailable
from signalpost.engine.revisions import Topic

EVENT_STREAM: Final = "text/event-stream"
MIN_PAUSE: Final = 1.0
"""Seconds between two messages of a stream, if few watch."""
TOLD_PER_SECOND: Final = 4.0
SILENCE: Final = 5.0
"""Seconds without a change after which a message says up to where nothing changed, so that proxies keep the
connection."""
LIFETIME: Final = 600.0
"""Seconds after which a stream ends. A client then opens another one."""
LAST_EVENT_ID: Final = b"last-event-id"
_HEADERS: Final = ((CONTENT_TYPE, EVENT_STREAM), ("x-accel-buffering", "no"))
"""The last one tells proxies to pass on each message at once."""
_GOLDEN: Final = 0.6180339887
"""Multiples of this number, modulo 1, are far from one another, and so are the moments at which tenants are told."""


class LiveQuery(Query, frozen=True):
    after: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=40,
                pattern=r"^[0-9a-f]{1,16}-[0-9]{1,18}$",
                description="Only changes after the message with this `id`. The header `Last-Event-ID` does the same.",
            ),
        ]
        | None
    ) = None


async def follow(context: RequestContext) -> Response | StreamedResponse:
    query: LiveQuery = context.query()
    position = context.request.header(LAST_EVENT_ID) or query.after
    if context.request.method == "HEAD":
        return Response(200, b"", _HEADERS)
    viewers, caller = context.services.limits.viewers, caller_of(context.principal, context.tenant_id)
    if not viewers.take(caller):
        detail = "Too many streams are open. Close one, or poll instead."
        raise TooMany("too_many_viewers", detail, retry_after=30)
    return StreamedResponse(_Stream(context).messages(position), _HEADERS, at_end=lambda: viewers.give_back(caller))


class _Stream:
    def __init__(self, context: RequestContext) -> None:
        self._context = context
        self._services = context.services
        self._revisions = context.services.engine.revisions
        self._shares = context.services.store.fleet.terms.poll_every < inf
        """Whether other nodes may be at work."""

    async def messages(self, position: str | None) -> AsyncGenerator[bytes, None]:
        """Messages that say what changed after a position, or from now on."""
        loop = asyncio.get_running_loop()
        over = {loop.create_task(self._context.request.body.gone()), loop.create_task(self._key_ended())}
        began = said = loop.time()
        since, tenant_id = self._revisions.since, self._context.tenant_id
        topics = set() if position is None else since(tenant_id, position)
        try:
            position = self._revisions.position
            yield b"retry: 3000\n" + _message(position, topics)
            while loop.time() - began < LIFETIME:
                pause = pause_until_told(loop.time(), tenant_id, self._services.limits.viewers.taken)
                ended, _ = await asyncio.wait(over, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
                if ended or not await self._may_go_on():
                    return
                if self._shares:
                    await self._services.other_nodes.look(tenant_id)
                topics = since(tenant_id, position)
                if topics or loop.time() - said >= SILENCE:
                    position, said = self._revisions.position, loop.time()
                    yield _message(position, topics)
        finally:
            for each in over:
                each.cancel()

    async def _key_ended(self) -> None:
        """Wait until the key is revoked: the next message may be minutes away, if many watch."""
        directory = self._services.directory
        while await directory.key_ended.wait():
            if not await self._may_go_on():
                return

    async def _may_go_on(self) -> bool:
        """Whether the key is still good for the tenant, as far as that can be known now."""
        if self._services.directory.tenant_with(self._context.tenant_id) is None:
            return False
        try:
            await self._services.principals.check(self._context.principal)
        except (Unauthenticated, Unavailable):
            return False
        return True


def pause_until_told(now: float, tenant_id: int, watching: int) -> float:
    """Seconds until those who watch a tenant are told next: the same moments for all of them, other moments for another
    tenant. `watching` is how many watch in all. Moments that are just ahead are left out, so that no viewer is told
    twice at once."""
    between = max(MIN_PAUSE, watching / TOLD_PER_SECOND)
    left = between * (1 - (now / between + tenant_id * _GOLDEN) % 1)
    return left if left > between / 2 else left + between


def _message(position: str, topics: Set[Topic]) -> bytes:
    """What changed up to a position; only that if nothing did."""
    if not topics:
        return f"id: {position}\n\n".encode()
    said = msgspec.json.encode(Changed(topics=sorted(topics)))
    return f"id: {position}\nevent: changed\ndata: {said.decode()}\n\n".encode()


ROUTES = (
    Route(
        name="follow_changes",
        method="GET",
        path="/v1/live",
        summary="Follow what changes, by topic, as server-sent events",
        roles=FOLLOWS,
        handler=follow,
        query=LiveQuery,
        replies={
            200: Reply(
                "Messages of the event `changed`. They name topics: fetch again what you show of them. The stream "
                "ends after ten minutes, or when the key ends; `Last-Event-ID` resumes it.",
                Changed,
                media_type=EVENT_STREAM,
            )
        },
        errors=(TooMany,),
        example=Example(query={"after": "6457f0c8a3f10-412"}),
    ),
)
