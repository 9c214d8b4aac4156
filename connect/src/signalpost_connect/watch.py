"""Serves `/metrics` and `/health` on the loopback interface, in a thread of its own."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from signalpost_connect.progress import Health


@contextmanager
def watched(progress: Health, port: int) -> Iterator[int]:
    """Serve until the end of the block. Port 0 takes one that is free; it comes back. Raises OSError."""
    server = _Server(port, progress)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, progress: Health) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.progress = progress


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10

    def do_GET(self) -> None:
        match self.path:
            case "/metrics":
                self._answer(200, "text/plain; version=0.0.4; charset=utf-8", self.server.progress.metrics())
            case "/health":
                health = self.server.progress.health()
                status = 200 if health["status"] == "ok" else 503
                self._answer(status, "application/json", json.dumps(health))
            case _:
                self._answer(404, "text/plain", "There are /metrics and /health.\n")

    def _answer(self, status: int, media_type: str, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        pass
