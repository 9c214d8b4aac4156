"""A gateway for the tests of a source or a sink: `signalpost serve`, which the environment of the tests has to have."""

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from signalpost_client import Client

STOP_SECONDS: Final = 180


class ServedGateway:
    """A gateway with nothing in it, on this machine, that a test can stop or kill, and start."""

    def __init__(self, folder: Path) -> None:
        """`folder` is for its data and its log, and has to be empty."""
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[str] | None = None
        self.url = f"http://127.0.0.1:{self._port}"
        self.start()
        self.operator_key = (folder / "data" / "operator-key").read_text(encoding="utf-8").strip()
        with Client(self.url, self.operator_key) as client:
            key = client.keys.create(name="source under test", role="app").key
        assert key is not None, "a new key is shown once"
        self.key = key

    def start(self) -> None:
        """Start it, and wait until it listens. Raises RuntimeError if it does not."""
        command: list[str | Path] = [Path(sys.executable).with_name("signalpost"), "serve"]
        command += ["--data-dir", self._folder / "data", "--port", str(self._port)]
        own = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALPOST_")}
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - this environment's own command
                command, stdout=subprocess.PIPE, stderr=log, text=True, env=own
            )
        assert self._process.stdout is not None
        if "listens on" not in self._process.stdout.readline():
            self.stop()
            raise RuntimeError(f"The gateway did not start; {self._folder / 'log'} says why.")

    def stop(self) -> None:
        """End it; what connects is refused until it starts."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.communicate(timeout=STOP_SECONDS)

    def kill(self) -> None:
        """End it by SIGKILL, as a crash would."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


@contextmanager
def served_gateway(folder: Path) -> Iterator[ServedGateway]:
    """A gateway until the end of the block. `folder` is for its data and its log, and has to be empty."""
    gateway = ServedGateway(folder)
    try:
        yield gateway
    finally:
        gateway.stop()


def free_port() -> int:
    """A port that is free, and below those that the system gives to what connects: none is taken while the gateway is
    stopped."""
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
