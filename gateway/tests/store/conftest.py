"""A store under test, on every database that there is an implementation for.

`Shop` is one store with a hand-moved clock and the changes and records that tests make; `shop.reopen()` closes it and
opens it again on what it kept.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Protocol, TypeVar

import pytest
from gateway.tests.bodies import document_patch, new_document, snapshot, subscription_patch, subscription_request
from gateway.tests.store.implementation import Implementation
from gateway.tests.store.postgres.implementation import POSTGRES
from gateway.tests.store.sqlite.implementation import SQLITE
from msgspec.structs import replace

from signalpost.commands.batch import BatchContext, KeptAnswer
from signalpost.commands.command import Command, CommandOutcome, CompletedCommand, IdempotencyKey
from signalpost.commands.deliveries import RetryDelivery
from signalpost.commands.documents import CreateDocument, DeleteDocument, ImportDocument, PatchDocument
from signalpost.commands.replays import CancelReplay, StartReplay
from signalpost.commands.subscriptions import (
    CreateSubscription,
    DeleteSubscription,
    PatchSubscription,
    SubscriptionCreated,
)
from signalpost.commands.workflow import ActOnDocument, ExpireSignatureRequest
from signalpost.domain.delivery.exception_row import Row
from signalpost.domain.delivery.replay import Replay, ReplayChoice, ReplayRange, ReplayTally
from signalpost.domain.documents.document import DocumentRow
from signalpost.domain.documents.history import HistoryPosition
from signalpost.domain.documents.links import Links
from signalpost.domain.documents.workflow import Action, ActionInput
from signalpost.domain.event import EVERY_TYPE
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND
from signalpost.store.nouns.deliveries import AttemptRow, DeliveryFilter, DeliveryPosition, DeliveryView
from signalpost.store.nouns.documents import DocumentFilter, DocumentPosition, Expiry
from signalpost.store.nouns.history import HistoryRow
from signalpost.store.nouns.lanes import EndpointHealth, LaneFlush, LaneFlushed, LaneRow, LaneWanted
from signalpost.store.nouns.log import LogRow
from signalpost.store.nouns.replays import ReplayPart
from signalpost.store.open import open_store
from signalpost.store.store import MAX_SCANNED, PublishedBatch, Store
from signalpost.store.vault import MasterKeys

T = TypeVar("T")
START = 1_700_000_000 * SECOND
MASTER_KEY = bytes(range(32))
LINKS = Links(bytes(32), "https://gateway.example.com")
TENANT = 1
"""The one that every new database has."""
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


IMPLEMENTATIONS: dict[str, Implementation] = {"sqlite": SQLITE, "postgres": POSTGRES}


def render(completed: CompletedCommand[Any]) -> KeptAnswer:
    """A store keeps answers, and does not know what they are made of."""
    answer = f"{type(completed.result).__name__} {completed.event_id}".encode()
    if isinstance(completed.result, SubscriptionCreated):
        return KeptAnswer(answer + completed.result.subscription.secret.encode(), answer)
    return KeptAnswer(answer)


def _not_broken(error: BaseException) -> None:
    raise AssertionError("the disk failed") from error


def document_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def subscription_id(number: int) -> str:
    return f"00000000-0000-4000-9000-{number:012d}"


class Shop:
    def __init__(self, implementation: Implementation, folder: Path) -> None:
        self.folder = folder
        self.now = START
        self.master_keys = [MASTER_KEY]
        """The current one first; `reopen` after changing them."""
        self.max_scanned = MAX_SCANNED
        """What one page looks through; `reopen` after changing it."""
        self._implementation = implementation
        self._moves_with: Shop = self
        self._others: list[Shop] = []
        self._random = Random(7)
        self.store: Store

    async def open(self) -> None:
        self.store = await open_store(
            self._implementation.url(self.folder),
            master_keys=MasterKeys(self.master_keys),
            context=BatchContext(LINKS, render, self._random.getrandbits),
            now=lambda: self._moves_with.now,
            on_broken=_not_broken,
            max_scanned=self.max_scanned,
        )

    async def another(self) -> "Shop":
        """Another node on the same database, with a clock that is moved with this one."""
        other = Shop(self._implementation, self.folder)
        other.now, other._moves_with = self.now, self
        await other.open()
        self._others.append(other)
        return other

    async def close(self) -> None:
        for shop in (*self._others, self):
            await shop.store.close()

    @property
    def url(self) -> str:
        return self._implementation.url(self.folder)

    @property
    def content(self) -> bytes:
        return self._implementation.content(self.folder)

    @property
    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Every row of every table, by the names of its columns."""
        return self._implementation.rows(self.folder)

    def meddle(self, statement: str) -> None:
        """Carry out a statement past every node."""
        self._implementation.meddle(self.url, statement)

    async def reopen(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        await self.store.close()
        meanwhile()
        await self.open()

    # --- Publishing ---------------------------------------------------------------------------------------------------

    async def publish(self, *commands: Command[Any]) -> PublishedBatch:
        return await self.store.publish(commands)

    async def do(self, command: Command[Any]) -> CommandOutcome[Any]:
        """One command that is not refused."""
        published = await self.publish(command)
        [result] = published.results
        if isinstance(result, Exception):
            raise result
        return result

    async def fill(self, count: int, documents: int = 5, title: str = "t") -> None:
        """Add events of a few documents, a second apart."""
        for n in range(count):
            self.now += SECOND
            await self.do(create(n % documents, title=f"{title}{n}"))

    async def subscribe(self, number: int = 1, **given: Any) -> Subscription:
        await self.do(subscribe(number, **given))
        return await self.subscription(number)

    async def subscription(self, number: int = 1) -> Subscription:
        [found] = [s for s in await self.store.lists.every(Subscription) if s.id == subscription_id(number)]
        return found

    # --- Lanes --------------------------------------------------------------------------------------------------------

    async def lane(self, subscription: Subscription, retries_loaded: int = 1000) -> LaneRow:
        loaded = await self.store.lanes.load([LaneWanted(subscription, retries_loaded)])
        return loaded[subscription.number]

    async def record(self, *flushes: LaneFlush) -> dict[int, LaneFlushed]:
        return await self.store.lanes.record(flushes)

    async def listed(self, subscription: Subscription, limit: int = 250, **asked: Any) -> list[DeliveryView]:
        """Every page to the end."""
        return await self.listed_of([subscription], limit, **asked)

    async def listed_of(
        self, subscriptions: Sequence[Subscription], limit: int = 250, tenant: int = TENANT, **asked: Any
    ) -> list[DeliveryView]:
        found: list[DeliveryView] = []
        below: DeliveryPosition | None = None
        for _ in range(10_000):
            page = await self.store.deliveries.page(tenant, subscriptions, DeliveryFilter(**asked), below, limit)
            assert len(page.data) <= limit
            found += page.data
            if page.next is None:
                return found
            assert below is None or page.next < below
            below = page.next
        raise AssertionError("paging does not end")

    async def attempts(self, subscription: Subscription, sequence: int) -> list[AttemptRow]:
        """The recorded attempts of an event, whether or not the event itself is still kept."""
        found = await self.store.deliveries.get(subscription, LogRow(sequence, self.now, "", 7, ""))
        assert found is not None
        return found[1]

    async def history(self, number: int, limit: int = 250, tenant: int = TENANT) -> list[HistoryRow]:
        """Every page to the end."""
        found: list[HistoryRow] = []
        below: HistoryPosition | None = None
        for _ in range(10_000):
            page = await self.store.history.page(tenant, document_id(number), below, limit)
            assert page is not None
            assert len(page.data) <= limit
            found += page.data
            if page.next is None:
                return found
            below = page.next
        raise AssertionError("paging does not end")

    async def expiring(self, limit: int = 250) -> list[Expiry]:
        """Every part to the end."""
        found: list[Expiry] = []
        while part := await self.store.documents.expiring(found[-1] if found else None, limit):
            found += part
        return found

    async def add_tenant(self) -> int:
        """Another tenant, whose log is empty."""
        return self._implementation.add_tenant(self._implementation.url(self.folder))

    async def documents(self, limit: int = 250, tenant: int = TENANT, **asked: Any) -> list[DocumentRow]:
        """Every page to the end."""
        found: list[DocumentRow] = []
        below: DocumentPosition | None = None
        for _ in range(10_000):
            page = await self.store.documents.page(tenant, DocumentFilter(**asked), below, limit)
            assert len(page.data) <= limit
            found += page.data
            if page.next is None:
                return found
            assert page.next != below
            below = page.next
        raise AssertionError("paging does not end")


def create(number: int, *, title: str = "t", tenant: int = TENANT, key: IdempotencyKey | None = None) -> CreateDocument:
    new = replace(new_document(), title=title)
    return CreateDocument(tenant_id=tenant, document_id=document_id(number), new=new, source_app="app", idempotency=key)


def patch(number: int, title: str, *, if_match: frozenset[str] | None = None) -> PatchDocument:
    return PatchDocument(
        tenant_id=TENANT, document_id=document_id(number), patch=document_patch(title=title), if_match=if_match
    )


def edit(number: int, **given: Any) -> PatchDocument:
    return PatchDocument(tenant_id=TENANT, document_id=document_id(number), patch=document_patch(**given))


def act(number: int, action: str, *, caller: int | None = None, **said: Any) -> ActOnDocument:
    return ActOnDocument(
        tenant_id=TENANT,
        document_id=document_id(number),
        caller=caller,
        action=Action(action),
        given=ActionInput(**said),
    )


def expire(number: int) -> ExpireSignatureRequest:
    return ExpireSignatureRequest(tenant_id=TENANT, document_id=document_id(number), as_of=2**62)


def delete(number: int, source_version: int | None = None) -> DeleteDocument:
    return DeleteDocument(tenant_id=TENANT, document_id=document_id(number), source_version=source_version)


def put(number: int, source_version: int | None, title: str = "t", **given: Any) -> ImportDocument:
    said = replace(snapshot(**given), title=title)  # which may be longer than a client's
    return ImportDocument(
        tenant_id=TENANT, document_id=document_id(number), snapshot=said, source_version=source_version
    )


def subscribe(
    number: int = 1, *, secret: str = SECRET, key: IdempotencyKey | None = None, tenant: int = TENANT, **given: Any
) -> CreateSubscription:
    return CreateSubscription(
        tenant_id=tenant,
        subscription_id=subscription_id(number),
        new=subscription_request(**given),
        secret=secret,
        retry_delays=(10, 60, 300),
        idempotency=key,
    )


def change(number: int = 1, **given: Any) -> PatchSubscription:
    patch = subscription_patch(**given)
    return PatchSubscription(tenant_id=TENANT, subscription_id=subscription_id(number), patch=patch)


def unsubscribe(number: int = 1) -> DeleteSubscription:
    return DeleteSubscription(tenant_id=TENANT, subscription_id=subscription_id(number))


def retry(sequence: int, number: int = 1) -> RetryDelivery:
    return RetryDelivery(
        tenant_id=TENANT, subscription_id=subscription_id(number), sequence=sequence, event_type=1,
        event_document_id=document_id(0),
    )  # fmt: skip


def replay_id(number: int) -> str:
    return f"00000000-0000-7000-a000-{number:012d}"


def replay(replay: int, number: int = 1, **given: Any) -> StartReplay:
    asked: dict[str, Any] = {"from_sequence": 1, "to_sequence": 9, "count": 0, "count_is_capped": False} | given
    choice = ReplayChoice(asked.pop("what", "failed"), asked.pop("types", EVERY_TYPE), asked.pop("document_id", None))
    return StartReplay(
        tenant_id=TENANT,
        subscription_id=subscription_id(number),
        replay_id=replay_id(replay),
        choice=choice,
        range=ReplayRange(
            from_at=START,
            to_at=START + SECOND,
            from_sequence=asked.pop("from_sequence"),
            to_sequence=asked.pop("to_sequence"),
        ),
        **asked,
    )


def cancel(replay: int, number: int = 1) -> CancelReplay:
    return CancelReplay(tenant_id=TENANT, subscription_id=subscription_id(number), replay_id=replay_id(replay))


def flush(
    subscription: Subscription,
    version: int,
    head: int,
    *,
    open: Sequence[int] = (),  # noqa: A002
    rows: Sequence[Row] | dict[int, Row | None] = (),
    attempts: Sequence[AttemptRow] = (),
    gaps: tuple[tuple[int, int], ...] = (),
    abandoned_to: int = 0,
    delay: int = 0,
    skip_version: int = 0,
    hurried_by: int = 0,
    health: EndpointHealth | None = None,
    retries_done: tuple[int, ...] = (),
    look_up: tuple[int, ...] = (),
    refill: int = 0,
    replays: tuple[Replay, ...] = (),
    feed: ReplayPart | None = None,
    made: Mapping[str, Mapping[str, str]] | None = None,
    ended: Mapping[int, ReplayTally] | None = None,
) -> LaneFlush:
    return LaneFlush(
        tenant_id=subscription.tenant_id,
        subscription_number=subscription.number,
        version=version,
        head=head,
        open=tuple(open),
        gaps=gaps,
        health=health or EndpointHealth(),
        rows=rows if isinstance(rows, dict) else {row.sequence: row for row in rows},
        abandoned_to=abandoned_to,
        delay=delay,
        skip_version=skip_version,
        hurried_by=hurried_by,
        attempts=attempts,
        retries_done=retries_done,
        look_up=look_up,
        refill=refill,
        replays=replays,
        feed=feed,
        made=made or {},
        ended=ended or {},
    )


class Tools:
    """The builders above, for tests: modules beside a test cannot be imported where tests have no package."""

    create, patch, delete, put = staticmethod(create), staticmethod(patch), staticmethod(delete), staticmethod(put)
    edit, act, expire = staticmethod(edit), staticmethod(act), staticmethod(expire)
    subscribe, change, unsubscribe = staticmethod(subscribe), staticmethod(change), staticmethod(unsubscribe)
    retry, flush = staticmethod(retry), staticmethod(flush)
    replay, cancel = staticmethod(replay), staticmethod(cancel)
    document_id, subscription_id = staticmethod(document_id), staticmethod(subscription_id)
    replay_id = staticmethod(replay_id)


Scenario = Callable[[Shop], Awaitable[T]]


class Play(Protocol):
    def __call__(self, scenario: Callable[[Shop], Awaitable[T]]) -> T: ...


@pytest.fixture
def make() -> type[Tools]:
    return Tools


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what plays scenarios on every database, but for what is about one of them."""
    path = metafunc.definition.path
    names = [name for name in IMPLEMENTATIONS if name in path.parts] or sorted(IMPLEMENTATIONS)
    # Each test of PostgreSQL takes longer, and its server has to be started.
    each = [pytest.param(name, marks=pytest.mark.slow) if name == "postgres" else name for name in names]
    for fixture in ("play", "fresh_play"):
        if fixture in metafunc.fixturenames:
            metafunc.parametrize(fixture, each, indirect=True)


@pytest.fixture
def fresh_play(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Play]:
    """A `play` with an empty folder of its own at each call, for properties that run many examples."""
    return lambda: _player(IMPLEMENTATIONS[request.param], tmp_path_factory.mktemp("shop"))


@pytest.fixture
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Play:
    """Runs a scenario on a fresh store, and closes it."""
    return _player(IMPLEMENTATIONS[request.param], tmp_path)


def _player(implementation: Implementation, folder: Path) -> Play:
    def run(scenario: Callable[[Shop], Awaitable[T]]) -> T:
        async def whole() -> T:
            shop = Shop(implementation, folder)
            await shop.open()
            try:
                return await scenario(shop)
            finally:
                await shop.close()

        return asyncio.run(whole())

    return run
