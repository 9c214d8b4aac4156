"""A connector as an operator runs it: the command, a configuration, signals."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from connect.tests.conftest import FedGateway
from gateway.tests.patience import PATIENCE

from signalpost_bench.free_port import free_port

COMMAND = (sys.executable, "-m", "signalpost_connect")


class HasOutbox(Protocol):
    """A platform with an outbox in its database."""

    database: Path
    """The file with the URL of the database."""


def configure(
    folder: Path, platform: HasOutbox, gateway: FedGateway, *, port: int | None = None, more: str = ""
) -> Path:
    """A configuration of the outbox. `more` is TOML that comes before it."""
    key, file = folder / "connect.key", folder / "outbox.toml"
    key.write_text(gateway.key + "\n")
    watch = "" if port is None else f"[watch]\nport = {port}\n"
    file.write_text(
        f'{more}\n[gateway]\nurl = "{gateway.url}"\nkey = {{ file = "{key}" }}\n'
        f'[source]\nkind = "outbox"\ndatabase = {{ file = "{platform.database}" }}\n{watch}'
    )
    return file


def write_config(folder: Path, table: str, content: str, url: str, key: str, port: int | None = None) -> Path:
    """A configuration with the table `[source]` or `[sink]`, and if there is a port, `[watch]`."""
    secret, file = folder / f"{table}.key", folder / f"{table}.toml"
    secret.write_text(key)
    watch = "" if port is None else f"[watch]\nport = {port}\n"
    file.write_text(f'[gateway]\nurl = "{url}"\nkey = {{ file = "{secret}" }}\n[{table}]\n{content}{watch}')
    return file


def run_command(*arguments: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """A command that ends by itself."""
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=PATIENCE,
        check=False,
    )


class CommandProcess:
    """A command that works until it is stopped, which can be killed and started again."""

    def __init__(self, folder: Path, command: str, config: Path, port: int) -> None:
        """`port` is the one of `[watch]`."""
        self.port = port
        self._command = command
        self._config = config
        self._errors = folder / f"{command}-stderr"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it may not read yet."""
        with self._errors.open("ab") as errors:
            self._process = subprocess.Popen([*COMMAND, self._command, self._config], stderr=errors)

    def kill(self) -> None:
        """End it by SIGKILL, as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def stop(self) -> int:
        """SIGTERM, and wait for the end; its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(PATIENCE)
        self._process = None
        return code

    def end(self) -> None:
        """Whatever state it is in: nothing of it runs afterwards."""
        if self._process is not None:
            self.kill()

    def log(self) -> str:
        return self._errors.read_text()

    def health(self) -> Any:
        """What `/health` answers; None while it does not listen."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/health") as answer:
                return json.load(answer)
        except HTTPError as error:
            return json.load(error)
        except URLError:
            return None

    def metrics(self) -> str:
        with urlopen(f"http://127.0.0.1:{self.port}/metrics") as answer:
            text: str = answer.read().decode()
            return text


class ConnectorProcess(CommandProcess):
    """`signalpost-connect run` with the outbox of a platform."""

    def __init__(self, folder: Path, platform: HasOutbox, gateway: FedGateway) -> None:
        port = free_port()
        super().__init__(folder, "run", configure(folder, platform, gateway, port=port), port)
