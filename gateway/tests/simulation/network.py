"""The network of one process, and the receivers at its other end: fast, slow, dead, flapping, lying, limiting.

It takes the place of the real sender (`sender/transport.py`). A receiver sees a request at the moment it is sent, and
decides then what becomes of it; what the process is told comes later, or not at all.
"""

import asyncio
from collections.abc import Callable
from email.utils import formatdate
from random import Random
from typing import NamedTuple, Protocol

from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.request import Request
from signalpost.domain.timestamps import SECOND

TIMEOUT = 5.0
"""Seconds that an attempt has (C15)."""


class Reply(NamedTuple):
    """How one request ends."""

    after: float
    """Seconds; beyond the attempt's time it is a timeout."""
    status: int | None = 200
    failure: Failure | None = None
    """What goes wrong beside the status."""
    retry_after: str | None = None
    asked_for: float = 0.0
    """Seconds that `retry_after` surely asks for, an hour at most."""


class Sent:
    """A request as it left a process."""

    __slots__ = (
        "asked_for", "at", "attempt", "body", "ended_at", "event_id", "headers", "host", "is_extra", "is_replay",
        "is_test", "life", "outcome", "path", "sequence", "wall",
    )  # fmt: skip

    def __init__(self, request: Request, life: int, at: float, wall: int) -> None:
        start, *lines = request.head.decode("ascii").split("\r\n")
        headers: dict[str, str] = {}
        for line in lines:
            if line:
                name, _, value = line.partition(": ")
                assert name not in headers, f"the header {name} is there twice"
                headers[name] = value
        self.life = life
        self.at = at
        self.wall = wall
        self.host = request.target.host
        self.path = start.split(" ")[1]
        self.headers = headers
        self.body = request.body
        self.event_id = headers["webhook-id"]
        self.sequence = int(headers["signalpost-sequence"])
        self.attempt = int(headers["signalpost-attempt"])
        self.is_replay = "signalpost-replay" in headers
        self.is_test = "signalpost-test" in headers
        self.is_extra = False
        """It may be a person's retry of one that waits for its own: a failure of it need not count."""
        self.asked_for = 0.0
        """Seconds that the answer asked to wait."""
        self.outcome: Outcome | None = None
        """None while it is under way, and for ever if its process ended."""
        self.ended_at = 0.0

    @property
    def delivered(self) -> bool:
        return self.outcome is not None and self.outcome.failure is None

    @property
    def is_cut(self) -> bool:
        """Its process ended first, or cut it to end: nobody knows what became of it."""
        return self.outcome is None or self.outcome.failure is Failure.INTERRUPTED

    def __repr__(self) -> str:
        kind = " replay" if self.is_replay else " test" if self.is_test else ""
        end = "" if self.outcome is None else f", {self.outcome.failure or 'delivered'} at {self.ended_at:.3f}"
        return f"{self.host} #{self.sequence} attempt {self.attempt}{kind} of process {self.life} at {self.at:.3f}{end}"


# --- Receivers --------------------------------------------------------------------------------------------------------


class Receiver:
    """One endpoint. It changes its mind as time passes: see `MOODS`."""

    def __init__(self, mood: "Mood", random: Random) -> None:
        self.mood = mood
        self.since = 0.0
        """When it came into this mood."""
        self.random = random
        self.phase = random.random() * 100
        self.recent: list[float] = []

    def change(self, mood: "Mood", at: float) -> None:
        self.mood, self.since = mood, at

    def answer(self, at: float, wall: int) -> Reply:
        return self.mood(self, at, wall)


Mood = Callable[[Receiver, float, int], Reply]


def well(receiver: Receiver, _at: float, _wall: int) -> Reply:
    return Reply(receiver.random.uniform(0.001, 0.03), receiver.random.choice((200, 200, 201, 204)))


def slow(receiver: Receiver, _at: float, _wall: int) -> Reply:
    return Reply(receiver.random.choice((0.3, 1.0, 2.0, 4.0, 4.99, 5.01)))


def dead(receiver: Receiver, _at: float, _wall: int) -> Reply:
    random = receiver.random
    return random.choice(
        (
            Reply(0.002, None, Failure.CONNECT),
            Reply(0.002, None, Failure.CONNECT),
            Reply(1.0, None, Failure.DNS),
            Reply(100.0, None),
            Reply(0.05, None, Failure.TLS_EXPIRED),
        )
    )


def flapping(receiver: Receiver, at: float, wall: int) -> Reply:
    is_up = int((at + receiver.phase) / 20) % 2 == 0
    return (well if is_up else dead)(receiver, at, wall)


def lying(receiver: Receiver, at: float, wall: int) -> Reply:
    """Takes it and says so, but the answer does not come through whole."""
    random = receiver.random
    chance = random.random()
    if chance < 0.3:
        return Reply(random.uniform(0.001, 1.0), 200, Failure.RESET)
    if chance < 0.45:
        return Reply(random.uniform(0.001, 1.0), None, Failure.RESET)
    if chance < 0.55:
        return Reply(100.0, 200)
    if chance < 0.6:
        return Reply(0.01, None, Failure.PROTOCOL)
    return well(receiver, at, wall)


def failing(receiver: Receiver, at: float, wall: int) -> Reply:
    random = receiver.random
    if random.random() < 0.6:
        status = random.choice((500, 502, 404, 410, 302, 400, 503))
        return Reply(random.uniform(0.001, 0.1), status, Failure.REDIRECT if status == 302 else Failure.STATUS)
    return well(receiver, at, wall)


def broken(receiver: Receiver, _at: float, _wall: int) -> Reply:
    return Reply(receiver.random.uniform(0.001, 0.1), 500, Failure.STATUS)


def limiting(receiver: Receiver, at: float, wall: int) -> Reply:
    """Takes two a second, and says when to come again: in all the ways there are."""
    random = receiver.random
    receiver.recent = [earlier for earlier in receiver.recent if earlier > at - 1.0]
    if len(receiver.recent) < 2:
        receiver.recent.append(at)
        return well(receiver, at, wall)
    seconds = random.choice((0, 1, 5, 20, 40, 40, 120))
    if random.random() < 0.01:
        seconds = 86_400
    asked_for = min(seconds, 3_600.0)
    said, surely = random.choice(
        (
            (str(seconds), asked_for),
            (str(seconds), asked_for),
            (formatdate(wall / SECOND + seconds, usegmt=True), max(0.0, asked_for - 1.1)),
            ("soon", 0.0),
            (None, 0.0),
        )
    )
    return Reply(0.005, random.choice((429, 503)), Failure.STATUS, said, surely)


def moody(receiver: Receiver, at: float, wall: int) -> Reply:
    return receiver.random.choice((well, well, well, slow, dead, failing, lying))(receiver, at, wall)


MOODS: dict[str, Mood] = {
    "well": well, "slow": slow, "dead": dead, "flapping": flapping, "lying": lying, "failing": failing,
    "broken": broken, "limiting": limiting, "moody": moody,
}  # fmt: skip


# --- The process's side -----------------------------------------------------------------------------------------------


class Ears(Protocol):
    """Who is told of what goes over the network."""

    def wall_at(self, time: float) -> int: ...

    def receiver(self, host: str) -> Receiver: ...

    def sent(self, sent: Sent) -> None: ...

    def ended(self, sent: Sent) -> None: ...


class Network:
    """The transport of one process."""

    def __init__(self, ears: Ears, loop: asyncio.AbstractEventLoop, life: int) -> None:
        self._ears = ears
        self._loop = loop
        self._life = life
        self.running: dict[Sent, Callable[[Outcome], None]] = {}
        self.dead = False
        """The process is no more: nothing that it still does reaches anybody."""

    def send(self, request: Request, done: Callable[[Outcome], None]) -> None:
        if self.dead:
            return
        now = self._loop.time()
        wall = self._ears.wall_at(now)
        sent = Sent(request, self._life, now, wall)
        self.running[sent] = done
        self._ears.sent(sent)
        reply = self._ears.receiver(sent.host).answer(now, wall)
        sent.asked_for = reply.asked_for
        self._loop.call_later(min(reply.after, TIMEOUT), self._end, sent, _outcome(reply, wall))

    def _end(self, sent: Sent, outcome: Outcome) -> None:
        done = self.running.pop(sent, None)
        if done is None or self.dead:
            return
        sent.outcome, sent.ended_at = outcome, self._loop.time()
        self._ears.ended(sent)
        done(outcome)

    async def close(self, grace: float) -> None:
        deadline = self._loop.time() + grace
        while self.running and self._loop.time() < deadline:
            await asyncio.sleep(0.01)
        for sent in list(self.running):
            wall = self._ears.wall_at(sent.at)
            self._end(sent, Outcome(failure=Failure.INTERRUPTED, detail="cut", started_at=wall))


def _outcome(reply: Reply, wall: int) -> Outcome:
    if reply.after >= TIMEOUT:
        elapsed = round(TIMEOUT * SECOND)
        return Outcome(failure=Failure.TIMEOUT, detail="no answer", started_at=wall, elapsed_us=elapsed)
    return Outcome(
        failure=reply.failure,
        status=reply.status,
        retry_after=reply.retry_after if reply.status in (429, 503) else None,
        started_at=wall,
        elapsed_us=round(reply.after * SECOND),
    )
