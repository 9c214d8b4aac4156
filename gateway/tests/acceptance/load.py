"""Callers who create, change and delete documents as fast as they may, and remember what they were told."""

import random
import threading
import time
import uuid
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

from gateway.tests.acceptance.client import DOCUMENT, Client, Lost, Reply
from gateway.tests.patience import PATIENCE

CREATED, UPDATED, DELETED = "documentCreated", "documentUpdated", "documentDeleted"


class Promise(NamedTuple):
    """A change that was answered 2xx."""

    type: str
    external_id: str
    title: str
    document: Any
    """What the answer showed; None for a deletion."""


class Writer:
    """One caller with documents of its own, so that every answer is known beforehand. Every title is used once, and so
    names its change. The changes that carry an `Idempotency-Key` are repeated until they are answered; of the others,
    those without an answer may or may not have been made."""

    def __init__(self, client: Client, number: int, seed: int, pause: float, keyed: float = 0.5) -> None:
        """`pause`: seconds between two changes, on average. `keyed`: the share with an `Idempotency-Key`."""
        self.promises: list[Promise] = []
        self.asked: set[tuple[str, str]] = set()
        """(type, title) of everything that was ever sent."""
        self.wrong: list[str] = []
        self.unknown = 0
        """Changes that were never answered."""
        self.repeated = 0
        """Requests that were sent once more, with the same key."""
        self.replayed = 0
        """Answers that came from an earlier, unheard answer."""
        self._client = client
        self._number = number
        self._random = random.Random(seed * 1000 + number)
        self.pause = pause
        self._keyed = keyed
        self._titles: dict[str, str] = {}
        """The last title that each of its documents is known, or may be, to have."""
        self._stopping = threading.Event()
        self._count = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.wait(self._random.expovariate(1 / self.pause)):
            try:
                self._step()
            except Exception as error:
                self.wrong.append(repr(error))
                return

    def stop(self) -> None:
        """Finish the change under way, if it is one that is repeated."""
        self._stopping.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "a change was never answered"
        self._client.close()

    def _step(self) -> None:
        chance = self._random.random()
        if chance < 0.25 or len(self._titles) < 3:
            self._create()
            return
        external_id = self._random.choice(sorted(self._titles))
        if chance < 0.4:
            self._delete(external_id)
        else:
            self._patch(external_id)

    def _create(self) -> None:
        title = self._title()
        reply = self._send("POST", "/v1/documents", {**DOCUMENT, "title": title}, 201, (CREATED, title))
        if reply is not None:
            document = reply.json()
            self._titles[document["externalId"]] = title
            self.promises.append(Promise(CREATED, document["externalId"], title, document))

    def _patch(self, external_id: str) -> None:
        title = self._titles[external_id] = self._title()
        reply = self._send("PATCH", f"/v1/documents/{external_id}", {"title": title}, 200, (UPDATED, title))
        if reply is not None:
            self.promises.append(Promise(UPDATED, external_id, title, reply.json()))

    def _delete(self, external_id: str) -> None:
        title = self._titles.pop(external_id)
        if self._send("DELETE", f"/v1/documents/{external_id}", None, 204, (DELETED, external_id)) is not None:
            self.promises.append(Promise(DELETED, external_id, title, None))

    def _title(self) -> str:
        self._count += 1
        return f"writer {self._number}, change {self._count}"

    def _send(self, method: str, path: str, body: object, expected: int, change: tuple[str, str]) -> Reply | None:
        self.asked.add(change)
        keyed = self._random.random() < self._keyed
        headers = {"idempotency_key": str(uuid.uuid4())} if keyed else {}
        while True:
            try:
                reply = self._client.request(method, path, body, **headers)
            except Lost:
                reply = None
            if reply is not None and reply.status == expected:
                self.replayed += "idempotent-replayed" in reply.headers
                return reply
            if reply is not None and reply.status != 503:
                self.wrong.append(f"{method} {path}: {reply.status} {reply.body.decode()}")
                return None
            if not keyed:
                self.unknown += 1
                return None
            self.repeated += 1
            time.sleep(0.02)


def writers(client: Callable[[], Client], count: int, seed: int, pause: float, keyed: float = 0.5) -> list[Writer]:
    """A number of writers, already at work."""
    return [Writer(client(), number, seed, pause, keyed) for number in range(count)]


def check_log(feed: list[Any], callers: list[Writer]) -> None:
    """The log holds every change that was answered 2xx, once and as it was answered, and nothing that was not asked
    for; it has no gap, and its times strictly increase (C2, C5)."""
    wrong = [error for caller in callers for error in caller.wrong]
    assert not wrong, wrong
    assert [entry["sequence"] for entry in feed] == list(range(1, len(feed) + 1))
    events = [entry["event"] for entry in feed]
    for earlier, later in pairwise(events):
        assert earlier["createdAt"] < later["createdAt"]
        assert earlier["id"] < later["id"]
    changes = [change_of(event) for event in events]
    assert len(set(changes)) == len(changes), "a change was made twice"
    assert set(changes) <= {change for caller in callers for change in caller.asked}
    by_change = dict(zip(changes, events, strict=True))
    for promise in (promise for caller in callers for promise in caller.promises):
        named = promise.external_id if promise.type == DELETED else promise.title
        event = by_change.get((promise.type, named))
        assert event is not None, f"answered 2xx and not in the log: {promise}"
        document = event["data"]["document"]
        assert document["externalId"] == promise.external_id
        if promise.document is not None:
            answered = dict(promise.document)
            del answered["updatedAt"]
            assert document == answered


def change_of(event: Any) -> tuple[str, str]:
    """The change that an event tells of, as `Writer.asked` names it."""
    document = event["data"]["document"]
    return event["type"], document["externalId" if event["type"] == DELETED else "title"]
