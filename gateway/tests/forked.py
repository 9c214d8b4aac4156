"""The command in a process that is forked from one that has loaded the libraries and the gateway.

So a test of many commands does not wait for each to load them: a gateway starts with a quarter of the CPU. The commands
are loaded anew, by `main`, as the installed command does, which other tests start.
"""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from signalpost.runtime.installed import _all_entries

LIBRARIES = ["cyclopts", "cyclopts.bind", "cyclopts.completion.install", "cyclopts.help", "cyclopts.validators",
             "rich.console", "rich.live", "rich.progress", "httpx", "msgspec", "apsw", "signalpost_client",
             "starlette.applications", "uvloop", "zoneinfo", "importlib.metadata",
             "signalpost.gateway", "signalpost.listener.server", "signalpost_bench"]  # fmt: skip
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["__main__", __name__, *LIBRARIES, "gateway.tests.preloaded"])


class Streams(NamedTuple):
    """The files that a command has for its standard streams. What it writes is added to what they hold."""

    stdin: Path
    stdout: Path
    stderr: Path


class ForkedCommand:
    """A command that runs, with the methods of `subprocess.Popen`."""

    def __init__(
        self,
        arguments: Sequence[object],
        environment: Mapping[str, str],
        streams: Streams,
        program: str = "signalpost",
    ) -> None:
        """`program` may be a file of Python that runs the command in its own way."""
        given = [program, *map(str, arguments)]
        self._process = _FORKS.Process(target=_command, args=(given, dict(environment), streams), daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("signalpost", timeout or 0)
        return self.returncode


def run_to_end(
    arguments: Sequence[object], environment: Mapping[str, str], timeout: float, stdin: str = ""
) -> "subprocess.CompletedProcess[str]":
    """A command that ends by itself, whatever its exit code."""
    with tempfile.TemporaryDirectory() as made:
        streams = Streams(*(Path(made, name) for name in Streams._fields))
        for path, content in zip(streams, (stdin, "", ""), strict=True):
            path.write_bytes(content.encode(errors="surrogateescape"))
        process = ForkedCommand(arguments, environment, streams)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"it does not end: {streams.stdout.read_text()}{streams.stderr.read_text()}") from None
        return subprocess.CompletedProcess(
            [*map(str, arguments)], code, streams.stdout.read_text(), streams.stderr.read_text()
        )


def _command(given: Sequence[str], environment: Mapping[str, str], streams: Streams) -> None:
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    folders = environment.get("PYTHONPATH", "").split(os.pathsep)
    if elsewhere := [folder for folder in folders if folder and folder not in sys.path]:
        sys.path[:0] = elsewhere
        _all_entries.cache_clear()
    for number, (path, flags) in enumerate(zip(streams, (os.O_RDONLY, _ADDING, _ADDING), strict=True)):
        os.dup2(os.open(path, flags, 0o666), number)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    sys.argv = [*given]
    if given[0] == "signalpost":
        from signalpost.cli.main import main

        main()
    else:
        runpy.run_path(given[0], run_name="__main__")


_ADDING = os.O_WRONLY | os.O_APPEND | os.O_CREAT
