"""A PgBouncer in transaction mode, where each transaction may have another connection to the server."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from gateway.tests.acceptance.client import until

from signalpost_bench.free_port import free_port
from signalpost_bench.postgres_server import PostgresServer

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
"""The program, where Debian's package `pgbouncer` is installed."""
SERVER_CONNECTIONS = 3


class Pooler:
    def __init__(self, folder: Path, user: str, password: str) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "users").write_text(f'"{user}" "{password}"\n')

    def start(self, server: PostgresServer) -> None:
        """Listen, and hand on to a server. It runs as the server's user does, since it refuses to run as root."""
        assert PGBOUNCER is not None
        self._write(server)
        owner = server.folder.stat()
        for each in (self._folder, *self._folder.iterdir()):
            os.chown(each, owner.st_uid, owner.st_gid)
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [PGBOUNCER, self._settings],
                stdout=log,
                stderr=log,
                user=owner.st_uid,
                group=owner.st_gid,
                start_new_session=True,
            )
        until(self._is_listening)

    def point_to(self, server: PostgresServer) -> None:
        """Hand on to another server from now on. Clients keep their connections."""
        assert self._process is not None
        self._write(server)
        self._process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    @property
    def _settings(self) -> Path:
        return self._folder / "pgbouncer.ini"

    def _write(self, server: PostgresServer) -> None:
        self._settings.write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port}\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\nauth_type = scram-sha-256\n"
            f"auth_file = {self._folder}/users\npool_mode = transaction\ndefault_pool_size = {SERVER_CONNECTIONS}\n"
        )

    def _is_listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def pooling(server: PostgresServer, user: str, password: str) -> Iterator[Pooler]:
    """A pooler in front of a server, with three connections to it for each database."""
    folder = Path(mkdtemp(prefix="pgbouncer-"))  # not the test's own: the user that it runs as must reach it
    made = Pooler(folder, user, password)
    try:
        made.start(server)
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)
