"""`signalpost` that dies at a named moment. A program of its own: `crash_points.py POINT TIMES serve …`.

At the TIMES-th passing of POINT the process kills itself: no `finally`, no flush, no goodbye. The parts that it is
wired with are the gateway's own, each with a word before or after what it does.
"""

import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from signalpost import start_apps
from signalpost.api.app import Api
from signalpost.cli.main import main
from signalpost.commands.command import Command
from signalpost.domain.delivery.outcome import Failure
from signalpost.listener.application import App, ArrivingBody, Head, Steps
from signalpost.sender import dialer
from signalpost.sender.connection import EndpointConnection, RunningAttempt
from signalpost.store import open as opening
from signalpost.store.nouns.lanes import LaneFlush, LaneFlushed, LaneRow, LaneWanted
from signalpost.store.sqlite import store
from signalpost.store.sqlite.nouns.fleet import SqliteFleet
from signalpost.store.sqlite.nouns.lanes import SqliteLanes
from signalpost.store.sqlite.store import SqliteStore
from signalpost.store.sqlite.writer import Job, Writer
from signalpost.store.store import PublishedBatch

POINTS = (
    "start-up",
    "before a commit",
    "after a commit",
    "before an answer",
    "after a request is written",
    "after an answer is read",
    "before a record",
    "after a record",
    "shutdown",
)


class Doom:
    def __init__(self, point: str, times: int) -> None:
        self._point = point
        self._left = times

    def pass_by(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class DoomedWriter(Writer):
    """`under_way`: what its jobs are for."""

    under_way: Sequence[str] = ()

    def _commit(self, jobs: list[Job]) -> list[Any]:
        def last(_connection: object) -> None:
            for what in self.under_way:
                doom.pass_by(f"before {what}")

        results = super()._commit([*jobs, last])
        for what in self.under_way:
            doom.pass_by(f"after {what}")
        return results[:-1]


class DoomedFleet(SqliteFleet):
    async def claim(self, wanted: Sequence[LaneWanted]) -> dict[int, LaneRow]:
        for _ in wanted:
            doom.pass_by("start-up")
        return await super().claim(wanted)


class DoomedLanes(SqliteLanes):
    async def record(self, flushes: Sequence[LaneFlush]) -> dict[int, LaneFlushed]:
        with _UnderWay(self._writer, "a record"):
            return await super().record(flushes)


class DoomedStore(SqliteStore):
    async def publish(self, commands: Sequence[Command[Any]]) -> PublishedBatch:
        with _UnderWay(self.writer, "a commit"):
            return await super().publish(commands)

    async def close(self) -> None:
        doom.pass_by("shutdown")
        await super().close()


class _UnderWay:
    def __init__(self, writer: Writer, what: str) -> None:
        assert isinstance(writer, DoomedWriter)
        self._writer = writer
        self._what = what

    def __enter__(self) -> None:
        self._writer.under_way = (*self._writer.under_way, self._what)

    def __exit__(self, *_: object) -> None:
        left = list(self._writer.under_way)
        left.remove(self._what)
        self._writer.under_way = tuple(left)


class DoomedConnection(EndpointConnection):
    def run(self, attempt: RunningAttempt) -> None:
        super().run(attempt)
        doom.pass_by("after a request is written")

    def _finish(self, attempt: RunningAttempt, failure: Failure | None, detail: str) -> None:
        doom.pass_by("after an answer is read")
        super()._finish(attempt, failure, detail)


def build_doomed_app(*parts: Any) -> App:
    app = Api(*parts)

    def doomed(head: Head, body: ArrivingBody) -> Steps:
        answer = yield from app(head, body)
        if head.method != "GET":
            doom.pass_by("before an answer")
        return answer

    return doomed


if __name__ == "__main__":
    doom = Doom(sys.argv.pop(1), int(sys.argv.pop(1)))
    doomed = {(store, "Writer"): DoomedWriter, (store, "SqliteLanes"): DoomedLanes,
              (store, "SqliteFleet"): DoomedFleet,
              (opening, "SqliteStore"): DoomedStore,
              (start_apps, "Api"): build_doomed_app, (dialer, "EndpointConnection"): DoomedConnection}  # fmt: skip
    for (module, name), part in doomed.items():
        assert hasattr(module, name), f"{module.__name__} makes no {name}, so that no process would die there"
        setattr(module, name, part)
    main()
