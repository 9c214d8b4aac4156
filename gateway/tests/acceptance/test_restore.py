"""A restore drill: a backup is taken under load and put into a new data directory, and nothing that was promised before
it is missing or comes under another id."""

import random
import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gateway.tests.acceptance.client import Client, until
from gateway.tests.acceptance.gateway_process import GatewayProcess, run_command
from gateway.tests.acceptance.kills import mostly_well, recorded_in, until_all_delivered
from gateway.tests.acceptance.load import DELETED, Writer, change_of, check_log, writers
from gateway.tests.acceptance.receiver import HELD, Endpoint, always
from msgspec.structs import replace

from signalpost.domain.evidence import PATH, check

AHEAD, AFTER = 40, 20
"""How many changes of each caller are answered before the backup, and after it."""


@pytest.mark.slow
def test_a_backup_under_load_has_all_that_was_promised_and_sends_nothing_under_a_new_id(
    gateways: Callable[..., GatewayProcess], endpoint: Callable[..., Endpoint], tmp_path: Path
) -> None:
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    gateway = gateways(retry_delays="1,1,1")
    well = mostly_well(seed)
    hook = endpoint(well)
    subscription = gateway.api.subscribe(hook.url)
    callers = writers(lambda: gateway.client(keep=True), 4, seed, pause=0.02)
    until_answered(callers, [AHEAD] * len(callers))
    hook.answer = always(HELD)
    hook.until(len(hook.requests) + 1)  # which is in flight at the backup, and so comes once more after it
    backup = tmp_path / "backup.db"
    promised = [len(caller.promises) for caller in callers]
    run("backup", backup, gateway.data_dir)
    hook.answer = well
    hook.release()
    until_answered(callers, [len(caller.promises) + AFTER for caller in callers])
    for caller in callers:
        caller.stop()
    assert gateway.stop() == 0

    move(gateway, tmp_path / "restored", backup)
    recorded = recorded_in(gateway.data_dir)
    of_former_life = len(hook.requests)
    gateway.start()
    feed = list(gateway.api.feed())
    assert len(feed) < sum(len(caller.promises) for caller in callers), "the backup was taken after all the load"
    for caller, count in zip(callers, promised, strict=True):
        del caller.promises[count:]
    check_log(feed, callers)
    check_documents(gateway.api, feed)
    until_all_delivered(gateway.api, subscription, hook, feed)
    check_ids(hook)

    former, again = hook.requests[:of_former_life], hook.requests[of_former_life:]
    assert recorded, "no attempt was recorded before the backup: this proves nothing"
    assert not recorded & {(subscription["id"], request.sequence, request.attempt) for request in again}
    twice = {request.id for request in former} & {request.id for request in again}
    assert twice, "nothing came twice: this proves nothing"
    made = gateway.api.create(title="after the restore")
    [event] = gateway.api.events_of(made)
    hook.until_of(event["id"], 1)
    assert event["id"] not in {request.id for request in former}, "the sequence is used again, the id is not"
    print(f"{len(feed)} events restored, {sum(promised)} promised before the backup, {len(twice)} came twice")


@pytest.mark.slow
def test_evidence_and_rehearsals_hold_after_a_restore_and_say_the_same(
    gateways: Callable[..., GatewayProcess], endpoint: Callable[..., Endpoint], tmp_path: Path
) -> None:
    """C14. What was stated before is proven by the keys that are published after it, and the other way round."""
    gateway = gateways(public_url="https://hooks.example")
    api, hook = gateway.api, endpoint()
    path = f"/v1/subscriptions/{api.subscribe(hook.url, eventTypes=['documentCreated'])['id']}"
    for number in range(6):
        api.patch(api.create(title=f"number {number}"), title=f"changed {number}")
    hook.until(6)
    first = hook.requests[0].id
    until(lambda: len(api.ask("GET", f"{path}/deliveries?status=delivered")["data"]) == 6)
    change = {"eventTypes": ["documentUpdated"], "when": {"field": "document.title", "isNot": "changed 3"}}
    period = {"from": "2001-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
    evidence, published = evidence_of(api, path, first), api.request("GET", PATH).body
    foretold = rehearsal_of(api, path, {**period, "change": change})
    assert (foretold["more"], foretold["less"]) == (5, 6)
    backup = tmp_path / "backup.db"
    run("backup", backup, gateway.data_dir)
    api.create(title="after the backup")
    hook.until(7)
    lost = hook.requests[-1].id
    assert gateway.stop() == 0

    move(gateway, tmp_path / "restored", backup)
    gateway.start()
    keys = api.request("GET", PATH).body
    again = evidence_of(api, path, first)
    assert all(check(file, by).is_known_key for file in (evidence, again) for by in (published, keys))
    before, after = (replace(check(file, keys).statement, stated_at="") for file in (evidence, again))
    assert before == after
    assert api.request("GET", f"{path}/deliveries/{lost}/evidence").status == 404
    assert rehearsal_of(api, path, {**period, "change": change}) == foretold
    api.ask("PATCH", path, change)
    counted = api.ask("POST", f"{path}/replays", {"rehearsal": foretold["id"], "dryRun": True})
    assert counted["count"] == 5


def evidence_of(api: Client, path: str, event_id: str) -> bytes:
    """The evidence of a delivery of this subscription."""
    return api.request("GET", f"{path}/deliveries/{event_id}/evidence").body


def rehearsal_of(api: Client, path: str, asked: Any) -> Any:
    """What is said of this subscription, without the requests, which are signed at the second of the question."""
    return {**api.ask("POST", f"{path}/rehearsals", asked), "requests": None}


def until_answered(callers: list[Writer], counts: list[int]) -> None:
    def wanting() -> bool:
        assert [error for caller in callers for error in caller.wrong] == []
        return any(len(caller.promises) < count for caller, count in zip(callers, counts, strict=True))

    until(lambda: not wanting())


def run(command: str, backup: Path, data_dir: Path) -> None:
    run_command("db", command, backup, "--data-dir", data_dir)


def move(gateway: GatewayProcess, folder: Path, backup: Path) -> None:
    """Restore into a folder with nothing but the keys of the former one, and have the gateway start there."""
    folder.mkdir(mode=0o700)
    for name in ("master-key", "operator-key"):
        shutil.copy(gateway.data_dir / name, folder / name)
    run("restore", backup, folder)
    gateway.data_dir = folder
    gateway.set(data_dir=str(folder))


def check_documents(api: Client, feed: list[Any]) -> None:
    """Every document is as the last event of the log says."""
    last = {entry["event"]["data"]["document"]["externalId"]: entry["event"] for entry in feed}
    for external_id, event in last.items():
        reply = api.request("GET", f"/v1/documents/{external_id}")
        assert reply.status == (404 if event["type"] == DELETED else 200)
        if reply.status == 200:
            found = reply.json()
            del found["updatedAt"]
            assert found == event["data"]["document"]


def check_ids(hook: Endpoint) -> None:
    """At the receiver each change has one id, and each id one body, however often it came and from which process."""
    ids, bodies = defaultdict(set), defaultdict(set)
    for request in hook.requests:
        ids[change_of(request.event)].add(request.id)
        bodies[request.id].add(request.body)
    assert [change for change, of_change in ids.items() if len(of_change) != 1] == []
    assert [identity for identity, of_id in bodies.items() if len(of_id) != 1] == []
