"""The network of a simulated process whose webhooks go through the real sender (`signalpost/sender`), over sockets on
virtual time. Calls to vendors stay calls, as in `network`. TLS is left out: it has tests of its own.

What endpoints answer is up to the world, as ever; how that goes over the wire is drawn here, until all is well
(`wire`). Whatever happens there, this must hold, and is looked at when an attempt ends:

- it ends once, in its time (C15);
- its request arrives once; a second time only if it went over a connection that had served before and ended without a
  byte of an answer, and then no third time (C16);
- it is delivered exactly if the whole of a 2xx answer to it came in time, and has the status that was answered;
- connections are as many as attempts under way and the pool may hold, and none that was idle for too long.
"""

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network
from itertools import count
from math import inf
from random import Random
from typing import NamedTuple

from gateway.tests.worker_on_loop import WorkerOnLoop
from gateway.tests.world import wire
from gateway.tests.world.network import NEVER, Network, Observer, SentRequest
from gateway.tests.world.sockets import FarEnd, Gone, SocketLoop
from gateway.tests.world.wire import Conversation, Manner
from msgspec.structs import replace

from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.request import OutgoingRequest, Target
from signalpost.sender.addresses import AllowedTarget, Guard
from signalpost.sender.sender import SWEEP_SECONDS, Sender, SenderSettings
from signalpost.sender.transport import Transport
from signalpost.workers import worker_transport
from signalpost.workers.worker_transport import MARGIN_SECONDS, WorkerTransport
from signalpost.workers.workers import Workers

ANYWHERE = Guard((AllowedTarget("http", None, IPv4Network("0.0.0.0/0"), None),))
MAX_ADDRESSES = 3
EARLIEST = 0.0001
LATEST = 0.002
"""The seconds that bytes are on their way, at least and at most."""
FORGOTTEN = (0.5, 1.0)
"""The share of connections that are forgotten together: some, or all."""


class Wires(NamedTuple):
    """What the wires of a world are like."""

    oddness: float
    """The share of requests whose answer comes in an unusual manner, or not."""
    unreached: float
    """The share of connections that are not made, or not at once."""
    kept: int
    """The most idle connections of a sender."""
    kept_seconds: float
    """For how long they may be idle."""
    worker_lasts: tuple[float, float] | None = None
    """After how many seconds the worker that sends is lost, and replaced; None if there is none, and the process sends
    itself."""


class Arrival:
    """A request that came to an endpoint."""

    __slots__ = ("at", "far", "has_answer_begun", "is_reused", "status", "whole_at")

    def __init__(self, at: float, far: FarEnd, *, is_reused: bool) -> None:
        self.at = at
        self.far = far
        self.is_reused = is_reused
        """Whether the connection had served another request before."""
        self.has_answer_begun = False
        self.status: int | None = None
        """The status of the final answer, once a part of it was written."""
        self.whole_at: float | None = None
        """When the last byte of an answer that can be understood was written."""


class SocketNetwork(Network):
    """The transport of one process: the real sender, and what is at the other end of its connections."""

    def __init__(
        self,
        observer: Observer,
        loop: SocketLoop,
        process: int,
        attempt_timeout: float,
        wires: Wires,
        random: Random,
        fail: Callable[[str, str], None],
    ) -> None:
        """`fail` is told of each rule that is broken."""
        super().__init__(observer, loop, process, attempt_timeout)
        self._sockets = loop
        self._wires = wires
        self._random = random
        self._fail = fail
        self._is_well = False
        self._reached_from = 0.0
        """From when on the node reaches its endpoints again."""
        self._running: dict[SentRequest, Callable[[Outcome], None]] = {}
        self._sent_as: dict[tuple[str, bytes], list[SentRequest]] = {}
        """What was sent to each host as these bytes. If a worker is lost, they may be sent again within a second."""
        self._arrivals: dict[SentRequest, list[Arrival]] = {}
        self._hosts: dict[str, str] = {}
        """The host at each address."""
        self._fars: set[FarEnd] = set()
        self._next_number = count(1).__next__
        self._tasks: set[asyncio.Task[None]] = set()
        self._senders: list[Sender] = []
        """Every sender that there was: one, or one for each worker."""
        self._sender = self._transport(
            SenderSettings(
                attempt_timeout=attempt_timeout,
                guard=ANYWHERE,
                idle_connections=wires.kept,
                idle_seconds=wires.kept_seconds,
            )
        )
        loop.connect = self._connect

    def _transport(self, settings: SenderSettings) -> Transport:
        if self._wires.worker_lasts is None:
            return self._make_sender(settings)
        clock = self._loop.time
        workers = Workers(1, loop=self._loop, start=self._start_worker, clock=clock)
        transport = WorkerTransport(settings, workers, loop=self._loop, wall=self._now, clock=clock)
        self._opening = self._loop.create_task(transport.open())
        return transport

    def _make_sender(self, settings: SenderSettings) -> Sender:
        sender = Sender(settings, loop=self._loop, wall=self._now, resolve=self._resolve, clock=self._loop.time)
        self._senders.append(sender)
        return sender

    def _start_worker(self) -> WorkerOnLoop:
        assert self._wires.worker_lasts is not None
        worker = WorkerOnLoop(self._make_sender)
        if not self._is_well:
            self._loop.call_later(self._random.uniform(*self._wires.worker_lasts), worker.kill)
        return worker

    def _now(self) -> int:
        return self._observer.wall.at(self._loop.time())

    @property
    def connections(self) -> int:
        """How many connections the sender has open."""
        self._fars = {far for far in self._fars if not far.is_near_closed}
        return len(self._fars)

    def part(self, seconds: float) -> None:
        """Cut the node off from all its endpoints: what is on its way stays there until then, or is lost."""
        self._reached_from = max(self._reached_from, self._loop.time() + seconds)
        self.forget()

    def forget(self) -> None:
        """What lies between forgets some of the connections, and tells no one."""
        share = self._random.choice(FORGOTTEN)
        for far in sorted(self._fars, key=lambda each: each.number):
            far.is_forgotten = far.is_forgotten or self._random.random() < share

    def heal(self) -> None:
        """From now on every answer comes at once."""
        self._is_well = True
        self._reached_from = self._loop.time()

    # --- What the engine asks for -------------------------------------------------------------------------------------

    def send(self, request: OutgoingRequest, done: Callable[[Outcome], None]) -> None:
        host = request.target.host
        if self._is_cut or self._observer.vendor(host) is not None:
            super().send(request, done)
            return
        now = self._loop.time()
        sent = SentRequest(request, self._process, now, self._observer.wall.at(now))
        self._running[sent] = done
        self._sent_as.setdefault((host, request.head + request.body), []).append(sent)
        self._arrivals[sent] = []
        self.max_in_flight = max(self.max_in_flight, len(self._running) + len(self._under_way))
        self._observer.sent(sent)
        plain = replace(request, target=Target("http", host, request.target.port))
        self._sender.send(plain, lambda outcome: self._ended(sent, outcome))
        if sent.outcome is not None:
            self._fail("told once", f"{sent} ended before it was sent")

    def _ended(self, sent: SentRequest, outcome: Outcome) -> None:
        if self._is_cut:
            return
        done = self._running.pop(sent, None)
        if done is None:
            self._fail("told once", f"{sent} ends once more")
            return
        sent.outcome, sent.ended_at = outcome, self._loop.time()
        self._judge(sent, outcome)
        self._observer.ended(sent)
        done(outcome)

    def cut(self) -> None:
        super().cut()
        self._running.clear()
        for connection in [connection for sender in self._senders for connection in sender._open]:
            connection.abandon()

    async def close(self, grace: float) -> None:
        await asyncio.gather(self._sender.close(grace), super().close(grace))
        if self._running:
            self._fail("told once", f"{len(self._running)} attempts never ended")
        if self.connections:
            self._fail("leaks", f"{self.connections} connections are open after the end")

    # --- What must hold -----------------------------------------------------------------------------------------------

    def _judge(self, sent: SentRequest, outcome: Outcome) -> None:
        took = sent.ended_at - sent.at
        most = self._attempt_timeout + SWEEP_SECONDS
        if self._wires.worker_lasts is not None:  # it may have waited for a worker before
            most += self._attempt_timeout + MARGIN_SECONDS + worker_transport.SWEEP_SECONDS
        if took > most + EARLIEST:
            self._fail("in time", f"{sent} took {took:.3f} s")
        last = next(reversed(self._arrivals[sent]), None)
        status, whole_at = (None, None) if last is None else (last.status, last.whole_at)
        if outcome.failure is None:
            if whole_at is None or not _is_success(status) or status != outcome.status:
                self._fail("taken", f"{sent} is taken for delivered ({outcome.status})")
        elif outcome.failure in (Failure.STATUS, Failure.REDIRECT):
            if status != outcome.status:
                self._fail("taken", f"{sent} is taken for answered {outcome.status}")
        elif outcome.failure is not Failure.INTERRUPTED and whole_at is not None and whole_at < sent.ended_at:
            self._fail("taken", f"{sent}: the whole answer came, and is taken for: {outcome.detail}")

    def _check_arrival(self, sent: SentRequest, arrival: Arrival, *, is_late: bool) -> None:
        before = self._arrivals[sent]
        if sent.outcome is not None and sent.ended_at + LATEST < arrival.at and not is_late:
            self._fail("doubled", f"{sent} arrives after its end")
        if len(before) > 1:
            self._fail("doubled", f"{sent} arrives once more, after {len(before)} times")
        if before and (not before[-1].is_reused or before[-1].has_answer_begun or not before[-1].far.is_closed):
            self._fail("doubled", f"{sent} arrives twice, and the first may be answered")

    def _check_connections(self) -> None:
        most = len(self._running) + self._wires.kept
        if self.connections > most:
            self._fail("leaks", f"{self.connections} connections, and there may be {most}")

    def check_rest(self) -> None:
        """Nothing is under way, and was not for longer than connections may be idle: so there are none."""
        if self._running:
            self._fail("told once", f"{next(iter(self._running))} never ended")
        if self.connections:
            self._fail("leaks", f"{self.connections} connections stay open though nobody uses them")

    # --- The way to endpoints -----------------------------------------------------------------------------------------

    async def _resolve(self, host: str, _port: int) -> Sequence[str]:
        if not self._is_well and self._random.random() < self._wires.unreached / 4:
            await asyncio.sleep(self._random.choice((0.0, 1.0)))
            raise OSError("no such name")
        number = sum(known == host for known in self._hosts.values())
        if not number:
            first = len(self._hosts) + 1
            for at in range(first, first + self._random.randrange(1, MAX_ADDRESSES + 1)):
                self._hosts[f"203.0.113.{at % 250}" if at < 250 else f"198.51.{at // 250}.{at % 250}"] = host
        return [address for address, known in self._hosts.items() if known == host]

    async def _connect(self, near: socket.socket, address: str, _port: int) -> None:
        await self._reach()
        await asyncio.sleep(self._latency())
        if not self._is_well and self._random.random() < self._wires.unreached:
            why = self._random.choice((errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ECONNRESET, None, None))
            if why is None:
                await asyncio.sleep(NEVER)
            raise OSError(why, "not connected")
        far = FarEnd(self._next_number(), near, self._sockets)
        self._fars.add(far)
        self._check_connections()
        task = self._loop.create_task(self._serve(far, self._hosts[address]))
        self._tasks.add(task)
        task.add_done_callback(self._served)

    def _served(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.result()

    async def _reach(self) -> bool:
        """Wait until the node reaches its endpoints. Returns whether it had to."""
        had_to = self._loop.time() < self._reached_from
        while (left := self._reached_from - self._loop.time()) > 0:
            await asyncio.sleep(left)
        return had_to

    def _latency(self) -> float:
        return self._random.uniform(EARLIEST, LATEST)

    async def _serve(self, far: FarEnd, host: str) -> None:
        """Answer one request after the other."""
        served = 0
        try:
            while not far.is_closed:
                request, is_late = await self._next(far, may_end=served > 0)
                sent = self._arriving(host, request, is_late=is_late)
                if sent is None:
                    self._fail("whole", f"{host} gets what nobody sent: {request[:100]!r}")
                    break
                arrival = Arrival(self._loop.time(), far, is_reused=served > 0)
                self._check_arrival(sent, arrival, is_late=is_late)
                self._arrivals[sent].append(arrival)
                await self._answer(far, sent, arrival)
                served += 1
        except Gone:
            pass
        finally:
            far.close()

    def _arriving(self, host: str, request: bytes, *, is_late: bool) -> SentRequest | None:
        """What was sent as these bytes: the last, unless what a lost worker sent before is still on its way."""
        if (alike := self._sent_as.get((host, request))) is None:
            return None
        *lost, last = alike
        since = -inf if is_late else self._loop.time() - LATEST
        return next((each for each in lost if not self._arrivals[each] and each.ended_at >= since), last)

    async def _next(self, far: FarEnd, *, may_end: bool) -> tuple[bytes, bool]:
        """The bytes of the next request, and whether they are late. An endpoint may end what is idle for long."""
        seconds = self._random.choice((1.0, 5.0, None)) if may_end and not self._is_well else None
        data, is_late = b"", False
        while not _is_whole(data):
            try:
                async with asyncio.timeout(seconds):
                    data += await far.read()
            except TimeoutError:
                raise Gone from None
            await asyncio.sleep(self._latency())
            is_late = await self._reach() or is_late
            if far.is_forgotten:
                await asyncio.sleep(NEVER)
        return data, is_late

    async def _answer(self, far: FarEnd, sent: SentRequest, arrival: Arrival) -> None:
        reply = self._observer.receiver(sent.host).answer(sent)
        sent.asked_for = reply.asked_for
        await asyncio.sleep(reply.after)
        await self._reach()
        if far.is_forgotten:
            await asyncio.sleep(NEVER)
        if reply.status is None:
            manner: Manner = wire.no_answer
        elif not self._is_well and self._random.random() < self._wires.oddness:
            manner = self._random.choice(wire.ODD)
        else:
            manner = wire.at_once
        await manner(Conversation(far, arrival, reply, self._random, self._loop.time))


def _is_success(status: int | None) -> bool:
    return status is not None and 200 <= status < 300


def _is_whole(data: bytes) -> bool:
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return False
    (length,) = (int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
    return len(body) >= length
