"""A customer reads events with the kit, from a gateway that is killed and started again."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from gateway.tests.acceptance.client import Client, until
from gateway.tests.acceptance.gateway_process import GatewayProcess, run_command
from gateway.tests.acceptance.test_master_key import keys_of, leave, rotate, until_settled
from gateway.tests.acceptance.test_restore import move
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


def test_a_reader_who_waits_while_the_gateway_stops_is_answered(gateways: Callable[..., GatewayProcess]) -> None:
    gateway = gateways()
    api = gateway.client()
    made = api.ask("POST", "/v1/subscriptions", NEW, expect=201)
    path, key = f"/v1/subscriptions/{made['id']}", f"Bearer {made['readerKey']}"
    with ThreadPoolExecutor(1) as reader:
        call = partial(gateway.client().request, "POST", f"{path}/poll", {"wait": 30}, authorization=key)
        answer = reader.submit(call)
        until(lambda: api.ask("GET", path)["health"]["reading"]["readAt"])
        assert gateway.stop() == 0
    # On a slow machine its time may be over before.
    assert answer.result().status == 503 or answer.result().json()["data"] == []


def handed(api: Client, made: dict[str, Any], **asked: int) -> dict[str, Any]:
    """What a reader is handed that waits for nothing."""
    path, key = f"/v1/subscriptions/{made['id']}/poll", f"Bearer {made['readerKey']}"
    found: dict[str, Any] = api.ask("POST", path, {"wait": 0, "lease": 3600, **asked}, authorization=key)
    return found


def acknowledged(api: Client, made: dict[str, Any], of: dict[str, Any], expect: int = 200) -> Any:
    path, key = f"/v1/subscriptions/{made['id']}/acknowledge", f"Bearer {made['readerKey']}"
    return api.ask("POST", path, {"receipt": of["receipt"]}, authorization=key, expect=expect)


def sequences(of: dict[str, Any]) -> list[int]:
    return [each["sequence"] for each in of["data"]]


@pytest.mark.slow
def test_cursor_and_lease_are_those_of_the_copy_after_a_restore(
    gateways: Callable[..., GatewayProcess], tmp_path: Path
) -> None:
    """What was acknowledged since the copy is handed out again: a receiver handles each event once by its id."""
    gateway = gateways()
    api = gateway.api
    made = api.ask("POST", "/v1/subscriptions", NEW, expect=201)
    for _ in range(3):
        api.create()
    first = handed(api, made, limit=1)
    assert acknowledged(api, made, first) == {"acknowledged": 1}
    leased = handed(api, made, limit=1)
    backup = tmp_path / "backup.db"
    run_command("db", "backup", backup, "--data-dir", gateway.data_dir)
    assert acknowledged(api, made, leased) == {"acknowledged": 1}
    since = handed(api, made)
    assert [*sequences(first), *sequences(leased), *sequences(since)] == [1, 2, 3]
    assert gateway.stop() == 0

    move(gateway, tmp_path / "restored", backup)
    gateway.start()
    assert handed(api, made)["data"] == [], "the lease of the copy holds"
    assert acknowledged(api, made, since, expect=409)["code"] == "lease_over"
    assert acknowledged(api, made, leased) == {"acknowledged": 1}
    again = handed(api, made)
    assert sequences(again) == [3]
    assert acknowledged(api, made, again) == {"acknowledged": 1}


@pytest.mark.slow
def test_a_lease_and_the_key_of_its_reader_hold_while_the_master_key_changes(
    gateways: Callable[..., GatewayProcess],
) -> None:
    gateway = gateways()
    api = gateway.api
    made = api.ask("POST", "/v1/subscriptions", NEW, expect=201)
    for _ in range(2):
        api.create()
    leased = handed(api, made, limit=1)
    assert rotate(gateway).returncode == 0
    until_settled(gateway)
    assert handed(api, made)["data"] == []
    assert acknowledged(api, made, leased) == {"acknowledged": 1}
    leased = handed(api, made)
    assert gateway.stop() == 0
    leave(gateway, keys_of(gateway)[0])
    gateway.start()
    assert handed(api, made)["data"] == []
    assert acknowledged(api, made, leased) == {"acknowledged": 1}
    api.create()
    shop = Shop(made)
    shop.read(gateway)
    assert len(shop.got) == 1
