"""Runs the real command, as a person or a script does, and what it speaks to: a gateway and an endpoint."""

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
import termios
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SIGNALPOST = Path(sys.executable).parent / "signalpost"
Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]
NOWHERE = "http://127.0.0.1:9"
"""Allowed as a target; nothing listens there."""
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def environment(**more: str) -> dict[str, str]:
    """That of the tests, without a gateway in it, and without the width of the terminal that shows the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SIGNALPOST_", "COLUMNS"))}
    return kept | {"TERM": "xterm-256color"} | more


def run(*arguments: str, code: int = 0, stdin: str = "", **more: str) -> Done:
    done = subprocess.run(
        [SIGNALPOST, *arguments], input=stdin, capture_output=True, text=True, timeout=60, env=environment(**more)
    )
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
    process.wait(10)
    return shown.decode().replace("\r\n", "\n")


@contextlib.contextmanager
def following(*arguments: str, **more: str) -> Iterator[Callable[[], Any]]:
    """A command that follows something, as JSON: reads its next line. Ended as with Ctrl-C."""
    process = subprocess.Popen([SIGNALPOST, *arguments, "--json"], stdout=subprocess.PIPE, env=environment(**more))
    assert process.stdout is not None
    stdout = process.stdout
    try:
        yield lambda: json.loads(stdout.readline())
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        stdout.close()


@contextlib.contextmanager
def gateway(folder: Path, *settings: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [SIGNALPOST, "serve", "--data-dir", folder, "--port", "0", "--log-level", "error", *settings],
        stdout=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert "listens on" in process.stdout.readline()
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        process.stdout.close()


class Endpoint:
    """Answers every request with `status`."""

    def __init__(self) -> None:
        endpoint = self
        self.status = 200
        self.headers: list[dict[str, str]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                endpoint.headers.append(dict(self.headers.items()))
                self.send_response(endpoint.status)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"ok" if endpoint.status < 300 else b"no")

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
