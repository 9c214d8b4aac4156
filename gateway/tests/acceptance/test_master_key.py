"""The master key of a running gateway is changed: by the command, under load, whatever ends the process meanwhile."""

import base64
import hashlib
import hmac
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from gateway.tests.acceptance.client import until
from gateway.tests.acceptance.gateway_process import (
    GatewayProcess,
    another_master_key,
    refused_start,
    run_command,
)
from gateway.tests.acceptance.load import writers
from gateway.tests.acceptance.receiver import Endpoint

from signalpost.store.vault import MasterKeys

Gateways = Callable[..., GatewayProcess]
Endpoints = Callable[..., Endpoint]
pytestmark = pytest.mark.slow


def keys_of(gateway: GatewayProcess) -> list[str]:
    return (gateway.data_dir / "master-key").read_text().split()


def name_of(key: str) -> str:
    return MasterKeys([base64.b64decode(key)]).current


def leave(gateway: GatewayProcess, *keys: str) -> None:
    (gateway.data_dir / "master-key").write_text("\n".join(keys) + "\n")


def rotate(gateway: GatewayProcess) -> "subprocess.CompletedProcess[str]":
    return run_command("db", "rotate-master-key", "--data-dir", gateway.data_dir, code=None)


def until_settled(gateway: GatewayProcess) -> None:
    until(lambda: gateway.api.ask("GET", "/v1/master-key")["state"] == "settled")


def test_the_master_key_changes_under_load_without_a_failed_request(gateways: Gateways, endpoint: Endpoints) -> None:
    gateway = gateways()
    hook = endpoint()
    of_before = {"header": "x-old", "secret": "known to the receiver of another system"}
    subscription = gateway.api.subscribe(
        hook.url, secret="an owner's secret", signAlso=[of_before], signWithKeyPair=True
    )
    document = gateway.api.create(title="with a file")
    gateway.api.upload(document["externalId"], b"%PDF-1.7\n%%EOF\n", publish=True)
    link = urlsplit(gateway.api.ask("GET", f"/v1/documents/{document['externalId']}")["latestVersion"]["downloadUrl"])
    callers = writers(gateway.client, 4, seed=14, pause=0.02)
    (before,) = keys_of(gateway)
    for _ in range(3):
        made = len(callers[0].promises)
        ended = rotate(gateway)
        assert ended.returncode == 0, ended.stderr
        assert "Remove it" in ended.stdout
        until(lambda made=made: len(callers[0].promises) > made + 5)  # type: ignore[misc]
    for caller in callers:
        caller.stop()
    feed = list(gateway.api.feed())
    assert [error for caller in callers for error in caller.wrong] == []
    assert [(caller.unknown, caller.repeated) for caller in callers] == [(0, 0)] * len(callers)
    hook.until(len(feed))
    assert {request.headers["webhook-id"] for request in hook.requests} == {entry["event"]["id"] for entry in feed}
    assert gateway.api.request("GET", f"{link.path}", authorization="").status == 200, "a link of before still works"

    current, *former = keys_of(gateway)
    assert len(former) == 3
    assert former[-1] == before
    assert gateway.stop() == 0
    leave(gateway, current)
    gateway.start()
    shown = gateway.api.ask("GET", "/v1/master-key")
    assert (shown["current"], shown["state"], len(shown["keys"])) == (name_of(current), "settled", 1)
    told = gateway.api.ask("GET", f"/v1/audit?object={name_of(current)}")["data"]
    assert [(entry["action"], entry["actor"]["kind"]) for entry in told] == [("master-key.rotate", "key")]
    assert gateway.api.request("GET", f"{link.path}", authorization="").status == 200
    gateway.api.create()
    hook.until(len(feed) + 1)
    for request in hook.requests:
        signed = hmac.new(of_before["secret"].encode(), request.body, hashlib.sha256).hexdigest()
        assert request.headers["x-old"] == signed, "the receiver of another system still verifies"
    assert gateway.api.subscription(subscription)["id"] == subscription["id"]


def test_a_start_says_which_master_keys_it_needs(gateways: Gateways, endpoint: Endpoints) -> None:
    """With the former one alone, with the new one alone before all is under it, and with neither."""
    gateway = gateways()
    hook = endpoint()
    gateway.api.subscribe(hook.url)
    (old,) = keys_of(gateway)
    assert gateway.stop() == 0
    ended = rotate(gateway)
    assert ended.returncode == 0
    assert "next start" in ended.stdout
    new, kept = keys_of(gateway)
    assert kept == old
    leave(gateway, new)
    assert f"needs the master key {name_of(old)}" in refused_start(gateway.data_dir).stderr
    leave(gateway, new, old)
    gateway.start()
    until_settled(gateway)
    assert gateway.stop() == 0
    for given in (old, another_master_key()):
        leave(gateway, given)
        refused = refused_start(gateway.data_dir)
        assert refused.returncode == 1
        assert f"needs the master key {name_of(new)}; the one that was given is {name_of(given)}" in refused.stderr
        assert "Traceback" not in refused.stderr
    leave(gateway, new)
    gateway.start()
    gateway.api.create()
    hook.until(1)


def test_a_backup_of_before_opens_with_the_master_key_of_before(
    gateways: Gateways, endpoint: Endpoints, tmp_path: Path
) -> None:
    gateway = gateways()
    hook = endpoint()
    gateway.api.subscribe(hook.url)
    (old,) = keys_of(gateway)
    backup = tmp_path / "backup.db"
    run_command("db", "backup", backup, "--data-dir", gateway.data_dir)
    assert rotate(gateway).returncode == 0
    assert gateway.stop() == 0
    new, _ = keys_of(gateway)
    run_command("db", "restore", backup, "--access-from-backup", "--data-dir", gateway.data_dir)
    leave(gateway, new)
    assert f"needs the master key {name_of(old)}" in refused_start(gateway.data_dir).stderr
    leave(gateway, new, old)
    gateway.start()
    gateway.api.create()
    hook.until(1)
    until_settled(gateway)


@pytest.mark.parametrize("after", [0, 2, 5])
def test_a_change_that_a_kill_breaks_off_goes_on_with_the_next_start(
    gateways: Gateways, endpoint: Endpoints, after: int
) -> None:
    """`after`: how many answers about its state there were before the kill."""
    gateway = gateways()
    hook = endpoint()
    for number in range(10):
        name = f"t{number}"
        gateway.api.ask("POST", "/v1/tenants", {"name": name}, expect=201)
        wanted = {"url": hook.url, "eventTypes": ["documentCreated"]}
        gateway.api.ask("POST", "/v1/subscriptions", wanted, expect=201, signalpost_tenant=name)
    gateway.api.ask("POST", "/v1/master-key/rotate", expect=202)
    for _ in range(after):
        gateway.api.ask("GET", "/v1/master-key")
    gateway.kill()
    new, _ = keys_of(gateway)
    gateway.start()
    until_settled(gateway)
    assert gateway.stop() == 0
    leave(gateway, new)
    gateway.start()
    for number in range(10):
        document = {"type": "NDA", "title": "t", "ownerEmail": "o@example.com", "authorEmail": "a@example.com"}
        gateway.api.ask("POST", "/v1/documents", document, expect=201, signalpost_tenant=f"t{number}")
    hook.until(10)


def test_where_the_key_is_a_setting_the_command_says_what_to_do(gateways: Gateways) -> None:
    old, new = another_master_key(), another_master_key()
    gateway = gateways(master_key=old)
    ended = rotate(gateway)
    assert ended.returncode == 1
    assert "MASTER_KEY=NEW,OLD" in ended.stderr
    gateway.api.create()
    assert gateway.stop() == 0
    gateway.set(master_key=f"{new},{old}")
    gateway.start()
    until_settled(gateway)
    assert gateway.stop() == 0
    gateway.set(master_key=new)
    gateway.start()
    assert gateway.api.ask("GET", "/v1/master-key")["current"] == name_of(new)


def test_a_key_in_a_file_elsewhere_is_read_again_when_the_command_is_run(gateways: Gateways, tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "master"
    file.parent.mkdir(mode=0o700)
    file.touch(0o600)
    old, new = another_master_key(), another_master_key()

    def write(*keys: str) -> None:
        file.write_text("\n".join(keys))

    write(old)
    gateway = gateways(master_key_file=str(file))
    gateway.api.create()
    assert "on a line above" in rotate(gateway).stderr
    write(new)
    assert f"no longer has the present master key {name_of(old)}" in rotate(gateway).stderr
    write(new, old)
    assert rotate(gateway).returncode == 0
    assert gateway.stop() == 0
    write(new)
    gateway.start()
    assert gateway.api.ask("GET", "/v1/master-key")["state"] == "settled"
