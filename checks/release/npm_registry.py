"""A registry of npm packages on this machine: what `npm publish` uploads and `npm install` asks for, and no more.

It keeps what it is given in memory, as it came. It never leads to another registry: who installs from it gets what was
published to it, or nothing. A version that is there never changes.
"""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote

from checks.release.build import plain_environment, run


class _Handler(BaseHTTPRequestHandler):
    packages: dict[str, dict[str, Any]]
    """The document of each package: its versions, by which a client finds the file of one and its hash."""
    files: dict[str, bytes]
    """The file of each version, by path."""

    def do_PUT(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["content-length"])))
        known = self.packages.setdefault(said["name"], {**said, "versions": {}, "dist-tags": {}})
        if known["versions"].keys() & said["versions"].keys():
            return self._answer(409, {"error": "A version that was published never changes."})
        known["versions"] |= said["versions"]
        known["dist-tags"] |= said["dist-tags"]
        for file, attached in known.pop("_attachments", said["_attachments"]).items():
            self.files[f"/{said['name']}/-/{file}"] = base64.b64decode(attached["data"])
        return self._answer(201, {"ok": True})

    def do_GET(self) -> None:
        path = unquote(self.path).partition("?")[0]
        if path in self.files:
            self._send(200, self.files[path], "application/octet-stream")
        elif package := self.packages.get(path[1:]):
            self._answer(200, package)
        else:
            self._answer(404, {"error": f"There is no {path} here."})

    def _answer(self, status: int, said: dict[str, Any]) -> None:
        self._send(status, json.dumps(said).encode(), "application/json")

    def _send(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Say nothing."""


@contextmanager
def serve(files: dict[str, bytes] | None = None) -> Iterator[str]:
    """A registry that runs until the block ends; returns its URL. `files` gets what was published, by path."""
    kept: dict[str, Any] = {"packages": {}, "files": {} if files is None else files}
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), kept)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


RECEIVER = """
import { createServer } from "node:http";
import { Receiver, nodeHandler } from "signalpost-receiver";

const [secret, port] = process.argv.slice(2);
const receiver = new Receiver({ secrets: secret });
receiver.on("documentCreated", (event) => console.log(`verified: documentCreated '${event.document.title}'`));
createServer(nodeHandler(receiver)).listen(Number(port), "127.0.0.1", () => console.log("listening on", port));
"""
"""The receiver of the kit's README, which prints what the example in Python prints."""


def npm(url: str, folder: Path, *command: str | Path) -> str:
    """What npm prints, run in a folder with this registry alone, its settings and its cache in that folder."""
    (folder / ".npmrc").write_text(f"registry={url}/\n{url.removeprefix('http:')}/:_authToken=drill\n")
    environment = plain_environment(HOME=str(folder), npm_config_cache=str(folder / ".npm"))
    quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--no-update-notifier"]
    return run(["npm", *command, *quiet], folder, environment)


def new_project(folder: Path) -> Path:
    """A folder that packages can be installed into."""
    folder.mkdir()
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    return folder


def publish(package: Path, url: str, folder: Path) -> None:
    """Upload a packed package, as a release does."""
    npm(url, folder, "publish", package)


def install(name: str, version: str, url: str, folder: Path) -> str:
    """Install a version into a folder twice: to write the lock, and by it, without what npm kept. Returns the hash that
    the lock has, by which npm refuses another file."""
    npm(url, folder, "install", f"{name}@{version}")
    run(["rm", "-r", folder / ".npm", folder / "node_modules"], folder, plain_environment())
    npm(url, folder, "ci")
    lock = json.loads((folder / "package-lock.json").read_text())
    integrity: str = lock["packages"][f"node_modules/{name}"]["integrity"]
    return integrity


def version_that_runs(name: str, folder: Path) -> str:
    """The version that an installed package says it is when a program imports it; "" if it says none."""
    program = f'import("{name}").then((package_) => console.log(package_.VERSION ?? ""))'
    return run(["node", "--eval", program], folder, plain_environment()).strip()
