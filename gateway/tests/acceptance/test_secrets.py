"""Secrets are planted, a gateway is put to every use there is, and then everything that it leaves is searched for them.

They may be where they are documented to be: in the files `operator-key` and `master-key`, and in the answer that shows
a new subscription's secret, once (and again to a caller who repeats that request with its key).
"""

import base64
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from gateway.tests.acceptance.client import DOCUMENT, Client, Reply
from gateway.tests.acceptance.gateway_process import GatewayProcess, another_master_key, run_command
from gateway.tests.acceptance.receiver import FAIL, HELD, OK, RESET, Endpoint, always

Gateways = Callable[..., GatewayProcess]
Endpoints = Callable[..., Endpoint]
pytestmark = pytest.mark.slow

EVENT_TYPES = ["documentCreated", "documentUpdated", "documentDeleted"]
OWN_SECRET = "canary-of-an-owner-4f1d"
ROTATED = "canary-of-a-rotated-secret-2e8c"
HEADER = "canary-of-a-header-93ab"
CHANGED_HEADER = "canary-of-a-changed-header-77c0"
URL_QUERY = "canary-of-a-url-query-b5e2"
WRONG_KEY = "sp_canary-of-a-wrong-key-000000000000000000000d"
URL_PATH = "canary-of-a-slack-path-0c9d"
CHANGED_URL_QUERY = "canary-of-a-changed-url-query-a47e"
REFUSED = "canary-of-what-was-refused-61f7"
TITLE = "A title that is no secret 5ac3"


# --- The search -------------------------------------------------------------------------------------------------------


def forms(canary: bytes) -> Iterator[bytes]:
    """How a secret may look wherever it got to: as it is, as hex, as base64 whatever stands before it."""
    yield canary
    yield canary.hex().encode()
    yield canary.hex().upper().encode()
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + canary)
        # Without the characters that hold bits of its neighbours.
        inner = encoded[(before * 8 + 5) // 6 : len(encoded) - 4]
        yield inner
        yield inner.translate(bytes.maketrans(b"+/", b"-_"))


def found(canaries: Mapping[str, bytes], places: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """Which secret is where."""
    return [
        (name, place)
        for name, canary in canaries.items()
        for place, content in places.items()
        if any(form in content for form in forms(canary))
    ]


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
def test_the_search_finds_a_secret_in_every_form(before: str) -> None:
    secret = OWN_SECRET.encode()
    held = before.encode() + secret + b"behind"
    written = [held, held.hex().encode(), held.hex().upper().encode(), base64.b64encode(held),
               base64.urlsafe_b64encode(held)]  # fmt: skip
    for content in written:
        assert found({"secret": secret}, {"file": b"x" + content + b"y"}) == [("secret", "file")]
        assert found({"secret": b"another-" + secret}, {"file": content}) == []


# --- What is searched -------------------------------------------------------------------------------------------------


class KeepingClient(Client):
    """Keeps every answer, with its head."""

    def __init__(self, gateway: GatewayProcess) -> None:
        super().__init__(lambda: gateway.address, lambda: gateway.operator_key)
        self.answers: dict[str, bytes] = {}

    def request(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        reply = super().request(method, path, body, **headers)
        head = "\r\n".join(f"{name}: {value}" for name, value in reply.headers.items()).encode()
        self.answers[f"answer {len(self.answers)}: {method} {path} {reply.status}"] = head + b"\r\n" + reply.body
        return reply


def files(gateway: GatewayProcess, folder: Path) -> dict[str, bytes]:
    """The data directory, the backup, what the process wrote; all but the two files that are there to hold a key."""
    kept = (gateway.data_dir / "operator-key", gateway.data_dir / "master-key")
    searched = [file for file in folder.rglob("*") if file.is_file() and file not in kept]
    return {str(file.relative_to(folder)): file.read_bytes() for file in searched}


def command(gateway: GatewayProcess, *arguments: object) -> bytes:
    """What a command of the command line printed."""
    done = run_command(*arguments, SIGNALPOST_DATA_DIR=str(gateway.data_dir))
    return (done.stdout + done.stderr).encode()


# --- The uses ---------------------------------------------------------------------------------------------------------


def subscribe(gateway: GatewayProcess, hooks: Mapping[str, Endpoint]) -> dict[str, Any]:
    """One subscription for each endpoint; the answers are those that may show a secret, so they are not kept."""
    made = {}
    for name, hook in hooks.items():
        fields = {"url": f"{hook.url}?token={URL_QUERY}", "eventTypes": EVENT_TYPES, "headers": {"x-token": HEADER}}
        if name != "made":
            fields["secret"] = OWN_SECRET
        if name == "hanging":
            fields["retryDelays"] = []
        once, again = (
            gateway.api.request("POST", "/v1/subscriptions", fields, idempotency_key=f"key-{name}") for _ in range(2)
        )
        made[name] = once.json()
        assert once.status == 201
        assert again.json()["secret"] == made[name]["secret"], "a repeat shows it too"
    return made


def rotate_and_make_a_key(gateway: GatewayProcess, subscription: Any) -> str:
    """The key. Both answers show a secret, so they are not kept."""
    path = f"/v1/subscriptions/{subscription['id']}/secret/rotate"
    for _ in range(2):
        rotated = gateway.api.request("POST", path, {"secret": ROTATED}, idempotency_key="key-rotate")
        assert rotated.json()["secret"] == ROTATED, "a repeat shows it too"
    made = gateway.api.request("POST", "/v1/keys", {"name": "a colleague", "role": "operator"}, idempotency_key="key")
    return str(made.json()["key"])


def use(api: KeepingClient, subscriptions: Mapping[str, Any], hooks: Mapping[str, Endpoint]) -> None:
    """Deliveries that succeed, fail in several ways and are retried; changes, lists, reads."""
    documents = [api.create(title=TITLE) for _ in range(3)]
    api.patch(documents[0], title="Changed")
    api.delete(documents[1])
    events = [entry["event"]["id"] for entry in api.feed()]
    for name in ("well", "made"):
        for event in events:
            api.until_delivery(subscriptions[name], event, "delivered")
    for name in ("failing", "resetting", "hanging"):
        failed = api.until_delivery(subscriptions[name], events[0], "failed")
        hooks[name].answer = always(OK)
        api.retry(subscriptions[name], events[0])
        api.until_delivery(subscriptions[name], events[0], "delivered", attempts=len(failed["attempts"]) + 1)
    assert subscriptions["well"]["url"] == f"{hooks['well'].url}?token=***"
    same = api.change_subscription(subscriptions["well"], url=subscriptions["well"]["url"])
    assert same["url"] == subscriptions["well"]["url"]
    api.change_subscription(subscriptions["well"], url=f"{hooks['well'].url}?token={CHANGED_URL_QUERY}")
    slack = f"https://hooks.slack.com/services/T0/B0/{URL_PATH}"
    made = api.request("POST", "/v1/subscriptions", {"url": slack, "eventTypes": EVENT_TYPES, "status": "paused",
                                                     "secret": "not looked for"})  # fmt: skip
    shown = made.json()
    assert (shown["url"], shown["name"]) == ("https://hooks.slack.com/services/T0/B0/***", "hooks.slack.com")
    preview = api.request("POST", f"/v1/subscriptions/{shown['id']}/preview", {"eventId": events[0]})
    assert preview.json()["request"]["url"] == shown["url"]
    assert api.request("GET", "/v1/audit").status == 200
    changed = api.change_subscription(subscriptions["well"], headers={"x-token": CHANGED_HEADER}, name="Changed")
    assert changed["headers"] == {"x-token": None}
    api.create()
    hooks["well"].until(len(events) + 1)
    for subscription in subscriptions.values():
        api.subscription(subscription)
        api.deliveries(subscription)
    api.ask("GET", "/v1/subscriptions")
    for path in ("/metrics", "/health/live", "/health/ready"):
        assert api.request("GET", path).status == 200


def misuse(api: KeepingClient, gateway: GatewayProcess, subscription: Any) -> None:
    """Requests that are refused, with secrets in them."""
    path = f"/v1/subscriptions/{subscription['id']}"
    wanted = {"url": "https://receiver.example.com/", "eventTypes": EVENT_TYPES}
    refused: list[tuple[int, Reply]] = [
        (422, api.request("POST", "/v1/subscriptions", {**wanted, "secret": REFUSED * 20})),
        (422, api.request("POST", "/v1/subscriptions", {**wanted, "secret": [REFUSED]})),
        (422, api.request("POST", "/v1/subscriptions", {**wanted, "headers": {"x-token": f"{REFUSED}\n"}})),
        (422, api.request("POST", "/v1/subscriptions", {**wanted, "headers": {"webhook-id": REFUSED}})),
        (422, api.request("POST", "/v1/subscriptions", {**wanted, "url": f"https://u:{REFUSED}@example.com/"})),
        (422, api.request("POST", "/v1/subscriptions", {**wanted, "secret": REFUSED, "url": "nowhere"})),
        (422, api.request("POST", "/v1/subscriptions", {**wanted, "url": f"https://10.0.0.1/?sig={REFUSED}"})),
        (422, api.request("POST", "/v1/subscriptions", {**wanted, "url": f"https://example.com/?a={REFUSED}&b=***"})),
        (422, api.request("PATCH", path, {"url": f"https://example.com/?a={REFUSED}&b=***"})),
        (422, api.request("POST", "/v1/subscriptions", {**wanted, "secret": REFUSED}, idempotency_key="key-well")),
        (422, api.request("PATCH", path, {"secret": REFUSED})),
        (412, api.request("PATCH", path, {"headers": {"x-token": REFUSED}}, if_match='"99"')),
        (422, api.request("GET", f"/v1/events?token={REFUSED}")),
        (404, api.request("GET", f"/v2/nowhere?token={REFUSED}")),
        (401, api.request("GET", "/v1/events", authorization=f"Bearer {WRONG_KEY}")),
        (401, api.request("GET", "/v1/events", authorization=f"Basic {REFUSED}")),
        (404, api.request("GET", "/v1/events", signalpost_tenant=REFUSED)),
        (405, api.request("PUT", "/v1/subscriptions", {"secret": REFUSED})),
        (415, api.request("POST", "/v1/subscriptions", {"secret": REFUSED}, content_type="text/plain")),
    ]
    assert [reply.status for _, reply in refused] == [status for status, _ in refused]
    assert broken_json(gateway, api).status == 400


def broken_json(gateway: GatewayProcess, api: KeepingClient) -> Reply:
    body = json.dumps({"secret": REFUSED, "name": OWN_SECRET}).encode()[:-1]
    host, port = gateway.address
    done = subprocess.run(
        ["curl", "-s", "-i", "-H", f"authorization: Bearer {gateway.operator_key}", "-H",
         "content-type: application/json", "--data-binary", "@-", f"http://{host}:{port}/v1/subscriptions"],
        input=body, capture_output=True, check=True,
    ).stdout  # fmt: skip
    api.answers["answer to broken JSON"] = done
    return Reply(int(done.split()[1]), {}, done)


def test_no_secret_is_found_where_it_has_no_business(gateways: Gateways, endpoint: Endpoints, tmp_path: Path) -> None:
    gateway = gateways(retry_delays="1", attempt_timeout="6", log_level="debug", log_format="json")
    hooks = {
        "well": endpoint(OK),
        "made": endpoint(OK),
        "failing": endpoint(FAIL),
        "resetting": endpoint(RESET),
        "hanging": endpoint(HELD),
    }
    api = KeepingClient(gateway)
    subscriptions = subscribe(gateway, hooks)
    key = rotate_and_make_a_key(gateway, subscriptions["well"])
    use(api, subscriptions, hooks)
    misuse(api, gateway, subscriptions["well"])
    printed = {
        f"signalpost {' '.join(arguments)}": command(gateway, *arguments)
        for arguments in (
            ("subscriptions", "list"), ("subscriptions", "get", subscriptions["made"]["id"]), ("events", "list"),
            ("subscriptions", "list", "--json"), ("audit", "list", "--json"),
            ("db", "check"), ("db", "sizes"), ("serve", "--show-settings"),
            ("db", "backup", str(tmp_path / "backup.db")), ("db", "rotate-master-key"),
        )
    }  # fmt: skip
    last = hooks["well"].requests[-1]
    assert last.headers["x-token"] == CHANGED_HEADER, "endpoints do get what is for them"
    assert f"?token={CHANGED_URL_QUERY} " in last.start
    assert f"?token={URL_QUERY} " in hooks["made"].requests[-1].start

    made = subscriptions["made"]["secret"]
    master_key, former = map(base64.b64decode, (gateway.data_dir / "master-key").read_text().split())
    canaries = {
        "the operator's key": gateway.operator_key.encode(),
        "the master key": master_key,
        "the former master key": former,
        "an owner's secret": OWN_SECRET.encode(),
        "a made secret": made.encode(),
        "a made secret, decoded": base64.b64decode(made.removeprefix("whsec_")),
        "a rotated secret": ROTATED.encode(),
        "a made key": key.encode(),
        "a header": HEADER.encode(),
        "a changed header": CHANGED_HEADER.encode(),
        "a wrong key": WRONG_KEY.encode(),
        "what was refused": REFUSED.encode(),
        "a URL's query": URL_QUERY.encode(),
        "a changed URL's query": CHANGED_URL_QUERY.encode(),
        "a URL's token": URL_PATH.encode(),
    }
    while_it_runs = files(gateway, tmp_path)
    assert gateway.stop() == 0
    places = {**printed, **api.answers}
    assert "data-0/signalpost.db-wal" in while_it_runs
    for left in (while_it_runs, files(gateway, tmp_path)):
        assert found(canaries, left | places) == []

    # It would have been found: what is no secret is there, and so are the secrets where they may be.
    assert ("title", "data-0/signalpost.db") in found({"title": TITLE.encode()}, files(gateway, tmp_path))
    assert found({"title": TITLE.encode()}, {"backup": (tmp_path / "backup.db").read_bytes()})
    key_files = {name: (gateway.data_dir / name).read_bytes() for name in ("operator-key", "master-key")}
    assert found(canaries, key_files) == [
        ("the operator's key", "operator-key"), ("the master key", "master-key"),
        ("the former master key", "master-key"),
    ]  # fmt: skip
    assert '"level":"debug"' in gateway.stderr.read_text()


def test_a_start_that_fails_for_its_keys_does_not_show_them(gateways: Gateways, endpoint: Endpoints) -> None:
    gateway = gateways()
    gateway.api.request("POST", "/v1/documents", DOCUMENT, idempotency_key="sealed-with-the-master-key")
    assert gateway.stop() == 0
    for flag, value, code in (("--master-key", another_master_key(), 1), ("--operator-key", REFUSED, 2)):
        ended = run_command("serve", "--data-dir", gateway.data_dir, "--port", "0", flag, value, code=code)
        assert ended.stderr
        assert found({"key": value.encode()}, {"output": (ended.stdout + ended.stderr).encode()}) == []
