"""What a delivery through another kind of destination than the webhook costs beside the sender.

.venv/bin/python benchmarks/courier.py

Slack messages, each of a document of 1.3 KB, are carried to a transport that answers in the next round of the event
loop: from the event's bytes to the request's, and from the answer to the outcome. Printed is the CPU of each delivery,
the least of several rounds.
"""

import asyncio
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import uvloop

from signalpost.destinations.registry import Destinations
from signalpost.domain.connection import Connection
from signalpost.domain.delivery.delivery import Delivery
from signalpost.domain.delivery.outcome import Outcome
from signalpost.domain.event import Event
from signalpost.domain.request import OutgoingRequest
from signalpost.domain.subscription import Subscription
from signalpost.engine.connectors.courier import Courier, CourierParts
from signalpost.engine.connectors.open_connection import OpenConnection, Surroundings
from signalpost.engine.connectors.passage import Passage
from signalpost.engine.connectors.wire import VendorTransport
from signalpost.engine.counts import Counts
from signalpost.engine.lanes.carriers import Made
from signalpost.engine.lanes.erased import ErasedEvents
from signalpost.engine.lanes.subjects import Subjects
from signalpost.runtime.clock import SystemClock
from signalpost.runtime.garbage_collector import collect_rarely
from signalpost.runtime.tasks import Tasks
from signalpost.sharing.resting_turns import RestingTurns

DELIVERIES = 3_000
ROUNDS = 9
AT_ONCE = 20
HOOK = "https://hooks.slack.com/services/T00000000/B00000000/abcdefghijklmnopqrstuvwx"
CONNECTION = Connection(
    id="c", tenant_id=1, number=1, kind="slack", name="Slack", config={"signIn": {"with": "webhook", "url": HOOK}},
    created_at=0, updated_at=0,
)  # fmt: skip
SUBSCRIPTION = Subscription(
    id="01a20e92-1d5f-76d4-985f-8a63b2c66f94", tenant_id=1, number=1, name="Slack", kind="slack", connection_id="c",
    config={"text": "*{{ document.title }}* is now {{ document.status }}."}, url="", secret="", headers={},
    status="active", ordering="loose", rate_limit=None, retry_delays=(), starts_after=0, filters=((0, 7),),
    created_at=0, updated_at=0,
)  # fmt: skip
EVENT = msgspec.json.encode(
    {"type": "documentUpdated", "data": {"document": {
        "externalId": "d", "title": "Mutual NDA", "status": "executed", "additionalFacts": {"notes": "n" * 1_100},
    }}}
)  # fmt: skip


class Answering:
    """A transport that says yes to everything."""

    def send(self, _request: OutgoingRequest, done: Callable[[Outcome], None]) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n"
        outcome = Outcome(failure=None, status=200, answer=b"ok", head=head)
        asyncio.get_running_loop().call_soon(done, outcome)

    async def close(self, grace: float) -> None: ...


class NothingMade:
    async def made(self, _subscription: int, _documents: list[str]) -> dict[str, Any]:
        return {}


async def main() -> float:
    """µs of CPU for each delivery."""
    clock, line, kinds = SystemClock(), VendorTransport(Answering()), Destinations.installed([])
    unused = cast(Any, lambda *_given: None)
    connection = OpenConnection(
        CONNECTION,
        Surroundings(Counts(), kinds, line, clock, random.Random(1), unused, unused, unused, unused),  # noqa: S311 - no secret
    )
    store = cast(Any, SimpleNamespace(log=None))
    subjects = Subjects(ThreadPoolExecutor(1), RestingTurns(), ErasedEvents())
    parts = CourierParts(kinds, store, subjects, line, unused, clock, Tasks(), unused, unused, unused)
    courier = Courier(SUBSCRIPTION, Passage(connection, SUBSCRIPTION, None), Made(cast(Any, NothingMade()), 1), parts)
    left, ended = iter(range(1, DELIVERIES + 1)), asyncio.Semaphore(0)

    def carry_next(outcome: Outcome | None = None) -> None:
        if outcome is not None:
            assert outcome.failure is None, outcome.detail
            ended.release()
        if number := next(left, 0):
            event = Event(1, number, 0, f"01a20e92-1d2e-7800-9367-{number:012d}", 2, f"d{number % 50}", EVENT)
            courier.carry(event, Delivery(number, event.document_id), carry_next)

    began = time.process_time()
    for _ in range(AT_ONCE):
        carry_next()
    for _ in range(DELIVERIES):
        await ended.acquire()
    return (time.process_time() - began) / DELIVERIES * 1e6


if __name__ == "__main__":
    collect_rarely()
    print(f"{min(uvloop.run(main()) for _ in range(ROUNDS)):.1f} µs a delivery")
