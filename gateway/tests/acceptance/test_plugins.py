"""Kinds of another distribution that go wrong in the real process: each harms its own deliveries alone and loses none.

The distribution is a folder on the process's path, with the entry points that an installed one would have.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gateway.tests.acceptance.client import Client, until
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.acceptance.receiver import Receiver
from gateway.tests.fakes.vendor import Answer, Vendor, VendorRequest
from gateway.tests.patience import ATTEMPT_TIMEOUT

pytestmark = pytest.mark.slow

Gateways = Callable[..., GatewayProcess]
KINDS = """
import time
from typing import Annotated
from msgspec import Meta
from signalpost.destinations import Body, Call, Destination, Done, Origin, SecretText, Private, secret

class Home(Private, frozen=True, kw_only=True):
    origin: Annotated[Origin, Meta(title="Address", description="Where.", examples=["https://a.example"])]
    key: Annotated[SecretText, secret("Key", "What lets in.", "k3y")]

class Nothing(Body, frozen=True, kw_only=True):
    pass

class Good(Destination[Home, Nothing]):
    kind, title, connection, config = "good", "Good", Home, Nothing
    def origins(self, connection):
        return (connection.origin,)
    def prepare(self, connection, config, context):
        return Call(url=connection.origin + "/" + self.kind, json=context.document["title"])

class Raising(Good):
    kind = "raising"
    def prepare(self, connection, config, context):
        raise RuntimeError("no use with " + connection.key)

class Exiting(Good):
    kind = "exiting"
    def classify(self, connection, config, context, call, reply):
        raise SystemExit(3)

class Blocking(Good):
    kind = "blocking"
    def prepare(self, connection, config, context):
        time.sleep(0.2)
        return super().prepare(connection, config, context)

class Lying(Good):
    kind = "lying"
    def prepare(self, connection, config, context):
        return Call(url="https://elsewhere.example/" + connection.key)

class Babbling(Good):
    kind = "babbling"
    def classify(self, connection, config, context, call, reply):
        return "done"

class Old(Good):
    kind, api = "old", 0
"""
BAD = {
    "raising": "The destination raising failed: RuntimeError: no use with [secret]",
    "exiting": "The destination exiting failed: BrokenPromise: `classify` ended in SystemExit.",
    "lying": "The call goes to https://elsewhere.example, which is none of the connection's origins.",
    "babbling": "The destination babbling failed: BrokenPromise: `classify` answered with a str: that is no ruling.",
}
GONE = {"gone": "no_such_module:Kind", "ends": "ends_the_process:Kind", "old": "some_kinds:Old"}
CANARY = "canary-of-a-key"


class Anything(Vendor):
    def act(self, asked: VendorRequest) -> Answer:
        return Answer(200, {})

    def took(self, kind: str) -> list[str]:
        return [asked.json for asked in self.asked if asked.path == f"/{kind}"]


@pytest.fixture
def vendor() -> Iterator[Anything]:
    with Anything().served() as vendor:
        yield vendor


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The distribution, where every process that is started looks."""
    site = tmp_path / "site"
    (site / "some_kinds-1.dist-info").mkdir(parents=True)
    (site / "some_kinds.py").write_text(KINDS)
    (site / "ends_the_process.py").write_text("raise SystemExit(4)\n")
    entries = {name: f"some_kinds:{name.title()}" for name in ("good", *BAD, "blocking")} | GONE
    lines = "".join(f"{name} = {value}\n" for name, value in entries.items())
    (site / "some_kinds-1.dist-info" / "entry_points.txt").write_text(f"[signalpost.destinations]\n{lines}")
    (site / "some_kinds-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: some-kinds\nVersion: 1\n")
    monkeypatch.setenv("PYTHONPATH", str(site))
    return site


def subscribed(api: Client, kind: str, vendor: Vendor) -> Any:
    body = {"kind": kind, "config": {"origin": vendor.origin, "key": CANARY}}
    connection = api.ask("POST", "/v1/connections", body, expect=201)["id"]
    wanted = {"kind": kind, "connection": connection, "config": {}, "eventTypes": ["documentCreated"]}
    return api.ask("POST", "/v1/subscriptions", wanted, expect=201)


def test_a_plugin_that_raises_blocks_lies_or_is_gone_harms_nobody_else_and_loses_nothing(
    tmp_path: Path, ca_file: Path, receiver: Receiver, installed: Path, vendor: Anything,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    gateway = GatewayProcess(
        tmp_path / "data", tmp_path, ca_file, f"{receiver.origin},{vendor.origin}", retry_delays="1",
        attempt_timeout=f"{ATTEMPT_TIMEOUT:g}",
    )  # fmt: skip
    gateway.start()
    try:
        api = gateway.api
        kinds = {each["kind"] for each in api.ask("GET", "/v1/destinations")["data"]}
        assert kinds >= {"good", "slack", *BAD}
        assert not kinds & set(GONE)
        subscriptions = {kind: subscribed(api, kind, vendor) for kind in ("good", "blocking", *BAD)}
        webhook = api.subscribe(receiver.endpoint().url)
        made = [api.create(title=f"Contract {number}") for number in range(5)]
        until(lambda: len(vendor.took("good")) == len(vendor.took("blocking")) == 5)
        for contract in made:
            event = api.events_of(contract)[0]["id"]
            for delivered in (webhook, subscriptions["good"], subscriptions["blocking"]):
                api.until_delivery(delivered, event, "delivered")
            for kind, detail in BAD.items():
                failed = api.until_delivery(subscriptions[kind], event, "failed")
                assert {attempt["detail"] for attempt in failed["attempts"]} == {detail}

        gateway.stop()
        monkeypatch.delenv("PYTHONPATH")
        gateway.start()
        contract = api.create(title="While it is gone")
        event = api.events_of(contract)[0]["id"]
        api.until_delivery(webhook, event, "delivered")
        waiting = api.delivery(subscriptions["good"], event)
        assert waiting["attempts"] == []
        assert "is not installed here" in str(api.ask("GET", f"/v1/subscriptions/{subscriptions['good']['id']}"))

        gateway.stop()
        monkeypatch.setenv("PYTHONPATH", str(installed))
        gateway.start()
        until(lambda: vendor.took("good")[-1] == "While it is gone")
        assert len(vendor.took("good")) == 6
    finally:
        gateway.end()
    logged = gateway.stderr.read_text()
    for said in ("a kind of destination is left out", "a kind of destination failed",
                 "a kind of destination blocks the event loop"):  # fmt: skip
        assert said in logged
    assert CANARY not in logged
