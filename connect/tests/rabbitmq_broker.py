"""A RabbitMQ of Debian's packages, unpacked by `make connect-rabbitmq`, in a folder of its own."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest
from gateway.tests.acceptance.client import until

from signalpost_bench.free_port import free_port

pytest.importorskip("aio_pika", reason="the client of RabbitMQ is not installed: make .venv/dev")
import aio_pika

__all__ = ["QUORUM", "Broker", "aio_pika", "broker", "needs_broker"]
T = TypeVar("T")
UNPACKED = Path(__file__).parents[2] / ".venv-rabbitmq"
ERLANG = UNPACKED / "usr" / "lib" / "erlang" / "bin"
[*_HOMES] = UNPACKED.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*")
QUORUM = {"x-queue-type": "quorum"}
needs_broker = [
    pytest.mark.slow,
    pytest.mark.skipif(not ERLANG.exists(), reason="RabbitMQ is not here: make connect-rabbitmq"),
]


class Broker:
    """A node that can be killed and started again, at the same ports of the loopback interface."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port, self._own_port, self._names_port = free_port(), free_port(), free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}/"
        (folder / "plugins").touch()
        self._names: subprocess.Popen[bytes] | None = None
        self._node: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it lets clients in."""
        environment = self._environment()
        with (self._folder / "out").open("ab") as out:
            if self._names is None:  # which nodes there are: else a node would start one that outlives it
                names = [str(ERLANG / "epmd"), "-address", "127.0.0.1", "-port", str(self._names_port)]
                self._names = subprocess.Popen(names, env=environment, stdout=out, stderr=out)
            script = str(_HOMES[0] / "sbin" / "rabbitmq-server")
            self._node = subprocess.Popen([script], env=environment, stdout=out, stderr=out, start_new_session=True)
        until(self._lets_in, (self._folder / "out").read_text)

    def kill(self) -> None:
        """End it by SIGKILL, as a crash would, with the programs that it started."""
        node, self._node = self._node, None
        if node is not None:
            os.killpg(node.pid, signal.SIGKILL)
            node.wait()

    def end(self) -> None:
        """End it for good."""
        self.kill()
        if self._names is not None:
            self._names.kill()
            self._names.wait()

    def until_kept(self, queue: str) -> None:
        """Wait until a quorum queue is on disk by its name. RabbitMQ 3.10 writes that some time after it was declared;
        if it is killed before, the queue never works again."""
        [names] = self._folder.glob("mnesia/*/quorum/*/names.dets")
        until(lambda: queue.encode() in names.read_bytes(), lambda: f"{queue} is not on disk")

    def run(self, script: str) -> None:
        """What an operator runs in a shell, with `rabbitmqctl`."""
        done = subprocess.run(
            ["sh", "-ec", script], env=self._environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def url_for(self, user: str, password: str) -> str:
        """The URL for a user with a password."""
        return self.url.replace("guest:guest", f"{user}:{password}")

    def do(self, act: Callable[[aio_pika.abc.AbstractChannel], Awaitable[T]]) -> T:
        """What a program of the platform does."""

        async def run() -> T:
            connection = await aio_pika.connect(self.url, timeout=30)
            try:
                return await act(await connection.channel(on_return_raises=True))
            finally:
                await connection.close()

        return asyncio.run(run())

    def _lets_in(self) -> bool:
        assert self._node is not None
        assert self._node.poll() is None, (self._folder / "out").read_text()

        async def look(channel: Any) -> bool:
            return True

        try:
            return self.do(look)
        except (aio_pika.exceptions.AMQPError, OSError, TimeoutError):
            return False

    def _environment(self) -> Mapping[str, str]:
        own = {
            "HOME": self._folder,
            "RABBITMQ_NODENAME": f"tests{self._port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": self._port,
            "RABBITMQ_DIST_PORT": self._own_port,
            "RABBITMQ_MNESIA_BASE": self._folder / "mnesia",
            "RABBITMQ_LOG_BASE": self._folder / "logs",
            "RABBITMQ_ENABLED_PLUGINS_FILE": self._folder / "plugins",
            "RABBITMQ_CONFIG_FILE": self._folder / "none",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": self._names_port,
        }
        return {
            **os.environ,
            **{name: str(value) for name, value in own.items()},
            "PATH": f"{_HOMES[0] / 'sbin'}:{ERLANG}:{os.environ['PATH']}",
        }


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    made = Broker(tmp_path_factory.mktemp("rabbitmq"))
    try:
        made.start()
        yield made
    finally:
        made.end()
