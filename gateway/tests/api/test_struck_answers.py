"""An endpoint that repeats what no one may read back, as a page for finding errors does, tells it to no one."""

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from gateway.tests.http_server import QuietHandler, serving

from signalpost.sender.addresses import parse_allow_targets

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

SECRET = "canary-of-an-owner"
ROTATED = "canary-of-a-rotation"
HEADERS = {"X-Key": "canary-of-a-header", "Authorization": "Bearer canary-of-a-token"}


class Telltale(QuietHandler):
    """Answers with its request line, all headers and both secrets."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        said = {"path": self.path, "headers": dict(self.headers), "secrets": [SECRET, ROTATED]}
        answer = json.dumps(said).encode()
        self.send_response(int(self.path[1:4]))
        self.send_header("content-length", str(len(answer)))
        self.send_header("x-your-key", self.headers["x-key"])
        self.end_headers()
        self.wfile.write(answer)


@pytest.fixture
def telltale() -> Iterator[str]:
    with serving(Telltale) as origin:
        yield origin


def test_what_an_answer_repeats_of_secrets_is_neither_kept_nor_shown(
    make_world: "Callable[..., World]", telltale: str
) -> None:
    world = make_world(allow_targets=parse_allow_targets(telltale))
    shown = []
    for status in (200, 500):
        new = {"url": f"{telltale}/{status}?sig=canary-of-a-query", "eventTypes": ["documentCreated"], "secret": SECRET,
               "headers": HEADERS, "status": "active", "retryDelays": [86_400]}  # fmt: skip
        draft = {name: value for name, value in new.items() if name != "status"}
        of_draft = world.send("POST", "/v1/subscriptions/test", draft).body
        shown.append(of_draft.replace(ROTATED.encode(), b""))  # which is no secret of the draft's
        path = f"/v1/subscriptions/{world.send('POST', '/v1/subscriptions', new).ok(201)['id']}"
        world.send("POST", f"{path}/secret/rotate", {"secret": ROTATED}).ok()
        event = world.send("POST", "/v1/documents", world.document).headers["signalpost-event"]
        delivery = f"{path}/deliveries/{event}"
        world.wait_until(lambda delivery=delivery: world.get(delivery).ok()["attempts"])  # type: ignore[misc]
        shown += [world.get(delivery).body, world.send("POST", f"{path}/test").body]
    for body in shown:
        assert b"[secret]" in body
        assert b"canary" not in body, body
    kept = b"".join(file.read_bytes() for file in world.settings.data_dir.rglob("*") if file.is_file())
    assert b"[secret]" in kept
    assert b"canary" not in kept
