"""The real transport: keeps every attempt's deadline, pools connections, and ends attempts.

An attempt is running, under its time limit, from `send` until it is ended; ending takes it out, tells `done`, and
happens once, by what comes first: its connection (an answer, a loss), its dialling (no connection), the sweep (the
deadline), or `close` (cut). What it held then, a connection or a dialling, is dropped with it unless the answer
left the connection fit to keep.

A connection is `_open` from its making to its loss; while idle it is also in the pool of its target (last in,
first out, so that the few needed stay warm and the rest grow old) and in `_idle`, oldest first. Both are
plain memory: a pool that is lost costs handshakes.

Most attempts have the same time; a request that names another is kept apart with its likes (`TimeLimit`), so that in
each lot the attempts are in the order of their deadlines, and one timer watches the first.
Sending on a pooled connection makes no task, no timer and no future; only a new connection takes a task.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from math import ceil
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from signalpost.domain.delivery.exchange import Trace
from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.request import OutgoingRequest, Target
from signalpost.domain.timestamps import SECOND
from signalpost.runtime.logger import log
from signalpost.sender.addresses import NO_EXCEPTIONS, Guard
from signalpost.sender.connection import EndpointConnection, RunningAttempt, Stage, TimeLimit
from signalpost.sender.dialer import Dialler
from signalpost.sender.egress_proxy import EgressProxy, ThroughProxy
from signalpost.sender.resolver import MAX_LOOKUPS, MAX_RUNNING, Names, Resolve, SystemResolver
from signalpost.sender.response_reader import AnswerReader
from signalpost.sender.tls_context import HTTP, endpoint_context, tls_context
from signalpost.sender.tls_sessions import MAX_SESSIONS, TlsSessions
from signalpost.sender.ways import DialFailed, Straight, Way

SWEEP_SECONDS = 0.02
"""Minimum seconds between two checks of the deadlines, and so the maximum by which an attempt may exceed its own."""

HANGUP_SECONDS = 1.5
"""Seconds that `close` waits for connections to close in good order."""


class SenderSettings(Struct, frozen=True, kw_only=True):
    """Settings of the sender; times in seconds."""

    attempt_timeout: float = 5.0
    """From the start of name resolution to the end of the answer (C15), unless the request names another time."""
    connect_timeout: float = 2.0
    """Time limit for a TCP connection to one of a host's addresses."""
    guard: Guard = NO_EXCEPTIONS
    proxy: EgressProxy | None = None
    """The proxy through which every connection goes; None: each goes straight to its target."""
    ca_file: Path | None = None
    """PEM file of authorities that are trusted besides the system's."""
    idle_seconds: float = 60.0
    """How long an idle connection is kept."""
    age_seconds: float = 300.0
    """How long a connection is used at all, so that the gateway follows a host to a new address."""
    idle_connections: int = 4_000
    """Maximum number of idle connections; each takes a file descriptor."""
    names_kept_seconds: float = 5.0
    """How long a host's addresses are cached."""
    lookups: int = MAX_LOOKUPS
    """Maximum number of names being looked up or queued."""
    running_lookups: int = MAX_RUNNING
    """Maximum number of look-ups that run, each on a thread."""
    sessions: int = MAX_SESSIONS
    """Maximum number of TLS sessions to keep."""

    def names(self, resolve: Resolve | None, clock: Callable[[], float]) -> Names:
        """What looks host names up, with the system's resolver if no other is given."""
        return Names(
            resolve or SystemResolver(self.running_lookups),
            self.names_kept_seconds,
            clock,
            limit=self.lookups,
            running=self.running_lookups,
        )

    def way(self, names: Names) -> Way:
        """The way of new connections."""
        seconds = self.connect_timeout
        return ThroughProxy(self.proxy, names, seconds) if self.proxy else Straight(seconds)

    def share(self, count: int) -> "SenderSettings":
        """The settings of each of so many senders that together keep to these. Attempts in flight are bounded by who
        sends them."""
        return replace(
            self,
            idle_connections=ceil(self.idle_connections / count),
            lookups=ceil(self.lookups / count),
            running_lookups=ceil(self.running_lookups / count),
            sessions=ceil(self.sessions / count),
        )


class Sender:
    """A `Transport` on the network. Belongs to one event loop."""

    def __init__(
        self,
        settings: SenderSettings,
        *,
        loop: asyncio.AbstractEventLoop,
        wall: Callable[[], int],
        resolve: Resolve | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`wall` is µs since the epoch. `clock` must advance as the loop's timers do; the loop's own
        `time()` will not do, as uvloop's stands still within a turn and counts milliseconds."""
        self._settings = settings
        self._loop = loop
        self._wall = wall
        self._clock = clock
        self._names = settings.names(resolve, clock)
        self._dialler = Dialler(
            names=self._names,
            guard=settings.guard,
            sessions=TlsSessions(
                tls_context(settings.ca_file, HTTP),
                lambda: wall() / SECOND,
                settings.sessions,
                lambda tls: endpoint_context(settings.ca_file, tls, HTTP),
            ),
            way=settings.way(self._names),
            clock=clock,
        )
        self._usual_limit = TimeLimit(settings.attempt_timeout)
        self._limits = {settings.attempt_timeout: self._usual_limit}
        """The time limits by their seconds. Requests name few different ones: each kind of destination has one."""
        self._open: set[EndpointConnection] = set()
        self._pools: dict[Target, list[EndpointConnection]] = {}
        self._idle: dict[EndpointConnection, None] = {}
        self._diallings: set[asyncio.Task[None]] = set()
        self._idle_timer: asyncio.TimerHandle | None = None
        self._closing = False
        self._drained = asyncio.Event()

    # Attempts

    def send(self, request: OutgoingRequest, done: Callable[[Outcome], None]) -> None:
        """See `Transport.send`."""
        started = self._clock()
        limit = self._usual_limit if request.seconds is None else self._limit(request.seconds)
        attempt = RunningAttempt(request, done, started, self._wall(), limit)
        limit.running[attempt] = None
        if self._closing:
            self._loop.call_soon(self.end, attempt, Failure.INTERRUPTED, _CUT)
            return
        if limit.timer is None:
            limit.timer = self._loop.call_later(limit.seconds, self._sweep, limit)
        connection = self._take_idle(request.target, started)
        if connection is None:
            self._dial(attempt)
        else:
            connection.run(attempt)

    def _limit(self, seconds: float) -> TimeLimit:
        limit = self._limits.get(seconds)
        if limit is None:
            limit = self._limits[seconds] = TimeLimit(seconds)
        return limit

    def unanswered(self, attempt: RunningAttempt) -> None:
        """See `Owner`."""
        # At most once: the connection it gets now has served no request before.
        if attempt in attempt.limit.running:
            self._dial(attempt)

    def end(
        self, attempt: RunningAttempt, failure: Failure | None, detail: str, answer: AnswerReader | None = None
    ) -> None:
        """See `Owner`."""
        running = attempt.limit.running
        if attempt not in running:
            return
        del running[attempt]
        elapsed_us = int((self._clock() - attempt.started) * 1e6)
        trace = _trace(attempt, answer) if failure is not None or attempt.request.traced else None
        if answer is None:
            outcome = Outcome(
                failure=failure, detail=detail, started_at=attempt.started_at, elapsed_us=elapsed_us, trace=trace
            )
        else:
            outcome = Outcome(
                failure=failure,
                status=answer.status,
                detail=detail,
                retry_after=None if failure is None else answer.retry_after(),
                answer=answer.kept,
                head=answer.head if attempt.request.keeps else b"",
                started_at=attempt.started_at,
                elapsed_us=elapsed_us,
                trace=trace,
                certificate_ends=attempt.certificate_ends,
            )
        if self._closing and not self._is_running:
            self._drained.set()
        try:
            attempt.done(outcome)
        except Exception:
            log.exception("an attempt's callback raised")

    def _cut(self, attempt: RunningAttempt, failure: Failure, detail: str) -> None:
        """End an attempt from outside, and drop all that it holds."""
        connection, dialling = attempt.connection, attempt.dialling
        answer = None
        if dialling is not None:
            dialling.cancel()
        if connection is not None:
            attempt.connection = None
            answer = connection.answer
            connection.abandon()
        self.end(attempt, failure, detail, answer)

    @property
    def _is_running(self) -> bool:
        return any(limit.running for limit in self._limits.values())

    def _sweep(self, limit: TimeLimit) -> None:
        """End overdue attempts, and schedule the next check."""
        limit.timer = None
        now = self._clock()
        overdue = []
        for attempt in limit.running:
            left = attempt.started + limit.seconds - now
            if left > 0:
                limit.timer = self._loop.call_later(max(left, SWEEP_SECONDS), self._sweep, limit)
                break
            overdue.append(attempt)
        for attempt in overdue:
            stage = attempt.stage
            if attempt.connection is not None:
                if attempt.connection.answer.began:
                    stage = Stage.ANSWERING
                elif attempt.connection.served:
                    self._drop_silent(attempt)
            failure = Failure.PROXY if stage is Stage.TUNNELLING else Failure.TIMEOUT
            self._cut(attempt, failure, f"{stage} within {limit.seconds:g} s.")

    # New connections

    def _dial(self, attempt: RunningAttempt) -> None:
        dialling = self._loop.create_task(self._run_on_new_connection(attempt))
        attempt.dialling = dialling
        # The loop itself holds its tasks only weakly.
        self._diallings.add(dialling)
        dialling.add_done_callback(self._diallings.discard)

    async def _run_on_new_connection(self, attempt: RunningAttempt) -> None:
        try:
            await self._dialler.run_on_new_connection(attempt, self)
            attempt.dialling = None
        except DialFailed as error:
            attempt.dialling = None
            self._cut(attempt, error.failure, error.detail)
        except Exception:
            log.exception("dialling failed with an unexpected error")
            attempt.dialling = None
            self._cut(attempt, Failure.CONNECT, "No connection could be made.")

    def opened(self, connection: EndpointConnection) -> None:
        """See `Owner`."""
        self._open.add(connection)

    def lost(self, connection: EndpointConnection) -> None:
        """See `Owner`."""
        self._open.discard(connection)
        self._forget_idle(connection)
        if self._pools.get(connection.target) == []:
            del self._pools[connection.target]
        self._loop.call_soon(connection.release)

    # Idle connections

    def idled(self, connection: EndpointConnection) -> None:
        """See `Owner`."""
        now = connection.idle_since = self._clock()
        if self._closing or now - connection.opened_at >= self._settings.age_seconds:
            connection.close()
            return
        pool = self._pools.get(connection.target)
        if pool is None:
            pool = self._pools[connection.target] = []
        pool.append(connection)
        self._idle[connection] = None
        if len(self._idle) > self._settings.idle_connections:
            self._drop_idle(next(iter(self._idle)))
        if self._idle_timer is None:
            self._idle_timer = self._loop.call_later(self._settings.idle_seconds, self._sweep_idle)

    def _take_idle(self, target: Target, now: float) -> EndpointConnection | None:
        pool = self._pools.get(target)
        while pool:
            connection = pool.pop()
            del self._idle[connection]
            if now - connection.opened_at < self._settings.age_seconds and connection.is_fit():
                return connection
            connection.close()
        return None

    def _forget_idle(self, connection: EndpointConnection) -> None:
        if connection in self._idle:
            del self._idle[connection]
            self._pools[connection.target].remove(connection)

    def _drop_idle(self, connection: EndpointConnection) -> None:
        self._forget_idle(connection)
        connection.close()

    def _drop_silent(self, attempt: RunningAttempt) -> None:
        """Nothing came to this attempt on a connection that had worked before. If a firewall has forgotten it, it has
        forgotten those that were idle meanwhile, too, and each would cost an attempt."""
        for connection in list(self._pools.get(attempt.request.target, ())):
            if connection.idle_since <= attempt.started:
                self._drop_idle(connection)

    def _sweep_idle(self) -> None:
        """Close connections that were idle for too long, and schedule the next check."""
        self._idle_timer = None
        now = self._clock()
        expired = []
        for connection in self._idle:
            left = connection.idle_since + self._settings.idle_seconds - now
            if left > 0:
                self._idle_timer = self._loop.call_later(max(left, 1.0), self._sweep_idle)
                break
            expired.append(connection)
        for connection in expired:
            self._drop_idle(connection)

    # The end

    async def close(self, grace: float) -> None:
        """See `Transport.close`."""
        self._closing = True
        for connection in list(self._idle):
            self._drop_idle(connection)
        if self._is_running:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drained.wait(), grace)
        # What their callbacks send now is not among them: `send` ends it.
        for attempt in [attempt for limit in self._limits.values() for attempt in limit.running]:
            self._cut(attempt, Failure.INTERRUPTED, _CUT)
        for timer in (*(limit.timer for limit in self._limits.values()), self._idle_timer):
            if timer is not None:
                timer.cancel()
        await asyncio.gather(*self._diallings, return_exceptions=True)
        await self._names.close()
        await self._hang_up()

    async def _hang_up(self) -> None:
        hangup = self._clock() + HANGUP_SECONDS
        while self._open:
            if self._clock() >= hangup:
                for connection in list(self._open):
                    connection.abort()
            await asyncio.sleep(0.01)


def _trace(attempt: RunningAttempt, answer: AnswerReader | None) -> Trace:
    """What went over the wire, as far as the attempt came."""
    ended, wire = attempt.stage_ended, attempt.wire
    return Trace(
        request_head=attempt.request.head,
        answer_head=b"" if answer is None else answer.head,
        address=None if wire is None else wire.address,
        tls=None if wire is None else wire.tls,
        is_new=bool(ended) or wire is None,
        name_us=_between(attempt.started, ended.get(Stage.RESOLVING)),
        connect_us=_between(ended.get(Stage.RESOLVING), ended.get(Stage.CONNECTING)),
        tls_us=_between(ended.get(Stage.CONNECTING), ended.get(Stage.SECURING)),
    )


def _between(began: float | None, ended: float | None) -> int | None:
    return None if began is None or ended is None else int((ended - began) * 1e6)


_CUT = "Signalpost was shut down before the answer came."
