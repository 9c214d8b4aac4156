"""What a gateway sends to imported endpoints is accepted by receivers with the libraries of the other systems.

They are in an environment of their own, `.venv-receivers`, which `make former-receivers` sets up.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gateway.tests.cli import command
from gateway.tests.cli.command import json_of
from gateway.tests.cli.former.system import saved
from gateway.tests.http_server import QuietHandler, serving
from gateway.tests.patience import LONG_PATIENCE

PYTHON = Path(__file__).parents[4] / ".venv-receivers" / "bin" / "python"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.exists(), reason="the libraries of the other systems: make former-receivers"),
]
SVIX = {"system": "svix", "secret": "whsec_Y2FuYXJ5IG9mIHN2aXgsIDI0IGJ5dGVz", "options": {}}
CONVOY = {"system": "convoy", "secret": "canary of convoy", "options": {}}
SIMPLE = {"system": "convoy", "secret": "canary of globex", "options": {}}
OUTPOST = {"system": "outpost", "secret": "canary of globex", "options": {}}
STANDARD = {"system": "standard", "secret": "whsec_Y2FuYXJ5IG9mIHN2aXgsIDI0IGJ5dGVz", "options": {}}
ENDPOINTS = {
    "svix": {"Acme: Everything": [SVIX, STANDARD]},
    "convoy": {"Acme: signed": [CONVOY], "Globex": [SIMPLE]},
    "outpost": {"globex: acme.example.com": [OUTPOST]},
}
"""The endpoints of each system that are tried, by their names, and the receivers that listen there."""


class Hook:
    """Keeps what was sent to it."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[tuple[str, dict[str, str]]] = []


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    hook = Hook()

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            hook.requests.append((body, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(204)
            self.end_headers()

    with serving(Handler) as hook.url:
        yield hook


@pytest.fixture(scope="module")
def data_dir(hook: Hook, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("gateway") / "data"
    with command.gateway(folder, "--allow-targets", hook.url):
        yield folder


def accepted(requests: list[dict[str, Any]]) -> Any:
    done = subprocess.run(
        [PYTHON, Path(__file__).with_name("verify.py")],
        input=json.dumps(requests), capture_output=True, text=True, timeout=LONG_PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ENDPOINTS)
def test_receivers_accept_what_imported_endpoints_get(name: str, hook: Hook, data_dir: Path, tmp_path: Path) -> None:
    def run(*arguments: str) -> Any:
        more: Any = {"ACME_EVERYTHING_AUTHORIZATION": "canary"}
        return command.run("subscriptions", *arguments, SIGNALPOST_DATA_DIR=str(data_dir), **more)

    file, folder = tmp_path / "saved.json", tmp_path / "moved"
    file.write_text(json.dumps(saved(name, origin=hook.url)))
    options = ("--event-type", "contract.signed=documentUpdated", *(("--project", "01HQ") if name == "convoy" else ()))
    run("import", name, str(file), str(folder), *options)
    run("apply", str(folder / "signalpost.toml"))
    made = {each["name"]: each["id"] for each in json_of(run("list", "--json"))}
    for named, receivers in ENDPOINTS[name].items():
        hook.requests.clear()
        run("test", made[named])
        [(body, headers)] = hook.requests
        for each in receivers:
            request = {**each, "body": body, "headers": headers}
            forged = {**request, "body": body.replace("document", "forgery")}
            other = {**request, "secret": "whsec_YW5vdGhlciBzZWNyZXQgb2YgMjQgYnl0ZXM="}
            assert accepted([request, forged, other]) == [True, False, False], each
    for each in made.values():
        run("delete", each)
