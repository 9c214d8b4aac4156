"""A customer reads events with the kit, from a gateway that is killed and started again."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from gateway.tests.acceptance.client import until
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.patience import PATIENCE

from signalpost_receiver import Event, Receiver
from signalpost_receiver.reader import Reader

NEW = {"kind": "poll", "eventTypes": ["documentCreated", "documentUpdated"]}


class Shop:
    """What a customer runs: it handles each event once."""

    def __init__(self, made: dict[str, Any]) -> None:
        self.made = made
        self.got: list[str] = []
        self.receiver = Receiver(secrets=made["secret"])
        self.receiver.on()(self.handle)

    def handle(self, event: Event) -> None:
        self.got.append(event.id)

    def read(self, gateway: GatewayProcess) -> None:
        """Read what there is, and wait for nothing."""
        host, port = gateway.address
        url, secret = f"http://{host}:{port}", self.made["secret"]
        Reader(url, self.made["id"], secret, self.receiver, wait_s=0, timeout_s=PATIENCE).read()


@pytest.mark.parametrize("processes", ["1", "3"])
def test_what_was_handed_out_is_handed_out_again_after_a_kill_and_what_was_acknowledged_is_not(
    gateways: Callable[..., GatewayProcess], processes: str
) -> None:
    gateway = gateways(processes=processes)
    api = gateway.client()
    made = api.ask("POST", "/v1/subscriptions", NEW, expect=201)
    path, key = f"/v1/subscriptions/{made['id']}", f"Bearer {made['readerKey']}"
    for number in range(4):
        api.create(title=f"number {number}")
    wanted = [entry["event"]["id"] for entry in api.feed()]

    def poll(**asked: int) -> dict[str, Any]:
        found: dict[str, Any] = api.ask("POST", f"{path}/poll", {"wait": 0, **asked}, authorization=key)
        return found

    def ids(handed: dict[str, Any]) -> list[str]:
        return [json.loads(each["body"])["id"] for each in handed["data"]]

    first = poll(limit=1, lease=3600)
    assert ids(first) == wanted[:1]
    gateway.kill()
    gateway.start()
    assert poll(wait=1)["data"] == []  # the lease holds on
    acknowledged = api.ask("POST", f"{path}/acknowledge", {"receipt": first["receipt"]}, authorization=key)
    assert acknowledged == {"acknowledged": 1}
    gateway.kill()
    gateway.start()
    lost = poll(limit=2, lease=1)
    assert ids(lost) == wanted[1:3]
    gateway.kill()
    gateway.start()
    shop = Shop(made)

    def has_all() -> bool:
        shop.read(gateway)
        return len(shop.got) == 3

    until(has_all)
    assert shop.got == wanted[1:]
    assert {each["status"] for each in api.deliveries(made)} == {"delivered"}
