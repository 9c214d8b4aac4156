"""A part of a benchmark in a process of its own: it is asked by one JSON line, and answers by one. A probe is on its
event loop."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self, TextIO

import msgspec
import uvloop

from signalpost_bench.probe import Probe
from signalpost_bench.results import Stall

MAX_ANSWER_BYTES = 256 * 1024 * 1024
STOP_SECONDS = 20


class RunFailed(Exception):
    """A part ended or told of an error: the run does not count."""


class ChildProcess:
    """A part as the process that asks it sees it."""

    def __init__(self, module: str, core: int) -> None:
        command = [sys.executable, "-m", f"signalpost_bench.{module}"]
        self._name = module
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
        # At once, so that the threads it makes inherit it.
        os.sched_setaffinity(self._process.pid, {core})

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, do: str, **given: Any) -> Any:
        """What the part answers. Raises PartFailed."""
        self.begin(do, **given)
        return self.finish()

    def stalls(self) -> tuple[Stall, ...]:
        """The longest stall of its event loop since the last call."""
        return msgspec.convert(self.ask("stalls"), tuple[Stall, ...])

    def begin(self, do: str, **given: Any) -> None:
        """Ask and do not wait: `finish` gives the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **given}).encode() + b"\n")
        self._process.stdin.flush()

    def finish(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RunFailed(f"the {self._name} ended with {self._process.wait()}")
        answer = json.loads(line)
        if "failed" in answer:
            raise RunFailed(f"the {self._name}: {answer['failed']}")
        return answer["answer"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


Handler = Callable[..., Awaitable[Any]]


def answer_questions(handlers: dict[str, Handler]) -> None:
    """The answering side: run until no more questions come. What else prints, such as the log of an earlier gateway,
    prints to nowhere: standard output is for answers."""
    answers = sys.stdout
    with Path(os.devnull).open("w") as sys.stdout:
        uvloop.run(_answer(handlers, answers))


async def _answer(handlers: dict[str, Handler], answers: TextIO) -> None:
    loop = asyncio.get_running_loop()
    probe = Probe()

    async def stalls() -> Any:
        return msgspec.to_builtins(probe.longest())

    handlers = {**handlers, "stalls": stalls}
    reader = asyncio.StreamReader(limit=MAX_ANSWER_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        question = json.loads(line)
        try:
            answer = {"answer": await handlers[question.pop("do")](**question)}
        except Exception as error:  # any error: the asking side stops the run
            first = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
            answer = {"failed": f"{type(first).__name__}: {first}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
