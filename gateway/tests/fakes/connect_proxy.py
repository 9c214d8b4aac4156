"""A proxy that connects where it is asked to (CONNECT), on loopback. It does so from an address of its own, by which
the callee can tell who came."""

import socket
import threading
from contextlib import suppress
from socketserver import StreamRequestHandler, ThreadingTCPServer
from types import TracebackType
from typing import Self

from gateway.tests.http_server import LocalServer

FROM = "127.0.0.77"


class _Server(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = LocalServer.request_queue_size


class ConnectProxy:
    """Listens while it is entered."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        """The lines of the head of each request."""
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def targets(self) -> list[str]:
        """Where it was asked to connect to, in order."""
        return [lines[0].split(" ")[1] for lines in self.asked]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(proxy: ConnectProxy) -> type[StreamRequestHandler]:
    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            lines = []
            while (line := self.rfile.readline().decode("latin-1").rstrip("\r\n")) != "":
                lines.append(line)
            proxy.asked.append(lines)
            host, _, port = lines[0].split(" ")[1].rpartition(":")
            with socket.create_connection((host.strip("[]"), int(port)), source_address=(FROM, 0)) as onward:
                self.connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=_pump, args=(onward, self.connection), daemon=True)
                back.start()
                _pump(self.connection, onward)
                back.join()

    return Handler


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
