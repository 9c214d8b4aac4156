"""The command that a delivery's page gives for a shell sends the event's very bytes, signed as by the gateway (C19)."""

import hashlib
import hmac
import shutil
import subprocess
import threading
from http.server import HTTPServer

import pytest
from gateway.tests.http_server import QuietHandler
from gateway.tests.patience import PATIENCE

from signalpost.console.pages.delivery import curl

SECRET = "it's a $ecret"


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="SKIPPED: needs curl and openssl")
@pytest.mark.parametrize("title", ["{}", 'it\'s `id` $HOME $(id) \\ "quoted" %s \\n', "@/etc/passwd", "é 漢 \u202e"])
def test_a_shell_sends_what_was_sent(title: str) -> None:
    got: list[tuple[bytes, str | None]] = []

    class Endpoint(QuietHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.append((body, self.headers["plexus-webhook-signature"]))
            self.send_response(204)
            self.end_headers()

    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    body = title.encode()
    command = curl(f"http://127.0.0.1:{server.server_address[1]}/hook?a=1&b='2'", body)
    subprocess.run(["sh", "-c", command], env={"SECRET": SECRET, "PATH": "/usr/bin:/bin"}, check=True, timeout=PATIENCE)
    thread.join(PATIENCE)
    server.server_close()
    assert got == [(body, hmac.new(SECRET.encode(), body, hashlib.sha512).hexdigest())]
