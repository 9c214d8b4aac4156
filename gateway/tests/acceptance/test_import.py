"""Importing into the real process: memory, stops and kills in the middle."""

import json
import threading
import time
from collections.abc import Callable
from http.client import IncompleteRead
from pathlib import Path
from typing import Any

import apsw
import pytest
from gateway.tests.acceptance.client import until
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.api.stream import Stream, external_id, line
from gateway.tests.patience import PATIENCE
from gateway.tests.sqlite_file import database_file

LINES = 120_000


def stream(gateway: GatewayProcess) -> Stream:
    return Stream(gateway.address[1], gateway.operator_key)


def resident(gateway: GatewayProcess) -> int:
    """The process's memory in MiB."""
    status = Path(f"/proc/{gateway.pid}/status").read_text()
    (found,) = (text for text in status.splitlines() if text.startswith("VmRSS:"))
    return int(found.split()[1]) // 1024


@pytest.mark.slow
def test_memory_stays_the_same_however_many_lines_come(gateways: Callable[..., GatewayProcess]) -> None:
    """Bounded by the window and the caches of the log and the database, which the first two thirds fill."""
    gateway = gateways(log_level="info")
    measured: list[int] = []
    with stream(gateway) as talk:

        def send() -> None:
            for first in range(0, LINES, 200):
                talk.send(b"".join(line(number) for number in range(first, first + 200)))
            talk.end()

        sending = threading.Thread(target=send)
        sending.start()
        answered = 0
        for part in talk.parts():
            answered += part.count(b"\n")
            if answered >= (len(measured) + 1) * LINES // 10:
                measured.append(resident(gateway))
        sending.join(PATIENCE)
    assert answered == LINES
    assert gateway.api.ask("GET", f"/v1/events?after={LINES - 1}")["last"] == LINES
    assert max(measured[6:]) - measured[6] < 40, measured


@pytest.mark.slow
def test_huge_lines_are_not_kept(gateways: Callable[..., GatewayProcess]) -> None:
    gateway = gateways()
    before = resident(gateway)
    with stream(gateway) as talk:
        talk.send(b'{"title": "')
        for _ in range(300):
            talk.send(b"x" * 1024 * 1024)
        talk.send(b'"}\n' + line(1))
        refused, taken = talk.answer(), talk.answer()
        talk.end()
    assert (refused["line"], refused["status"]) == (1, 413)
    assert (taken["line"], taken["status"]) == (2, 201)
    assert resident(gateway) - before < 40


@pytest.mark.slow
def test_a_stop_in_the_middle_says_where_to_go_on(gateways: Callable[..., GatewayProcess]) -> None:
    gateway = gateways()
    with stream(gateway) as talk:
        talk.send(line(1) + line(2))
        assert [talk.answer()["status"], talk.answer()["status"]] == [201, 201]
        gateway.signal()
        stopped = talk.answer()
        assert talk.answer() is None
    assert gateway.wait() == 0
    assert (stopped["line"], stopped["status"]) == (3, 503)
    assert stopped["problem"]["code"] == "outcome_unknown"


@pytest.mark.slow
def test_a_stop_while_lines_are_under_way_says_from_where_to_repeat(
    gateways: Callable[..., GatewayProcess],
) -> None:
    """The database stands still, so that a line waits for its commit, and refused ones wait behind it."""
    gateway = gateways()
    other = apsw.Connection(str(database_file(gateway.data_dir)))
    with stream(gateway) as talk:
        talk.send(line(1))
        assert talk.answer()["status"] == 201
        other.execute("BEGIN IMMEDIATE")
        talk.send(line(2) + b"no JSON\n" * 100)
        time.sleep(0.2)
        gateway.signal()
        (stopped,) = talk.answers()
        other.execute("ROLLBACK")
        other.close()
    assert gateway.wait() == 0
    assert (stopped["line"], stopped["status"], stopped["problem"]["code"]) == (2, 503, "outcome_unknown")
    gateway.start()
    assert gateway.api.ask("GET", "/v1/events")["last"] in (1, 2)


@pytest.mark.slow
@pytest.mark.parametrize("kill", [True, False])
def test_what_was_answered_is_there_after_the_end_whatever_ended_it(
    gateways: Callable[..., GatewayProcess], *, kill: bool
) -> None:
    """The same lines once more import the rest, and nothing twice."""
    gateway = gateways()
    count = 20_000
    answered: list[Any] = []

    def send() -> None:
        try:
            for first in range(0, count, 100):
                talk.send(b"".join(line(number, sourceVersion=1) for number in range(first, first + 100)))
        except OSError:
            pass  # that is what this is about

    def send_all() -> None:
        send()
        talk.end()

    with stream(gateway) as talk:
        sending = threading.Thread(target=send)
        sending.start()
        try:
            while len(answered) < 3_000:
                answered.append(talk.answer())
            gateway.kill() if kill else gateway.signal()
            while (answer := talk.answer()) is not None:
                answered.append(answer)
        except (OSError, ValueError):
            pass  # it broke off
        except IncompleteRead:
            assert kill, "a gateway that is stopped ends its answer whole; one that is killed may end it within a chunk"
        sending.join()
    if not kill:
        assert gateway.wait() == 0
    gateway.start()
    taken = [answer for answer in answered if answer["status"] == 201]
    assert len(taken) >= 3_000
    feed = [entry["event"]["data"]["document"]["externalId"] for entry in gateway.api.feed()]
    assert feed == [external_id(number) for number in range(len(feed))]
    assert len(feed) >= len(taken)

    with stream(gateway) as talk:
        again = threading.Thread(target=send_all)
        again.start()
        answers = list(talk.answers())
        again.join()
    assert [answer["status"] for answer in answers] == [200] * len(feed) + [201] * (count - len(feed))
    until(lambda: json.loads(gateway.api.request("GET", f"/v1/events?after={count - 1}").body)["last"] == count)
