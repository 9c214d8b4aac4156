"""A gateway as an operator runs it: the command, a process of its own, a data directory, signals."""

import base64
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gateway.tests.acceptance.client import Client, until
from gateway.tests.forked import ForkedCommand, Streams, run_to_end
from gateway.tests.patience import PATIENCE

COMMAND = Path(sys.executable).with_name("signalpost")
_GREETING = re.compile(r"listens on http://127\.0\.0\.1:(\d+), its data is in (.*)")


class GatewayProcess:
    """`signalpost serve` on a data directory and a free port. Its output is kept over restarts."""

    def __init__(self, data_dir: Path, logs: Path, ca_file: Path, allow: str, **flags: str) -> None:
        """`flags` are further settings: `retry_delays="1,1"`."""
        self.command = ["signalpost"]
        """What `serve` is given to: the command, or a file of Python that runs it in its own way, and its arguments."""
        self.data_dir = data_dir
        self.stdout = logs / "stdout"
        self.stderr = logs / "stderr"
        self._flags = {"data_dir": str(data_dir), "port": "0", "ca_file": str(ca_file), "allow_targets": allow, **flags}
        self._process: ForkedCommand | None = None
        self._port: int | None = None
        self._greeted = 0
        """How much of the standard output came from earlier processes."""
        self.api = self.client()

    def set(self, **flags: str) -> None:
        """Settings of the next start."""
        self._flags |= flags

    def flag(self, name: str) -> str:
        """A setting that it was given."""
        return self._flags[name]

    # --- Life ---------------------------------------------------------------------------------------------------------

    def spawn(self) -> None:
        """Start a process; it may not listen yet."""
        assert self._process is None, "it runs already"
        self._port = None
        self._greeted = self.stdout.stat().st_size if self.stdout.exists() else 0
        # So they are read without the library that reads other command lines, as those of a service are.
        arguments = ["serve", *(part for name in self._flags for part in (_flag(name), self._flags[name]))]
        program, *first = self.command
        streams = Streams(Path(os.devnull), self.stdout, self.stderr)
        self._process = ForkedCommand([*first, *arguments], without_settings(), streams, program)

    def until_listening(self) -> None:
        """Wait for the greeting, and learn the port from it."""

        def greeted() -> bool:
            first, newline, _ = self._said().partition("\n")
            match = _GREETING.search(first)
            if newline and match:
                self._port = int(match[1])
            else:
                assert self._running.poll() is None, f"it ended: {self.stderr.read_text()}"
            return self._port is not None

        until(greeted, lambda: f"it does not listen: {self.stderr.read_text()}")

    def _said(self) -> str:
        """What this process has written to its standard output, which it makes itself."""
        if not self.stdout.exists():
            return ""
        with self.stdout.open("rb") as file:
            file.seek(self._greeted)
            return file.read().decode()

    def start(self) -> None:
        self.spawn()
        self.until_listening()

    def kill(self) -> None:
        """SIGKILL: what a crash, or the machine's memory, does to it."""
        self._running.kill()
        self._running.wait()
        self._process = self._port = None

    def freeze(self) -> None:
        """SIGSTOP: what a machine does to it that is suspended, moved, or short of everything."""
        self._running.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on where it was frozen."""
        self._running.send_signal(signal.SIGCONT)

    def signal(self) -> None:
        """SIGTERM, without waiting for the end."""
        self._running.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Wait for its end; its exit code."""
        code = self._running.wait(PATIENCE)
        self._process = self._port = None
        return code

    def stop(self) -> int:
        """SIGTERM, and wait for the end; its exit code."""
        self.signal()
        return self.wait()

    def restart(self) -> None:
        assert self.stop() == 0
        self.start()

    def end(self) -> None:
        """Whatever state it is in: nothing of it runs afterwards."""
        if self._process is not None:
            self.kill()

    @property
    def _running(self) -> ForkedCommand:
        assert self._process is not None, "it does not run"
        return self._process

    # --- What an operator sees ----------------------------------------------------------------------------------------

    @property
    def address(self) -> tuple[str, int]:
        while self._port is None:  # somebody restarts it
            time.sleep(0.01)
        return "127.0.0.1", self._port

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def operator_key(self) -> str:
        given = self._flags.get("operator_key")
        return given or (self.data_dir / "operator-key").read_text().strip()

    def client(self, *, keep: bool = False) -> Client:
        return Client(lambda: self.address, lambda: self.operator_key, keep=keep)

    @property
    def faults(self) -> list[str]:
        """Log lines that should never be."""
        words = ("request failed", "Traceback", "ended with an error", "could not be committed", "recording failed",
                 "callback raised", "unforeseen", "never retrieved")  # fmt: skip
        return [line for line in self.stderr.read_text().splitlines() if any(word in line for word in words)]


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def children(pid: int) -> list[int]:
    """The processes of a parent."""
    return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def is_there(pid: int) -> bool:
    """Whether a process runs; one that ended, and that its parent has not waited for yet, does not."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@contextmanager
def running(gateway: GatewayProcess) -> Iterator[GatewayProcess]:
    """A gateway that is started, is stopped in the end, and may not have logged a fault."""
    try:
        gateway.start()
        yield gateway
        assert gateway.stop() == 0
    finally:
        gateway.end()
    assert gateway.faults == []


def without_settings() -> dict[str, str]:
    """The environment of the tests, but without a gateway's settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SIGNALPOST_")}


def run_command(*arguments: object, code: int | None = 0, **settings: str) -> "subprocess.CompletedProcess[str]":
    """A command that ends by itself, with this exit code unless that is None. `settings` are its environment's."""
    done = run_to_end(arguments, without_settings() | settings, PATIENCE)
    assert code in (None, done.returncode), done.stdout + done.stderr
    return done


def refused_start(data_dir: Path, *flags: str) -> "subprocess.CompletedProcess[str]":
    """A start that must end by itself."""
    return run_command("serve", f"--data-dir={data_dir}", "--port=0", *flags, code=None)


def another_master_key() -> str:
    return base64.b64encode(os.urandom(32)).decode()
