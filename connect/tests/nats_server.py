"""A server of NATS, of the package that `make connect-nats` installs, with JetStream in a folder of its own."""

import asyncio
import json
import subprocess
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from gateway.tests.acceptance.client import until

from signalpost_bench.free_port import free_port

pytest.importorskip("nats", reason="the client of NATS is not installed: make .venv/dev")
import nats

__all__ = ["NatsServer", "nats", "needs_server", "server"]
SERVER = Path(__file__).parents[2] / ".venv-nats" / "bin" / "nats-server"
T = TypeVar("T")
needs_server = [
    pytest.mark.slow,
    pytest.mark.skipif(not SERVER.exists(), reason="the server of NATS is not installed: make connect-nats"),
]


class NatsServer:
    """A server that can be killed and started again, at the same port of the loopback interface."""

    def __init__(self, folder: Path, users: Sequence[Mapping[str, Any]] = ()) -> None:
        """`users`: those that it lets in, as its configuration has them, and first one who may do everything."""
        self.port = free_port()
        self.url = self.url_for(*(users[0][name] for name in ("user", "password"))) if users else self.url_for()
        self._folder = folder
        config = {"authorization": {"users": users}} if users else {}
        (folder / "server.conf").write_text(json.dumps(config))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it lets clients in."""
        command: list[str | Path] = [
            SERVER,
            "-a",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-c",
            self._folder / "server.conf",
            "-js",
            "-sd",
            self._folder / "data",
        ]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self._lets_in, (self._folder / "log").read_text)

    def url_for(self, *login: str) -> str:
        """The URL for a user with a password."""
        return f"nats://{':'.join(login)}{'@' if login else ''}127.0.0.1:{self.port}"

    def kill(self) -> None:
        """End it by SIGKILL, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def do(self, act: Callable[[Any], Awaitable[T]]) -> T:
        """What a program of the platform does with JetStream."""

        async def run() -> T:
            client = await nats.connect(self.url, allow_reconnect=False, connect_timeout=10, error_cb=_ignore)
            try:
                return await act(client.jetstream(timeout=30))
            finally:
                await client.close()

        return asyncio.run(run())

    def _lets_in(self) -> bool:
        async def look(js: Any) -> bool:
            await js.account_info()
            return True

        try:
            return self.do(look)
        except (nats.errors.Error, OSError, TimeoutError):
            return False


async def _ignore(error: Exception) -> None:
    pass


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    made = NatsServer(tmp_path_factory.mktemp("nats"))
    try:
        made.start()
        yield made
    finally:
        made.kill()
