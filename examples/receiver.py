"""A receiver in a few lines: verifies what it gets with the receiver kit, and prints it.

.venv/bin/python examples/receiver.py "the subscription's secret" [port [address]]
"""

import sys
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer

from signalpost_receiver import Receiver, ReceiverError


def main(secret: str, port: str = "9000", address: str = "127.0.0.1") -> None:
    receiver = Receiver(secrets=secret)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            try:
                event = receiver.verify(body, self.headers.items())
            except ReceiverError as error:
                print(f"refused: {error}", flush=True)
                self.send_response(error.status)
            else:
                title = event.document.title if event.document else ""
                print(f"verified: {event.type} {title!r} {event.id}", flush=True)
                self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Only what was verified or refused is printed."""

    with HTTPServer((address, int(port)), Handler) as server, suppress(KeyboardInterrupt):
        print(f"listening on http://{address}:{port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3, 4):
        sys.exit(__doc__)
    main(*sys.argv[1:])
