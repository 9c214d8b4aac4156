"""The process: its start, its end, its crash, its folder, and what it never shows."""

import base64
import http.client
import json
import os
import socket
import stat
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from gateway.tests.acceptance.client import DOCUMENT, Client, Lost, until
from gateway.tests.acceptance.gateway_process import GatewayProcess, another_master_key, refused_start
from gateway.tests.acceptance.load import check_log, writers
from gateway.tests.acceptance.receiver import HELD, OK, Answer, Endpoint, ReceivedRequest, always, first
from gateway.tests.patience import PATIENCE

Endpoints = Callable[..., Endpoint]
Gateways = Callable[..., GatewayProcess]


def unrepeated(requests: list[ReceivedRequest]) -> bool:
    return len({request.id for request in requests}) == len(requests)


# --- SIGTERM ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("processes", ["1", "3"])
def test_a_stop_under_load_is_clean_and_loses_and_repeats_nothing(
    gateways: Gateways, endpoint: Endpoints, processes: str
) -> None:
    """Exit code 0; what was answered 2xx is there; what was sent is recorded, so nothing is sent twice but what is on
    record as cut: a machine may be too slow for the time that a stop gives it."""
    gateway = gateways(processes=processes)
    fast, slow = endpoint(), endpoint(Answer(after=0.15))
    subscriptions = [gateway.api.subscribe(hook.url) for hook in (fast, slow)]
    callers = writers(lambda: gateway.client(keep=True), 4, seed=2, pause=0.01, keyed=1)
    for _ in range(2):
        time.sleep(0.6)
        assert gateway.stop() == 0
        gateway.start()
    for caller in callers:
        caller.stop()
    feed = list(gateway.api.feed())
    check_log(feed, callers)

    for hook, subscription in zip((fast, slow), subscriptions, strict=True):
        hook.until(len(feed))
        until(lambda subscription=subscription: not gateway.api.deliveries(subscription, status="pending"))  # type: ignore[misc]
        for event_id, count in Counter(request.id for request in hook.requests).items():
            if count > 1:
                attempts = gateway.api.delivery(subscription, event_id)["attempts"]
                assert [attempt["error"] for attempt in attempts] == ["cut"] * (count - 1) + [None]
        assert {request.attempt for request in hook.requests} == {1}
        assert {each["status"] for each in gateway.api.deliveries(subscription)} == {"delivered"}


@pytest.mark.slow
def test_an_attempt_under_way_may_end_during_a_stop(gateways: Gateways, endpoint: Endpoints) -> None:
    gateway = gateways()
    hook = endpoint(Answer(after=1))
    subscription = gateway.api.subscribe(hook.url)
    (event,) = gateway.api.events_of(gateway.api.create())
    hook.until(1)
    gateway.restart()
    done = gateway.api.until_delivery(subscription, event["id"], "delivered")
    assert len(done["attempts"]) == 1
    assert done["attempts"][0]["durationMs"] >= 1000
    assert len(hook.requests) == 1


@pytest.mark.slow
def test_an_attempt_that_a_stop_cuts_short_does_not_count(gateways: Gateways, endpoint: Endpoints) -> None:
    """C16: of a first attempt and of a retry; both go on after the restart under the number that they had."""
    gateway = gateways(retry_delays="1,60")
    fresh, retried = endpoint(first(HELD)), endpoint(first(Answer(500), HELD))
    subscriptions = {hook: gateway.api.subscribe(hook.url) for hook in (fresh, retried)}
    (event,) = gateway.api.events_of(gateway.api.create())
    fresh.until(1)
    retried.until(2)

    assert gateway.stop() == 0
    gateway.start()

    assert [request.attempt for request in fresh.until(2)] == [1, 1]
    assert [request.attempt for request in retried.until(3)] == [1, 2, 2]
    for hook, cut, outcomes in ((fresh, 0, ["cut", None]), (retried, 1, ["status", "cut", None])):
        done = gateway.api.until_delivery(subscriptions[hook], event["id"], "delivered", attempts=len(outcomes))
        assert [attempt["error"] for attempt in done["attempts"]] == outcomes
        assert [attempt["counted"] for attempt in done["attempts"]] == [n != cut for n in range(len(outcomes))]


@pytest.mark.slow
@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_client_that_holds_its_connection_does_not_hold_up_a_stop(gateways: Gateways, processes: str) -> None:
    gateway = gateways(processes=processes)
    idle = http.client.HTTPConnection(*gateway.address, timeout=PATIENCE)
    half = http.client.HTTPConnection(*gateway.address, timeout=PATIENCE)
    try:
        idle.request("GET", "/health/live")
        assert idle.getresponse().read()
        half.putrequest("POST", "/v1/documents")
        half.putheader("authorization", f"Bearer {gateway.operator_key}")
        half.putheader("content-length", "100")
        half.putheader("expect", "100-continue")
        half.endheaders()
        go_on = b"HTTP/1.1 100 Continue\r\n\r\n"  # so it is known that the request is under way
        assert half.sock.recv(len(go_on), socket.MSG_WAITALL) == go_on
        half.send(b'{"type":')
        assert gateway.stop() == 0
        # What was not whole yet is told so, as everything is: no bare 500.
        answer = half.getresponse()
        assert (answer.status, answer.headers["content-type"]) == (503, "application/problem+json")
        assert int(answer.headers["retry-after"]) >= 1
        assert json.load(answer)["code"] == "outcome_unknown"
    finally:
        idle.close()
        half.close()


# --- SIGKILL ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["document", "subscription"])
def test_a_change_whose_answer_was_never_heard_is_repeated_safely_after_a_crash(
    gateways: Gateways, endpoint: Endpoints, kind: str
) -> None:
    """With its `Idempotency-Key` it is made once, and answered as it would have been."""
    gateway = gateways()
    path = f"/v1/{kind}s"
    body: object = DOCUMENT if kind == "document" else {"url": endpoint().url, "eventTypes": ["documentCreated"]}
    key = str(uuid.uuid4())
    once = gateway.api.request("POST", path, body, idempotency_key=key)  # and this answer is lost
    gateway.kill()
    gateway.start()
    again = gateway.api.request("POST", path, body, idempotency_key=key)
    other = gateway.api.request("POST", path, {**DOCUMENT, "title": "another"}, idempotency_key=key)

    assert (once.status, again.status, other.status) == (201, 201, 422)
    assert again.headers["idempotent-replayed"] == "true"
    assert {k: v for k, v in again.json().items() if k != "health"} == {
        k: v for k, v in once.json().items() if k != "health"
    }
    if kind == "document":
        assert len(list(gateway.api.feed())) == 1
    else:
        assert len(gateway.api.ask("GET", path)["data"]) == 1


@pytest.mark.slow
def test_an_attempt_that_a_crash_interrupts_is_repeated_under_its_number(
    gateways: Gateways, endpoint: Endpoints
) -> None:
    """C16: it does not count; C2: it is the same event."""
    gateway = gateways(retry_delays="1")
    hook = endpoint(first(HELD))
    subscription = gateway.api.subscribe(hook.url)
    (event,) = gateway.api.events_of(gateway.api.create())
    hook.until(1)
    gateway.kill()
    gateway.start()
    once, again = hook.until(2)
    assert (once.attempt, again.attempt) == (1, 1)
    assert (once.id, once.body) == (again.id, again.body)
    done = gateway.api.until_delivery(subscription, event["id"], "delivered")
    assert len(done["attempts"]) == 1


@pytest.mark.slow
def test_what_was_given_up_stays_given_up_after_a_crash_and_can_still_be_retried(
    gateways: Gateways, endpoint: Endpoints
) -> None:
    gateway = gateways(retry_delays="1")
    hook = endpoint(first(Answer(500), Answer(500)))
    subscription = gateway.api.subscribe(hook.url)
    (event,) = gateway.api.events_of(gateway.api.create())
    gateway.api.until_delivery(subscription, event["id"], "failed", attempts=2)
    gateway.kill()
    gateway.start()
    time.sleep(0.5)
    assert gateway.api.delivery(subscription, event["id"])["status"] == "failed"
    assert len(hook.requests) == 2
    gateway.api.retry(subscription, event["id"])
    gateway.api.until_delivery(subscription, event["id"], "delivered", attempts=3)


@pytest.mark.slow
def test_a_retry_that_was_asked_for_is_made_although_the_gateway_crashed_at_once(
    gateways: Gateways, endpoint: Endpoints
) -> None:
    """202 is a promise: it is committed."""
    gateway = gateways(retry_delays="")
    hook = endpoint(always(Answer(500)))
    subscription = gateway.api.subscribe(hook.url)
    (event,) = gateway.api.events_of(gateway.api.create())
    gateway.api.until_delivery(subscription, event["id"], "failed")
    hook.answer = always(HELD)
    gateway.api.retry(subscription, event["id"])
    gateway.kill()
    hook.answer = always(OK)
    gateway.start()
    gateway.api.until_delivery(subscription, event["id"], "delivered", attempts=2)


# --- The folder -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_second_process_on_the_same_folder_is_told_so_and_the_first_goes_on(
    gateways: Gateways, endpoint: Endpoints
) -> None:
    gateway = gateways()
    hook = endpoint()
    gateway.api.subscribe(hook.url)
    gateway.api.create()
    hook.until(1)
    second = refused_start(gateway.data_dir)
    assert second.returncode not in (0, -9, -15)
    assert str(gateway.data_dir) in second.stderr
    assert "Traceback" not in second.stderr
    assert second.stdout == ""
    gateway.api.create()
    hook.until(2)
    gateway.restart()
    gateway.api.create()
    hook.until(3)
    assert unrepeated(hook.requests)


@pytest.mark.slow
def test_another_master_key_is_refused_and_harms_nothing(gateways: Gateways, endpoint: Endpoints) -> None:
    gateway = gateways()
    hook = endpoint()
    gateway.api.subscribe(hook.url)
    assert gateway.stop() == 0
    refused = refused_start(gateway.data_dir, f"--master-key={another_master_key()}")
    assert refused.returncode not in (0, -9, -15)
    assert "MASTER_KEY" in refused.stderr
    assert "Traceback" not in refused.stderr
    gateway.start()
    gateway.api.create()
    hook.until(1)


@pytest.mark.slow
def test_another_master_key_is_refused_also_where_only_answers_are_sealed(gateways: Gateways) -> None:
    """A folder without a subscription: its kept answers could never be read again."""
    gateway = gateways()
    gateway.api.request("POST", "/v1/documents", DOCUMENT, idempotency_key="key")
    assert gateway.stop() == 0
    refused = refused_start(gateway.data_dir, f"--master-key={another_master_key()}")
    assert refused.returncode not in (0, -9, -15)
    assert "MASTER_KEY" in refused.stderr


@pytest.mark.parametrize("flag", ["--port=99999", "--ca-file=/nowhere.pem", "--retry-delays=0", "--allow-targets=x"])
def test_a_wrong_setting_is_named_and_nothing_starts(tmp_path: Path, flag: str) -> None:
    refused = refused_start(tmp_path / "data", flag)
    assert refused.returncode not in (0, -9, -15)
    assert flag.partition("=")[0] in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "data").exists()


# --- Secrets ----------------------------------------------------------------------------------------------------------


def test_the_keys_are_kept_in_files_that_only_the_owner_reads(gateways: Gateways) -> None:
    gateway = gateways()
    for name in ("operator-key", "master-key"):
        assert stat.S_IMODE((gateway.data_dir / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(gateway.data_dir.stat().st_mode) == 0o700
    assert gateway.operator_key.startswith("sp_")
    assert len(gateway.operator_key) == 46
    key = gateway.operator_key
    gateway.restart()
    assert gateway.operator_key == key, "a restart must not lock its callers out"
    assert gateway.api.ask("GET", "/v1/events")["last"] == 0


def test_the_folder_for_files_is_made_also_if_the_database_is_in_another_one(
    gateways: Gateways, tmp_path: Path
) -> None:
    given = {"master_key": another_master_key(), "operator_key": "sp_" + "k" * 43}  # else a key's file makes the folder
    gateway = gateways(database_url=f"sqlite:///{tmp_path}/database/signalpost.db", **given)
    document = gateway.api.create()
    assert gateway.api.upload(document["externalId"], b"%PDF-1.7")
    assert stat.S_IMODE(gateway.data_dir.stat().st_mode) == 0o700


def test_only_the_key_opens_the_api(gateways: Gateways) -> None:
    gateway = gateways()
    api, key = gateway.api, gateway.operator_key
    for authorization in ("", "Bearer", "Bearer sp_" + "A" * 43, "Basic sp_x", f"Bearer {key}x"):
        assert api.request("GET", "/v1/events", authorization=authorization).status == 401
    assert api.request("GET", "/v1/events", authorization=f"bearer {key}").status == 200


@pytest.mark.slow
@pytest.mark.parametrize("given", [False, True], ids=["keys made", "keys given"])
def test_no_secret_is_in_the_output_or_in_the_database(gateways: Gateways, endpoint: Endpoints, given: bool) -> None:
    """Not with the most talkative log, failing attempts and kept answers, nor after a crash."""
    operator_key = "sp_" + base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
    flags = {"master_key": another_master_key(), "operator_key": operator_key} if given else {}
    gateway = gateways(log_level="debug", retry_delays="1", **flags)
    api = gateway.api
    if given:
        api = Client(lambda: gateway.address, lambda: operator_key)
        assert not (gateway.data_dir / "operator-key").exists()
        assert not (gateway.data_dir / "master-key").exists()
    hook = endpoint(always(Answer(401, body=b"who?")))
    own, header = "an own secret " + uuid.uuid4().hex, "a header " + uuid.uuid4().hex
    wanted = {"url": hook.url, "eventTypes": ["documentCreated"], "headers": {"x-token": header}}
    made = [
        api.ask("POST", "/v1/subscriptions", {**wanted, "secret": own}, expect=201, idempotency_key="one"),
        api.ask("POST", "/v1/subscriptions", wanted, expect=201, idempotency_key="two"),
    ]
    api.ask("PATCH", f"/v1/subscriptions/{made[0]['id']}", {"headers": {"x-token": header, "x-2": header}})
    api.request("POST", "/v1/subscriptions", {**wanted, "secret": own, "unknown": header})
    api.create()
    hook.until(4)
    master_key = flags["master_key"] if given else (gateway.data_dir / "master-key").read_text().strip()
    key = operator_key if given else gateway.operator_key
    gateway.kill()
    gateway.start()
    secrets = [key, master_key, own, header]
    secrets += [subscription[name] for subscription in made for name in ("secret", "standardWebhooksSecret")]
    encoded = [secret.removeprefix("whsec_") for secret in secrets if secret.startswith("whsec_")]
    raw = [base64.b64decode(text) for text in (master_key, *encoded)]

    looked_at = {"stdout": gateway.stdout.read_bytes(), "stderr": gateway.stderr.read_bytes()}
    for path in gateway.data_dir.rglob("*"):
        if path.is_file() and path.name not in ("operator-key", "master-key"):
            looked_at[path.name] = path.read_bytes()
    assert "signalpost.db" in looked_at
    assert b"documentCreated" in looked_at["signalpost.db"] + looked_at.get("signalpost.db-wal", b"")
    for name, content in looked_at.items():
        for secret in [*(text.encode() for text in (*secrets, *encoded)), *raw]:
            assert secret not in content, f"a secret is in {name}"


# --- Reading on -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_log_is_followed_without_a_gap_across_crashes(gateways: Gateways) -> None:
    """A client that polls `GET /v1/events?after=last` sees every event once and in order."""
    gateway = gateways()
    seen: list[int] = []
    done = threading.Event()
    faults: list[str] = []

    def poll() -> None:
        client, last = gateway.client(keep=True), 0
        while True:
            finished = done.is_set()
            try:
                page = client.ask("GET", f"/v1/events?after={last}&limit=20")
            except Lost:
                continue
            except AssertionError as error:
                faults.append(str(error))
                return
            seen.extend(entry["sequence"] for entry in page["data"])
            if finished and page["last"] == last:
                client.close()
                return
            last = page["last"]

    poller = threading.Thread(target=poll, daemon=True)
    poller.start()
    callers = writers(lambda: gateway.client(keep=True), 3, seed=3, pause=0.01)
    for _ in range(3):
        time.sleep(0.4)
        gateway.kill()
        gateway.start()
    for caller in callers:
        caller.stop()
    done.set()
    poller.join(PATIENCE)
    assert not poller.is_alive()
    assert faults == []
    assert seen == list(range(1, len(seen) + 1))
    assert seen == [entry["sequence"] for entry in gateway.api.feed()]
