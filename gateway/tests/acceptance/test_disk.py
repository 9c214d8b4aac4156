"""Disks that fill up and disks that fail, under a real gateway: what was promised is kept, and no more is promised."""

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gateway.tests.acceptance.client import DOCUMENT, Client, until
from gateway.tests.acceptance.gateway_process import GatewayProcess, run_command
from gateway.tests.acceptance.load import Writer, check_log, writers
from gateway.tests.acceptance.receiver import HELD, Answer, Endpoint, Receiver, first
from gateway.tests.patience import ATTEMPT_TIMEOUT

from signalpost.store.open import default_url, find_database

Gateways = Callable[..., GatewayProcess]
Endpoints = Callable[..., Endpoint]

DISK_MB = 64
DISK_FAILED = 74
pytestmark = pytest.mark.slow


# --- A small disk -----------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 64 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"a file system cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.fixture
def on_small_disk(small_disk: Path, tmp_path: Path, ca_file: Path, receiver: Receiver) -> Iterator[GatewayProcess]:
    """A gateway whose disk keeps 16 of its 64 MB."""
    logs = tmp_path / "logs"
    logs.mkdir()
    gateway = GatewayProcess(
        small_disk / "data", logs, ca_file, receiver.origin,
        retry_delays="1,1,1", disk_reserve_mb="16", attempt_timeout=f"{ATTEMPT_TIMEOUT:g}",
    )  # fmt: skip
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.end()
    assert gateway.faults == []


def fill(disk: Path, left_mb: float) -> Path:
    """Take the disk's free space but for so much, with one file."""
    filling = disk / "filling"
    with filling.open("ab") as file:
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        with contextlib.suppress(OSError):  # others write too: it is as full as it gets
            file.write(bytes(max(0, free - round(left_mb * 1024 * 1024))))
    return filling


def ready(api: Client) -> int:
    return api.request("GET", "/health/ready").status


def test_on_a_disk_that_is_nearly_full_documents_are_refused_and_all_else_goes_on(
    on_small_disk: GatewayProcess, small_disk: Path, endpoint: Endpoints
) -> None:
    gateway, api = on_small_disk, on_small_disk.api
    slow, failing = endpoint(HELD), endpoint(first(Answer(500), Answer(500)))
    to_slow, to_failing = api.subscribe(slow.url), api.subscribe(failing.url)
    document = api.create()
    (event,) = api.events_of(document)
    slow.until(1)

    filling = fill(small_disk, left_mb=4)
    until(lambda: ready(api) == 503)
    assert "DISK_RESERVE_MB keeps 16" in api.request("GET", "/health/ready").json()["trouble"]
    refused = [
        api.request("POST", "/v1/documents", DOCUMENT),
        api.request("PATCH", f"/v1/documents/{document['externalId']}", {"title": "Another"}),
        api.request("DELETE", f"/v1/documents/{document['externalId']}"),
    ]
    assert [(reply.status, reply.json()["code"]) for reply in refused] == [(503, "disk_nearly_full")] * 3
    assert all(int(reply.headers["retry-after"]) > 0 for reply in refused)
    assert api.metric("signalpost_accepting") == 0
    assert api.metric("signalpost_disk_free_bytes") < 16 * 1024 * 1024

    slow.release()
    api.until_delivery(to_slow, event["id"], "delivered")
    api.until_delivery(to_failing, event["id"], "delivered", attempts=3)
    api.retry(to_failing, event["id"])
    api.until_delivery(to_failing, event["id"], "delivered", attempts=4)
    api.change_subscription(to_slow, status="paused")
    api.change_subscription(to_slow, status="active")
    api.unsubscribe(api.subscribe(slow.url))
    assert api.ask("GET", f"/v1/documents/{document['externalId']}")["title"] == DOCUMENT["title"]

    filling.unlink()
    until(lambda: ready(api) == 200)
    assert api.metric("signalpost_accepting") == 1
    (later,) = api.events_of(api.create())
    api.until_delivery(to_slow, later["id"], "delivered")
    assert len(list(api.feed())) == 2
    log = gateway.stderr.read_text()
    assert log.count("documents are refused") == log.count("documents are accepted") == 1
    assert gateway.stop() == 0
    assert find_database(default_url(gateway.data_dir)).check() == []


def test_on_a_disk_that_gets_full_under_load_every_promise_is_kept(
    on_small_disk: GatewayProcess, small_disk: Path, endpoint: Endpoints
) -> None:
    """Not a byte is left, twice or until something could not be recorded; the writers' documents and the endpoint's
    failures go on meanwhile."""
    gateway, api = on_small_disk, on_small_disk.api
    hook = endpoint(first(Answer(500)))
    subscription = api.subscribe(hook.url)
    callers = writers(lambda: gateway.client(keep=True), 6, seed=7, pause=0.005)
    rounds = 0
    while rounds < 2 or "cannot be recorded" not in gateway.stderr.read_text():
        rounds += 1
        assert rounds < 20, "it was never full: this proves nothing"
        time.sleep(1)
        filling = fill(small_disk, left_mb=0)
        until(lambda: ready(api) == 503)
        for _ in range(40):  # what they wait for is retried in this time
            fill(small_disk, left_mb=0)
            time.sleep(0.05)
        assert ready(api) == 503
        filling.unlink()
        until(lambda: ready(api) == 200)
    for caller in callers:
        caller.stop()
    assert sum(caller.repeated + caller.unknown for caller in callers) > 0, "nothing was ever refused"
    assert_promises_kept(api, callers, subscription, hook)
    answered = [(request.id, answer.status) for request, answer, _ in hook.answered]
    assert len(answered) == len(set(answered)), "the same process repeats no attempt"
    assert gateway.stop() == 0
    run_command("db", "check", "--data-dir", gateway.data_dir)


def assert_promises_kept(api: Client, callers: list[Writer], subscription: Any, hook: Endpoint) -> None:
    """Every change that was answered 2xx is in the log, and all of the log was delivered and is recorded as such."""
    feed = list(api.feed())
    check_log(feed, callers)
    wanted = {entry["event"]["id"] for entry in feed}

    def delivered() -> set[str]:
        return {request.id for request, answer, _ in list(hook.answered) if answer.status == 200}

    until(lambda: delivered() == wanted, lambda: f"{len(wanted - delivered())} of {len(wanted)} were not delivered")
    until(lambda: not api.deliveries(subscription, status="retrying"))
    until(lambda: not api.deliveries(subscription, status="pending"))
    assert {each["eventId"] for each in api.deliveries(subscription, status="delivered")} == wanted


# --- A disk that fails ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", ["sync -wal", "write -wal", "sync .db", "write .db"])
def test_when_the_disk_fails_it_ends_at_once_and_nothing_that_was_answered_is_lost(
    gateways: Gateways, endpoint: Endpoints, tmp_path: Path, failure: str
) -> None:
    """In a commit, or while the WAL is copied back."""
    gateway = gateways()
    assert gateway.stop() == 0
    trigger = tmp_path / "trigger"
    usual, gateway.command = gateway.command, [str(Path(__file__).with_name("failing_disk.py")), str(trigger)]
    gateway.start()
    hook = endpoint()
    subscription = gateway.api.subscribe(hook.url)
    callers = writers(lambda: gateway.client(keep=True), 6, seed=3, pause=0.002, keyed=0)
    time.sleep(1)
    draft = trigger.with_suffix(".new")
    draft.write_text(failure)
    draft.rename(trigger)
    assert gateway.wait() == DISK_FAILED
    assert "the disk failed" in gateway.stderr.read_text()
    gateway.command = usual
    gateway.start()
    for caller in callers:
        caller.stop()
    assert_promises_kept(gateway.api, callers, subscription, hook)
    assert gateway.stop() == 0
    assert find_database(default_url(gateway.data_dir)).check() == []
