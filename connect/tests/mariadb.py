"""A MariaDB of Debian's packages, unpacked by `make connect-mysql`, in a folder of its own."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pymysql
from gateway.tests.acceptance.client import until
from gateway.tests.patience import LONG_PATIENCE

from signalpost_bench.free_port import free_port

UNPACKED = Path(__file__).parents[2] / ".venv-mariadb"


class MariaDb:
    """A server that can be killed and started again, at the same port of the loopback interface."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._log = folder / "log"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        make = [_program("mariadb-install-db"), *self._options(), "--auth-root-authentication-method=normal"]
        made = subprocess.run(make, env=_environment(), capture_output=True, timeout=LONG_PATIENCE, check=False)
        assert made.returncode == 0, made.stdout + made.stderr

    def start(self) -> None:
        """Start it, and wait until it lets clients in."""
        own = (
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            f"--socket={self._folder}/socket",
        )
        small = ("--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=2", "--innodb-use-native-aio=0")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [_program("mariadbd"), *self._options(), *own, *small, f"--pid-file={self._folder}/pid"],
                env=_environment(),
                stdout=log,
                stderr=log,
            )
        until(self._lets_in, self._log.read_text)

    def kill(self) -> None:
        """End it by SIGKILL, as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in an orderly way."""
        self._end(signal.SIGTERM)

    def connect(self, database: str | None = None, **more: Any) -> "pymysql.Connection[Any]":
        """A connection of the owner of everything."""
        return pymysql.connect(
            host="127.0.0.1", port=self.port, user="root", database=database, charset="utf8mb4", **more
        )

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def _lets_in(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        try:
            self.connect().close()
        except pymysql.OperationalError:
            return False
        return True

    def _options(self) -> list[str]:
        installed = ["--no-defaults", f"--datadir={self._data}"]
        if UNPACKED.joinpath("usr").exists():
            usr = UNPACKED / "usr"
            installed += [
                f"--basedir={usr}",
                f"--plugin-dir={usr}/lib/mysql/plugin",
                f"--lc-messages-dir={usr}/share/mysql",
            ]
        return [*installed, "--user=root"] if os.geteuid() == 0 else installed


def _program(name: str) -> str:
    """Where a program is: unpacked, or installed on this machine."""
    for folder in ("sbin", "bin"):
        if (found := UNPACKED / "usr" / folder / name).exists():
            return str(found)
    found_on_path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    assert found_on_path is not None, name
    return found_on_path


def _environment() -> Mapping[str, str]:
    libraries = ":".join(str(each) for each in UNPACKED.glob("usr/lib/*-linux-gnu*"))
    return {**os.environ, "LD_LIBRARY_PATH": libraries} if libraries else os.environ
