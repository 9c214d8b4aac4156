"""Two cells on this machine, and a tenant that moves from one to the other: `python examples/cells.py`.

A cell is one PostgreSQL with its fleet. Here both are databases of one server from a package, with one gateway each,
and the directory that says which tenant is where is a dictionary. docs/guides/cells.md says what a move is; this does
it step by step, and exits with 0 only if the tenant's endpoint got every event once, before and after.
"""

import base64
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

from signalpost_bench import postgres_server

COMMAND = Path(sys.executable).with_name("signalpost")
TENANT = "acme"
SECRET = "a secret of the endpoint"  # noqa: S105
PATIENCE = 60.0
NOT_MOVED = {"updatedAt"}
"""Members of a document that an import does not take."""


class Endpoint:
    """What the tenant has: it keeps what comes."""

    def __init__(self) -> None:
        came = self.came = list[dict[str, Any]]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                came.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(204)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """No one reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def titles(self) -> list[str]:
        return [event["data"]["document"]["title"] for event in self.came]


class Cell:
    """A database with one gateway."""

    def __init__(self, name: str, server: postgres_server.PostgresServer, folder: Path, target: str) -> None:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        self.name, self._folder = name, folder
        self._key = f"sp_{secrets.token_urlsafe(32)}"
        settings = {
            "SIGNALPOST_DATABASE_URL": server.loopback_url(name),
            "SIGNALPOST_DATA_DIR": str(folder),
            "SIGNALPOST_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
            "SIGNALPOST_OPERATOR_KEY": self._key,
            "SIGNALPOST_PUBLIC_URL": "https://gateway.example.com",
            "SIGNALPOST_PORT": "0",
            "SIGNALPOST_ALLOW_TARGETS": target,
        }
        self._gateway = subprocess.Popen(  # noqa: S603
            [COMMAND, "serve", "--log-level", "warning"], env=os.environ | settings, stdout=subprocess.DEVNULL
        )
        until(lambda: (folder / "address").exists())
        self.url = (folder / "address").read_text().strip()

    def ask(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        """The answer to a call for the tenant."""
        headers = {
            "authorization": f"Bearer {self._key}",
            "content-type": content_type,
            "signalpost-tenant": "default" if path.startswith("/v1/tenants") else TENANT,
        }
        sent = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", sent, headers, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - its own gateway
            content = answer.read()
        return [json.loads(line) for line in content.splitlines()] if content else []

    def run(self, *command: str) -> str:
        """A command for the tenant."""
        environment = {"SIGNALPOST_URL": self.url, "SIGNALPOST_KEY": self._key, "SIGNALPOST_TENANT": TENANT}
        more = {"ENDPOINT_SECRET": SECRET}
        done = subprocess.run(  # noqa: S603
            [COMMAND, *command], env=os.environ | environment | more, check=True, capture_output=True, text=True
        )
        return done.stdout

    def stop(self) -> None:
        self._gateway.send_signal(signal.SIGTERM)
        self._gateway.wait()


def until(condition: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("what should have happened did not")
        time.sleep(0.02)


def document(title: str) -> dict[str, str]:
    return {"type": "NDA", "title": title, "ownerEmail": "me@example.com", "authorEmail": "me@example.com"}


def move(here: Cell, there: Cell, folder: Path) -> float:
    """Move the tenant. Returns for how many seconds it could change nothing."""
    there.ask("POST", "/v1/tenants", {"name": TENANT})
    began = time.monotonic()  # from here on the directory sends its changes nowhere
    until(lambda: all(each["health"]["lag"] == 0 for each in here.ask("GET", "/v1/subscriptions")[0]["data"]))
    lines, page = b"", here.ask("GET", "/v1/documents?limit=100")[0]
    while True:
        for each in page["data"]:
            snapshot = {name: value for name, value in each.items() if name not in NOT_MOVED}
            lines += json.dumps(snapshot).encode() + b"\n"
        if not page["next"]:
            break
        page = here.ask("GET", f"/v1/documents?limit=100&cursor={page['next']}")[0]
    answers = there.ask("POST", "/v1/documents/import", lines, "application/x-ndjson")
    if refused := [each for each in answers if "problem" in each]:
        raise RuntimeError(f"documents were refused: {refused[:3]}")
    file = folder / "subscriptions.toml"  # after the documents, so that importing them is no news to anybody
    file.write_text(here.run("subscriptions", "export"))
    there.run("subscriptions", "apply", str(file))
    return time.monotonic() - began


def main() -> int:
    with ExitStack() as open_:
        server = open_.enter_context(postgres_server.running())
        folder = Path(open_.enter_context(TemporaryDirectory(prefix="signalpost-cells-")))
        endpoint = Endpoint()
        cells = []
        for name in ("cell_1", "cell_2"):
            (folder / name).mkdir(0o700)
            cells.append(Cell(name, server, folder / name, endpoint.url))
            open_.callback(cells[-1].stop)
        directory = {TENANT: cells[0]}
        directory[TENANT].ask("POST", "/v1/tenants", {"name": TENANT})
        wanted = {
            "name": "hooks",
            "url": endpoint.url,
            "eventTypes": ["documentCreated", "documentUpdated"],
            "secret": SECRET,
        }
        directory[TENANT].ask("POST", "/v1/subscriptions", wanted)
        made = [directory[TENANT].ask("POST", "/v1/documents", document(f"before {n}"))[0] for n in range(200)]
        until(lambda: len(endpoint.came) == len(made))

        seconds = move(cells[0], cells[1], folder)
        directory[TENANT] = cells[1]
        print(f"Moved {len(made)} documents and the subscription; changes had to wait for {seconds:.1f} s.")

        directory[TENANT].ask("PATCH", f"/v1/documents/{made[0]['externalId']}", {"title": "changed after the move"})
        directory[TENANT].ask("POST", "/v1/documents", document("after"))
        until(lambda: len(endpoint.came) >= len(made) + 2)
        after = endpoint.titles()[len(made) :]
        print(f"Since then the endpoint got: {after}")
        return 0 if sorted(after) == ["after", "changed after the move"] else 1


if __name__ == "__main__":
    sys.exit(main())
