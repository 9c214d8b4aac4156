"""Does it bite at the socket? Faults planted into the sender, one at a time. The worlds in which the real sender speaks
over sockets must find each, by what endpoints see and by what becomes of their answers. `make planted-sockets` tells
after how many seeds each was found and by which rule."""

import sys
from pathlib import Path
from random import Random
from typing import Any

from gateway.tests.joints.plan import draw_sockets
from gateway.tests.joints.runner import simulate
from gateway.tests.simulation.planting import Faults
from gateway.tests.world.socket_network import Wires

from signalpost.domain.delivery.outcome import Failure
from signalpost.engine.lanes.attempts import Attempts
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.sender.connection import EndpointConnection, RunningAttempt
from signalpost.sender.response_reader import AnswerReader
from signalpost.sender.sender import Sender

HEAD_END = b"\r\n\r\n"


def live(seed: int, folder: Path) -> None:
    simulate(seed, folder, draw_sockets(Random(seed)))


def live_with_many_kept(seed: int, folder: Path) -> None:
    """With many connections at once, which are kept."""
    plan = draw_sockets(Random(seed))._replace(
        webhooks=1, connectors=0, documents=8, pauses=(0.01, 0.1), reply_after=(0.3, 3.0), failing=0.0, conditions=0.0,
        delays=0.0, owning=0.0, erasing=0.0, kills=0, troubles=0, partings=0, retries=((1, 2, 4, 8),),
        wires=Wires(oddness=0.0, unreached=0.0, kept=4_000, kept_seconds=60.0),
    )  # fmt: skip
    simulate(seed, folder, plan)


FAULTS = Faults(live, most=60)
fault = FAULTS.fault


# --- Sent once --------------------------------------------------------------------------------------------------------


@fault("repeats at once what was reset after it was sent", EndpointConnection, "connection_lost")
def _(right: Any) -> Any:
    def connection_lost(self: EndpointConnection, exc: Exception | None) -> None:
        self.served += 1
        right(self, exc)

    return connection_lost


@fault("repeats at once what was answered in part", EndpointConnection, "connection_lost")
def _(right: Any) -> Any:
    def connection_lost(self: EndpointConnection, exc: Exception | None) -> None:
        self.answer.began = False
        right(self, exc)

    return connection_lost


@fault("repeats at once what got no answer in time", Sender, "_cut")
def _(right: Any) -> Any:
    def cut(self: Sender, attempt: RunningAttempt, *given: Any) -> None:
        connection = attempt.connection
        if connection is None or connection.answer.began:
            right(self, attempt, *given)
            return
        attempt.connection = None
        connection.abandon()
        self.unanswered(attempt)

    return cut


# --- In its time ------------------------------------------------------------------------------------------------------


@fault("begins its time anew with each byte of an answer", EndpointConnection, "data_received")
def _(right: Any) -> Any:
    def data_received(self: EndpointConnection, data: bytes) -> None:
        attempt = self._attempt
        if attempt is not None:
            attempt.started = self._now()
        right(self, data)

    return data_received


@fault("begins its time once it is connected", EndpointConnection, "connection_made")
def _(right: Any) -> Any:
    def connection_made(self: EndpointConnection, transport: Any) -> None:
        assert self._first is not None
        self._first.started = self._now()
        right(self, transport)

    return connection_made


# --- What counts as an answer -----------------------------------------------------------------------------------------


@fault("takes 100 Continue for the answer", AnswerReader, "_feed_heads")
def _(right: Any) -> Any:
    def feed_heads(self: AnswerReader, data: bytes) -> bytes | None:
        head, end, rest = (self._held + data).partition(HEAD_END)
        if not end or not head.startswith(b"HTTP/1.1 100"):
            found: bytes | None = right(self, data)
            return found
        self.status, self._head, self._complete, self._keep_alive = 200, head + end, True, True
        return rest

    return feed_heads


@fault("takes the end of the connection for the end of the answer", AnswerReader, "end")
def _(_right: Any) -> Any:
    return lambda self: self.status is not None


@fault("takes the head of an answer for the whole", AnswerReader, "feed")
def _(right: Any) -> Any:
    def feed(self: AnswerReader, data: bytes) -> bool:
        return bool(right(self, data)) or self.status is not None

    return feed


# --- What is kept for the next ----------------------------------------------------------------------------------------


@fault("keeps a connection whose answer never came", EndpointConnection, "abandon")
def _(_right: Any) -> Any:
    def abandon(self: EndpointConnection) -> None:
        self._attempt = None
        self.answer = AnswerReader()
        self._owner.idled(self)

    return abandon


@fault("trusts what was idle beside a connection that went silent", Sender, "_drop_silent", live_with_many_kept)
def _(_right: Any) -> Any:
    return lambda *_: None


@fault("takes what comes on an idle connection for the next answer", EndpointConnection, "data_received")
def _(right: Any) -> Any:
    kept: dict[EndpointConnection, bytes] = {}

    def data_received(self: EndpointConnection, data: bytes) -> None:
        if self._attempt is None:
            kept[self] = data
        else:
            right(self, kept.pop(self, b"") + data)

    return data_received


# --- What is given back -----------------------------------------------------------------------------------------------


@fault("leaves a connection open whose attempt is over", EndpointConnection, "abandon")
def _(_right: Any) -> Any:
    def abandon(self: EndpointConnection) -> None:
        self._attempt = None

    return abandon


@fault("keeps idle connections for ever", Sender, "_drop_idle")
def _(_right: Any) -> Any:
    return lambda *_: None


@fault("gives no slot back for what was reset", Attempts, "_done")
def _(right: Any) -> Any:
    def done(self: Attempts, worker: LaneWorker, *given: Any) -> None:
        *_, outcome = given
        if outcome is not None and outcome.failure is Failure.RESET:
            worker.slots.take()
        right(self, worker, *given)

    return done


@fault("tells nobody of an attempt that was reset", Sender, "end")
def _(right: Any) -> Any:
    def end(self: Sender, attempt: RunningAttempt, failure: Any, *given: Any) -> None:
        if failure is Failure.RESET and attempt.connection is None:
            attempt.limit.running.pop(attempt, None)
        else:
            right(self, attempt, failure, *given)

    return end


if __name__ == "__main__":
    sys.exit(FAULTS.main(__doc__))
