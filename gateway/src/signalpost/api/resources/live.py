"""What changes, as it changes: a stream of server-sent events that name topics and carry no data.

Whoever watches fetches what it shows of a topic again. Nothing waits for a slow reader: while one does not read, no
message is made for it, and the next one names all that changed meanwhile. A message's id is a revision, so that a
stream that broke off goes on where it was, on another connection too; on another node, or after a restart, everything
may have changed. All who watch together are told of at most `TOLD_PER_SECOND` changes a second, because each of them
then asks for what it shows.

What lanes of other nodes did is in no commit that this node follows. It is seen in the statistics that every node adds
to, which are looked at every few seconds.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence, Set
from contextlib import suppress
from math import inf
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from signalpost.api.http.response import CONTENT_TYPE, Response, Streamed
from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.queries import Query
from signalpost.api.routing.route import FOLLOWS, Example, Reply, Route
from signalpost.api.routing.shapes.live import Changed
from signalpost.domain.errors import SignalpostError, TooMany, Unauthenticated, Unavailable
from signalpost.domain.stats import WHOLE_TENANT
from signalpost.domain.timestamps import SECOND
from signalpost.engine.revisions import Topic
from signalpost.runtime.clock import Clock
from signalpost.store.stats import StatsStore

EVENT_STREAM: Final = "text/event-stream"
MIN_PAUSE: Final = 1.0
"""Seconds between two messages of a stream, at least."""
TOLD_PER_SECOND: Final = 4.0
SILENCE: Final = 5.0
"""After so many seconds without a change a message says up to where nothing changed. Proxies keep the connection."""
LOOK_ELSEWHERE_EVERY: Final = 5.0
LIFETIME: Final = 600.0
"""A stream ends after so many seconds. A client then opens another one."""
LAST_EVENT_ID: Final = b"last-event-id"
_HEADERS: Final = ((CONTENT_TYPE, EVENT_STREAM), ("x-accel-buffering", "no"))
"""The last one tells proxies to pass on each message at once."""
_BY_OTHER_NODES: Final = frozenset((Topic.DELIVERIES, Topic.REPLAYS))


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


async def follow(context: RequestContext) -> Response | Streamed:
    query: LiveQuery = context.query()
    position = context.request.header(LAST_EVENT_ID) or query.after
    if context.request.method == "HEAD":
        return Response(200, b"", _HEADERS)
    viewers, caller = context.services.limits.viewers, context.principal.key_id
    if not viewers.take(caller):
        detail = "Too many streams are open. Close one, or poll instead."
        raise TooMany("too_many_viewers", detail, retry_after=30)
    return Streamed(_Stream(context).messages(position), _HEADERS, at_end=lambda: viewers.give_back(caller))


class OtherNodes:
    """Whether lanes of other nodes did something, as far as statistics tell."""

    def __init__(self, stats: StatsStore, clock: Clock, tenant_id: int) -> None:
        self._stats = stats
        self._clock = clock
        self._tenant_id = tenant_id
        self._seen: Mapping[int, Sequence[int]] | None = None

    async def did_something(self) -> bool:
        """Whether attempts were counted since the last call, of this node or another. False for the first call, and
        where the database does not answer."""
        minute, before = self._clock.wall() // SECOND // 60 * 60, self._seen
        with suppress(SignalpostError):
            self._seen = await self._stats.read(self._tenant_id, WHOLE_TENANT, "minute", (minute - 60, minute))
        return before is not None and before != self._seen


class _Stream:
    def __init__(self, context: RequestContext) -> None:
        self._context = context
        self._services = context.services
        self._revisions = context.services.engine.revisions
        self._shares = context.services.store.fleet.terms.poll_every < inf
        """Whether other nodes may be at work."""
        self._other_nodes = OtherNodes(context.services.store.stats, context.services.clock, context.tenant_id)

    async def messages(self, position: str | None) -> AsyncGenerator[bytes, None]:
        """Messages that say what changed after a position, or from now on."""
        loop = asyncio.get_running_loop()
        gone = loop.create_task(self._context.request.gone())
        began = said = looked = loop.time()
        since, tenant_id = self._revisions.since, self._context.tenant_id
        topics = set() if position is None else since(tenant_id, position)
        try:
            position = self._revisions.position
            yield b"retry: 3000\n" + _message(position, topics)
            while loop.time() - began < LIFETIME:
                await asyncio.wait({gone}, timeout=self._pause)
                if gone.done() or not self._may_go_on():
                    return
                topics = since(tenant_id, position)
                if self._shares and loop.time() - looked >= LOOK_ELSEWHERE_EVERY:
                    looked = loop.time()
                    topics |= _BY_OTHER_NODES if await self._other_nodes.did_something() else set()
                if topics or loop.time() - said >= SILENCE:
                    position, said = self._revisions.position, loop.time()
                    yield _message(position, topics)
        finally:
            gone.cancel()

    @property
    def _pause(self) -> float:
        return max(MIN_PAUSE, self._services.limits.viewers.taken / TOLD_PER_SECOND)

    def _may_go_on(self) -> bool:
        """Whether the key is still good for the tenant. One that cannot be checked now is checked again later."""
        if self._services.directory.tenant_with(self._context.tenant_id) is None:
            return False
        try:
            with suppress(Unavailable):
                self._services.principals.check(self._context.principal)
        except Unauthenticated:
            return False
        return True


def _message(position: str, topics: Set[Topic]) -> bytes:
    """What changed up to a position; only that where nothing did."""
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
