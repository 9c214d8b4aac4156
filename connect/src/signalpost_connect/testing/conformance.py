"""What every source promises, as tests that its author inherits. They feed a real gateway from the real thing.

    class TestMyQueue(Conformance):
        @pytest.fixture(autouse=True)
        def _given(self, queue, gateway):
            self.queue, self.gateway = queue, gateway

        def source(self): return MyQueue(MyConfig(…))
        def put(self, changes): …
        def left(self): …
        def dead(self): …

Each test works on documents of its own, so that one gateway can serve all. `put` is what a platform does: each change
is a message, and those of a document are put in the order in which they are given.
"""

import asyncio
import json
import random
import uuid
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar
from unittest import SkipTest

from signalpost_client import AsyncClient, Client
from signalpost_connect.judging import judge, made_ready
from signalpost_connect.mapping import LineMaker
from signalpost_connect.progress import Progress
from signalpost_connect.pump import MOST_MESSAGES, Pump
from signalpost_connect.source import AGAIN, APPLIED, Batch, Message, Outcome, Source

T = TypeVar("T")
_ATTRIBUTES: Mapping[str, Any] = {
    "type": "NDA",
    "status": "created",
    "createdAt": "2026-01-01T00:00:00Z",
    "sourceApp": "conformance",
    "ownerEmail": "owner@example.com",
    "authorEmail": "author@example.com",
}


class Change(NamedTuple):
    """A state of a document, or its deletion."""

    document: str
    """A UUID."""
    version: int
    title: str | None = None
    """The title in this state; None if the document is deleted."""
    is_poison: bool = False
    """Whether the gateway will never take it: its title is missing."""

    @property
    def snapshot(self) -> dict[str, Any] | None:
        """The document as an import takes it, without `externalId` and `sourceVersion`; None if it is deleted."""
        if self.is_poison:
            return dict(_ATTRIBUTES)
        return None if self.title is None else {**_ATTRIBUTES, "title": self.title}

    @property
    def line(self) -> dict[str, Any]:
        """The line of an import."""
        state = {"deleted": True} if self.snapshot is None else self.snapshot
        return {**state, "externalId": self.document, "sourceVersion": self.version}


class RunningGateway(Protocol):
    """A gateway that a test may stop and start. Its address stays the same."""

    url: str
    key: str
    """A key with the role `app`, with which the connector calls."""
    operator_key: str
    """The operator's key, with which the tests read events."""

    def stop(self) -> None:
        """End it; what connects is refused until it starts."""

    def start(self) -> None:
        """Start it, and wait until it listens."""


class Killable(Protocol):
    """A server that a test may kill, and start again at the same address with what it has on disk."""

    def kill(self) -> None:
        """End it by SIGKILL."""

    def start(self) -> None:
        """Start it, and wait until it answers."""


class Conformance(ABC):
    """The promises. Derive from this, and say how messages get into the source and what is left there."""

    gateway: RunningGateway
    many: ClassVar[int] = 2_000
    """How many messages the test of many has."""
    shuffled: ClassVar[int] = 3_200
    """How many changes come in a wrong order, not counting repeats."""
    poisoned: ClassVar[int] = MOST_MESSAGES + 50
    """How many bad messages come in a row: more than a batch has, unless the source is slow."""
    patience: ClassVar[float] = 180.0
    """Seconds after which something that has to happen is taken to never happen."""

    @abstractmethod
    def source(self) -> Source:
        """A new source, as one start of the connector makes it. It reads what `put` wrote."""

    @abstractmethod
    def put(self, changes: Sequence[Change]) -> None:
        """Put a message for each change into the source."""

    @abstractmethod
    def left(self) -> int:
        """How many messages are in the source that are neither done nor dead."""

    @abstractmethod
    def dead(self) -> Sequence[str]:
        """The problems of all dead messages."""

    # --- The promises -------------------------------------------------------------------------------------------------

    def test_changes_arrive_once_and_in_their_order(self) -> None:
        """Some states of each of some documents, one document after the other and all mixed."""
        documents = _documents(8)
        changes = [Change(each, version, f"v{version}") for version in range(1, 6) for each in documents]
        changes += [Change(each, version, f"v{version}") for each in documents for version in range(6, 9)]
        told = self._told()
        self.put(changes)
        self._drain()
        assert told() == {each: [f"v{version}" for version in range(1, 9)] for each in documents}

    def test_a_deletion_is_one_also_if_an_older_state_follows(self) -> None:
        """A queue may repeat what is older than the deletion."""
        [document] = _documents(1)
        told = self._told()
        self.put([Change(document, 1, "v1"), Change(document, 3), Change(document, 2, "late"), Change(document, 3)])
        self._drain()
        self.put([Change(document, 4, "again")])
        self._drain()
        assert told() == {document: ["v1", "deleted", "again"]}
        assert not self.dead()

    def test_what_is_repeated_changes_nothing(self) -> None:
        """The same change, put twice and three times."""
        documents = _documents(5)
        changes = [Change(each, version, f"v{version}") for version in (1, 1, 2, 1, 2) for each in documents]
        told = self._told()
        self.put(changes)
        self._drain()
        self.put(changes)
        self._drain()
        assert told() == {each: ["v1", "v2"] for each in documents}

    def test_a_poison_message_is_kept_with_its_reason_and_stops_no_other(self) -> None:
        """The poison stands in the middle, of a document with states before and after it."""
        one, other = _documents(2)
        changes = [Change(one, 1, "v1"), Change(one, 2, is_poison=True), Change(other, 1, "v1"), Change(one, 3, "v3")]
        before = len(self.dead())
        told = self._told()
        self.put(changes)
        self._drain()
        assert told() == {one: ["v1", "v3"], other: ["v1"]}
        [problem] = list(self.dead())[before:]
        assert "title" in problem, problem

    def test_a_batch_of_poison_stops_nothing(self) -> None:
        """There is no good message among the first ones."""
        [document] = _documents(1)
        poison = [Change(each, 1, is_poison=True) for each in _documents(self.poisoned)]
        before = len(self.dead())
        told = self._told()
        self.put([*poison, Change(document, 1, "v1")])
        self._drain()
        assert told() == {document: ["v1"]}
        assert len(self.dead()) - before == len(poison)

    def test_while_the_gateway_is_away_everything_stays_in_the_source(self) -> None:
        """The gateway stops while messages are there, and comes back."""
        documents = _documents(20)
        told = self._told()
        self.gateway.stop()
        self.put([Change(each, version, f"v{version}") for version in (1, 2) for each in documents])
        _run(self._until_it_fails())
        assert self.left() == 2 * len(documents)
        self.gateway.start()
        self._drain()
        assert told() == {each: ["v1", "v2"] for each in documents}

    def test_what_was_answered_and_not_settled_comes_again(self) -> None:
        """The connector is killed between the answer and the settling; other changes follow."""
        documents = _documents(30)
        told = self._told()
        self.put([Change(each, 1, "v1") for each in documents])
        _run(self._answered_and_killed())
        assert self.left() == len(documents)
        self.put([Change(each, 2, "v2") for each in documents])
        self._drain()
        assert told() == {each: ["v1", "v2"] for each in documents}

    def test_many_messages_arrive_once(self) -> None:
        """Several batches of them."""
        documents = _documents(self.many // 4)
        told = self._told()
        self.put([Change(each, version, f"v{version}") for version in range(1, 5) for each in documents])
        self._drain()
        assert told() == {each: [f"v{version}" for version in range(1, 5)] for each in documents}

    def test_in_whatever_order_messages_come_the_last_state_is_right(self) -> None:
        """Eight changes of each document, a third of them deletions, shuffled, and some of them twice. What was
        overtaken may make no event."""
        chance, documents = random.Random(7), _documents(self.shuffled // 8)  # noqa: S311 - no secret
        changes = [
            Change(document, version, None if chance.random() < 1 / 3 else f"v{version}")
            for document in documents
            for version in range(1, 9)
        ]
        last = {each.document: each.title or "deleted" for each in changes}
        told = self._told()
        repeated = [*changes, *chance.sample(changes, len(changes) // 4)]
        chance.shuffle(repeated)
        self.put(repeated)
        self._drain()
        found = told()
        ends = {each: found[each][-1] if each in found else "deleted" for each in documents}
        assert {each: state for each, state in ends.items() if state != last[each]} == {}
        for states in found.values():
            versions = [state for state in states if state != "deleted"]
            assert versions == sorted(set(versions)), "an older state came after a newer one, or one came twice"
        assert not self.dead()

    def test_what_was_taken_ahead_follows_and_comes_again_behind_what_came_before(self) -> None:
        """The gateway answers a part of a batch while the next one is here."""
        [document] = _documents(1)
        versions = list(range(1, 7))
        self.put([Change(document, each, f"v{each}") for each in versions])

        async def take() -> list[int]:
            source = self.source()
            if not getattr(source, "reads_ahead", False):
                raise SkipTest("this source is settled before it is asked for more")
            try:
                first, second = [await _some(source, 2) for _ in range(2)]
                await source.settle(first, [APPLIED, AGAIN])
                await source.settle(second, [AGAIN] * len(second.messages))
                again = list[Batch]()
                while sum(len(each.messages) for each in again) < len(versions) - 1:
                    again.append(await _some(source, 2))
                for each in again:
                    await source.settle(each, [APPLIED] * len(each.messages))
                return [_version(message) for each in (first, second, *again) for message in each.messages]
            finally:
                await source.close()

        assert _run(take()) == [1, 2, 3, 4, *versions[1:]]
        assert self.left() == 0

    def test_an_empty_source_gives_an_empty_batch(self) -> None:
        """The source does not wait for ever, and closing twice does no harm."""

        async def look() -> int:
            source = self.source()
            batch = await source.take(10, 0.2)
            await source.close()
            await source.close()
            return len(batch.messages)

        assert _run(look()) == 0

    # --- How they are tried -------------------------------------------------------------------------------------------

    def _told(self) -> Callable[[], Mapping[str, Sequence[str]]]:
        """What tells the titles, or `deleted`, of each document in the events from now on, in their order."""
        with self._reader() as client:
            newest = client.events.list(before="latest", limit=1).data
            start = newest[0].sequence if newest else 0

        def told() -> Mapping[str, Sequence[str]]:
            with self._reader() as client:
                return states_told(client, start)

        return told

    def _reader(self) -> Client:
        return Client(self.gateway.url, self.gateway.operator_key)

    def _drain(self) -> None:
        """Run the connector until nothing is left."""
        _run(self._drained())
        assert self.left() == 0

    async def _drained(self) -> None:
        source, progress = self.source(), Progress(lambda: 0.0)
        async with self._client() as client:
            pump = Pump(source, client, LineMaker(), progress)
            try:
                async with asyncio.timeout(self.patience):
                    while await asyncio.to_thread(self.left):  # it may have a loop of its own
                        await pump.round()
            except TimeoutError:
                raise AssertionError(f"{self.left()} messages are left: {progress.health()}") from None
            finally:
                await source.close()

    async def _until_it_fails(self) -> None:
        source = self.source()
        async with asyncio.timeout(self.patience), self._client() as client:
            try:
                pump = Pump(source, client, LineMaker(), Progress(lambda: 0.0))
                assert await pump.round() > 0, "the gateway answered, though it was stopped"
            finally:
                await source.close()

    async def _answered_and_killed(self) -> None:
        source = self.source()
        async with asyncio.timeout(self.patience), self._client() as client:
            while not (batch := await source.take(MOST_MESSAGES, 1.0)).messages:
                pass
            judgement = await judge(client, made_ready(batch, LineMaker()))
            assert {each.outcome for each in judgement.verdicts} == {Outcome.APPLIED}
            await source.close()

    def _client(self) -> AsyncClient:
        return AsyncClient(self.gateway.url, self.gateway.key, deadline=5.0)


def states_told(client: Client, after: int) -> dict[str, list[str]]:
    """The titles, or `deleted`, of each document in the events after a sequence, in their order. Those of documents
    that were erased say nothing."""
    found: dict[str, list[str]] = defaultdict(list)
    while (page := client.events.list(after=after, limit=250)).data:
        for entry in page.data:
            document = entry.event.data.document
            if document is not None:
                is_deleted = entry.event.type == "documentDeleted"
                found[document.external_id].append("deleted" if is_deleted else document.title)
        after = page.last
    return found


async def _some(source: Source, most: int) -> Batch:
    """The next batch that has something."""
    while not (batch := await source.take(most, 1.0)).messages:
        pass
    return batch


def _version(message: Message) -> int:
    """The version that `put` has given to a change, in whatever way a message has it."""
    return int(json.loads(LineMaker().line(message))["title"].removeprefix("v"))


def _documents(count: int) -> list[str]:
    return [str(uuid.uuid4()) for _ in range(count)]


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)
