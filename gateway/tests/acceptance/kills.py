"""What holds after a gateway was killed, however often and wherever: for tests that kill it while it works."""

import bisect
import json
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import apsw
from gateway.tests.acceptance.client import Client, until
from gateway.tests.acceptance.gateway_process import GatewayProcess, children, is_there
from gateway.tests.acceptance.load import check_log, writers
from gateway.tests.acceptance.page import verify_signature
from gateway.tests.acceptance.receiver import FAIL, OK, Answer, Endpoint, ReceivedRequest
from gateway.tests.sqlite_file import database_file

SLOW = 0.25
"""The longest that an endpoint takes to answer, seconds."""
AT_ONCE = 128
"""The most requests that an endpoint has under way."""
UNRECORDED = 1_000
"""The most answers of an endpoint that have come and are not recorded."""


def mostly_well(seed: int) -> Callable[[ReceivedRequest], Answer]:
    """Answers 200, one in five late; refuses one event in twenty the first time."""
    chance = random.Random(seed)
    refused: set[str] = set()

    def answer(request: ReceivedRequest) -> Answer:
        if int(request.id[-4:], 16) % 20 == 0 and request.id not in refused:
            refused.add(request.id)
            return FAIL
        return OK._replace(after=chance.uniform(0, SLOW)) if chance.random() < 0.2 else OK

    return answer


class Kill(NamedTuple):
    at: float
    """No connection of the process that ended was made later, none of the next process earlier."""
    recorded: set[tuple[str, int, int]]
    """What it left as recorded attempts that count, or may: subscription, sequence, number."""


def recorded_in(data_dir: Path) -> set[tuple[str, int, int]]:
    """The recorded attempts. They are read from a copy, because to open a database that a crash left changes it."""
    with tempfile.TemporaryDirectory() as folder:
        for file in data_dir.glob("signalpost.db*"):
            shutil.copy(file, folder)
        database = apsw.Connection(str(database_file(Path(folder))))
        rows: list[Any] = database.execute(
            "SELECT subscription.id, sequence, attempt.number FROM attempt"
            " JOIN subscription ON subscription.number = subscription_number WHERE failure IS NOT 'cut'"
        ).fetchall()
        database.close()
    return {(str(UUID(bytes=packed)), sequence, number) for packed, sequence, number in rows}


class UnderLoad:
    """A gateway with two endpoints, one in loose and one in strict order, and callers at work."""

    def __init__(self, gateway: GatewayProcess, endpoint: Callable[..., Endpoint], seed: int) -> None:
        """The gateway retries after 1, 1 and 1 s."""
        self.gateway = gateway
        self.strict = endpoint(mostly_well(seed + 1))
        targets = {"loose": endpoint(mostly_well(seed)), "strict": self.strict}
        self.subscriptions = {
            target: gateway.api.subscribe(target.url, name=ordering, ordering=ordering)
            for ordering, target in targets.items()
        }
        self.callers = writers(lambda: gateway.client(keep=True), 10, seed, pause=0.03, keyed=0.6)
        self.kills: list[Kill] = []
        self.repeated = 0
        """Attempts that were made twice, as a kill came between."""

    def until_sent_more(self) -> None:
        """Wait until this process of the gateway has sent something, so that its end may interrupt something."""
        self.strict.until(len(self.strict.requests) + 1)

    def note_kill(self) -> None:
        """Remember that the gateway has just been killed."""
        self.kills.append(Kill(time.monotonic(), recorded_in(self.gateway.data_dir)))

    def kill_workers(self) -> None:
        """Kill every worker of the gateway, which is frozen meanwhile, so that none of their successors connects
        before they have ended. What is recorded is looked at when the gateway itself is killed."""
        self.gateway.freeze()
        killed = children(self.gateway.pid)
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        until(lambda: not any(map(is_there, killed)))
        self.kills.append(Kill(time.monotonic(), set()))
        self.gateway.thaw()

    def check(self) -> str:
        """Stop the callers; what was promised is kept. Returns what there was, in words."""
        for caller in self.callers:
            caller.stop()
        api, callers = self.gateway.api, self.callers
        feed = list(api.feed())
        check_log(feed, callers)
        repeats = {}
        for target, subscription in self.subscriptions.items():
            until_all_delivered(api, subscription, target, feed)
            check_deliveries(target, feed, subscription["secret"])
            repeats[subscription["name"]] = check_repeats(target, subscription["id"], self.kills)
        check_strict_order(self.strict)
        self.repeated = sum(each.total for each in repeats.values())
        assert sum(caller.repeated for caller in callers) > 0, "no client was ever interrupted: this proves nothing"
        return (
            f"{len(feed)} events, {sum(len(c.promises) for c in callers)} answered 2xx, "
            f"{sum(c.unknown for c in callers)} never answered, {sum(c.repeated for c in callers)} sent again with "
            f"their key ({sum(c.replayed for c in callers)} had taken place); {len(self.kills)} kills; {repeats}"
        )


def until_all_delivered(api: Client, subscription: Any, target: Endpoint, feed: list[Any]) -> None:
    wanted = {entry["event"]["id"] for entry in feed}

    def missing() -> set[str]:
        return wanted - {request.id for request, answer, _ in list(target.answered) if answer.status == 200}

    until(lambda: not missing(), lambda: f"{len(missing())} of {len(wanted)} events were never delivered")
    until(lambda: not api.deliveries(subscription, status="pending"))
    until(lambda: not api.deliveries(subscription, status="retrying"))
    listed = api.deliveries(subscription)
    assert {each["status"] for each in listed} == {"delivered"}
    assert [each["sequence"] for each in listed] == [entry["sequence"] for entry in reversed(feed)]


def check_deliveries(target: Endpoint, feed: list[Any], secret: str) -> None:
    """Every request is an event of the log, whole and signed, and says its sequence."""
    by_id = {entry["event"]["id"]: entry for entry in feed}
    assert {request.id for request in target.requests} == set(by_id)
    for request in target.requests:
        entry = by_id[request.id]
        # As text, so that the order of the keys counts (C1, C7).
        assert json.dumps(request.event) == json.dumps(entry["event"])
        assert request.sequence == entry["sequence"]
        assert verify_signature(request.body, request.headers, secret.encode()) is True
    bodies = {(request.id, request.body) for request in target.requests}
    assert len(bodies) == len(by_id), "a repeat differs from what was sent first"


class Repeats(NamedTuple):
    total: int
    most_of_a_kill: int


def check_repeats(target: Endpoint, subscription_id: str, kills: list[Kill]) -> Repeats:
    """The same attempt comes twice only with a kill in between: what flew, and what was not recorded. What was, never
    comes again."""
    ends = [kill.at for kill in kills]
    lives: dict[tuple[int, int], list[int]] = {}
    """By sequence and number of the attempt: of which processes it came."""
    for request in target.requests:
        life = bisect.bisect_left(ends, request.connected)
        lives.setdefault((request.sequence, request.attempt), []).append(life)
    assert max(attempt for _, attempt in lives) <= 2, "refused once, an event needs two attempts"
    of_kill = [0] * len(kills)
    for (sequence, attempt), came in lives.items():
        came.sort()
        assert len(set(came)) == len(came), "repeated without a kill"
        for life in came[:-1]:
            of_kill[life] += 1
            assert (subscription_id, sequence, attempt) not in kills[life].recorded, "repeated although recorded"
    assert max(of_kill) <= AT_ONCE + UNRECORDED
    assert any(kill.recorded for kill in kills), "nothing was ever recorded: this proves nothing"
    return Repeats(sum(of_kill), max(of_kill))


def check_strict_order(target: Endpoint) -> None:
    """C17: nothing of a document comes before all that precedes it was delivered."""
    delivered: dict[int, float] = {}
    for request, answer, at in target.answered:
        if answer.status == 200:
            delivered[request.sequence] = min(at, delivered.get(request.sequence, at))
    of_document: dict[str, set[int]] = {}
    for request in target.requests:
        of_document.setdefault(request.event["data"]["document"]["externalId"], set()).add(request.sequence)
    before = {later: earlier for seen in of_document.values() for earlier, later in pairwise(sorted(seen))}
    for request in target.requests:
        earlier = before.get(request.sequence)
        assert earlier is None or delivered[earlier] < request.arrived
