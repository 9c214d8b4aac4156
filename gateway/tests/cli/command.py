"""Runs the command, as a person or a script does, and what it speaks to: a gateway and an endpoint."""

import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gateway.tests import forked
from gateway.tests.acceptance.client import until
from gateway.tests.forked import ForkedCommand, Streams
from gateway.tests.http_server import LocalServer, QuietHandler
from gateway.tests.patience import ATTEMPT_TIMEOUT, LONG_PATIENCE, PATIENCE

SIGNALPOST = Path(sys.executable).parent / "signalpost"
Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]
NOWHERE = "http://127.0.0.1:9"
"""Allowed as a target; nothing listens there."""
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def environment(**more: str) -> dict[str, str]:
    """The environment of the tests, but without a gateway's settings, this person's emulator and the width of the
    terminal."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SIGNALPOST_", "COLUMNS"))}
    return kept | {"TERM": "xterm-256color", "XDG_STATE_HOME": "/nowhere"} | more


def run(*arguments: str, code: int = 0, stdin: str = "", **more: str) -> Done:
    """A command that ends by itself with this exit code."""
    done = forked.run_to_end(arguments, environment(**more), LONG_PATIENCE, stdin)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def json_of(done: Done) -> Any:
    return json.loads(done.stdout)


def create(run: Run, title: str = "Mutual NDA", **fields: str) -> str:
    given = {"type": "NDA", "owner": "me@example.com"}
    options = [part for name, value in {**given, **fields}.items() for part in (f"--{name}", value)]
    made = run("documents", "create", "--title", title, *options, "--json")
    return str(json_of(made)["externalId"])


def at_terminal(columns: int, *arguments: str, **more: str) -> str:
    """All that a terminal of this width shows, escapes included."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        [SIGNALPOST, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environment(**more)
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # so a terminal ends
        while piece := os.read(ours, 65536):
            shown += piece
    os.close(ours)
    process.wait(PATIENCE)
    return shown.decode().replace("\r\n", "\n")


@contextlib.contextmanager
def following(data_dir: Path, *arguments: str) -> Iterator[Callable[[], Any]]:
    """A command that follows something, as JSON, once it does so: reads its next line. Ended as with Ctrl-C."""
    before = _looks(data_dir)
    process = subprocess.Popen(
        [SIGNALPOST, *arguments, "--json"],
        stdout=subprocess.PIPE,
        env=environment(SIGNALPOST_DATA_DIR=str(data_dir)),
    )
    assert process.stdout is not None
    stdout = process.stdout
    patience = threading.Timer(LONG_PATIENCE, process.kill)
    patience.start()
    try:
        # It says nothing when it is ready. It asks twice where the log ends; what comes later it shows.
        until(lambda: _looks(data_dir) > before + 2)
        yield lambda: json.loads(stdout.readline())
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        patience.cancel()
        stdout.close()


def _looks(data_dir: Path) -> float:
    """How often the log was read, says the gateway of this folder."""
    with urllib.request.urlopen((data_dir / "address").read_text().strip() + "/metrics") as answer:
        lines = answer.read().decode().splitlines()
    counted = 'signalpost_requests_total{method="GET",route="/v1/events",'
    return sum(float(line.split()[-1]) for line in lines if line.startswith(counted))


@contextlib.contextmanager
def gateway(folder: Path, *settings: str) -> Iterator[ForkedCommand]:
    with tempfile.TemporaryDirectory() as made:
        said = Path(made, "stdout")
        arguments = ["serve", "--data-dir", folder, "--port", "0", "--log-level", "error",
                     "--attempt-timeout", f"{ATTEMPT_TIMEOUT:g}", *settings]  # fmt: skip
        streams = Streams(Path(os.devnull), said, Path(made, "stderr"))
        process = ForkedCommand(arguments, environment(), streams)

        def listens() -> bool:
            assert process.poll() is None, streams.stderr.read_text()
            return said.exists() and "listens on" in said.read_text()

        try:
            until(listens)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)


class Endpoint:
    """Answers every request with `status`."""

    def __init__(self) -> None:
        endpoint = self
        self.status = 200
        self.headers: list[dict[str, str]] = []

        class Handler(QuietHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                endpoint.headers.append(dict(self.headers.items()))
                self.send_response(endpoint.status)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"ok" if endpoint.status < 300 else b"no")

        self._server = LocalServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
