"""Lines of an import: a later state of a document is not taken before an earlier one, whatever fails in between."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from signalpost.commands.command import Command, CommandOutcome, CompletedCommand, OrderedLines
from signalpost.commands.documents import DeleteLine, ImportLine
from signalpost.commands.tenants import ChangeTenant
from signalpost.domain.access.tenant_limits import LimitsPatch
from signalpost.domain.errors import Forbidden, Unavailable
from signalpost.domain.event import EventType
from signalpost.engine.committer import Committer
from signalpost.engine.counts import Counts
from signalpost.store.store import PublishedBatch, Store

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

TENANT = 1


class FailingOnce:
    """A store that is away for its first commit."""

    commits_on_a_thread = True

    def __init__(self, store: Store) -> None:
        self._store = store
        self.has_begun, self.fails = asyncio.Event(), asyncio.Event()
        """When the first commit began, and when it is to fail."""

    async def publish(self, commands: Sequence[Command[Any]]) -> PublishedBatch:
        if not self.has_begun.is_set():
            self.has_begun.set()
            await self.fails.wait()
            raise Unavailable("The database is away.")
        return await self._store.publish(commands)


def line(lines: OrderedLines, make: "type[Tools]", document: int, version: int, title: str = "t") -> ImportLine:
    put = make.put(document, version, title)
    return ImportLine(
        tenant_id=TENANT, document_id=put.document_id, snapshot=put.snapshot, source_version=version, lines=lines
    )


def deletion(lines: OrderedLines, make: "type[Tools]", document: int, version: int) -> DeleteLine:
    identity = make.delete(document).document_id
    return DeleteLine(tenant_id=TENANT, document_id=identity, source_version=version, lines=lines)


async def outcome(future: "asyncio.Future[CommandOutcome[Any]]") -> type[object]:
    try:
        return type(await future)
    except Unavailable as error:
        return type(error)


async def events(shop: "Shop") -> list[tuple[str, EventType]]:
    kept = (await shop.store.log.after(TENANT, 0, 100)).events
    return [(event.document_id[-1], EventType(event.type)) for event in kept]


def test_after_a_commit_that_failed_no_later_line_of_its_import_is_taken(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        store, mine, other = FailingOnce(shop.store), OrderedLines(), OrderedLines()
        committer = Committer(cast(Store, store), Counts(), lambda *_: None)
        first = await committer.enqueue(line(mine, make, 1, 1, "first"))
        committer.wait_for_no_more()
        await store.has_begun.wait()
        second = await committer.enqueue(line(mine, make, 1, 2, "second"))
        of_other = await committer.enqueue(line(other, make, 2, 1))
        committer.wait_for_no_more()
        store.fails.set()
        assert await outcome(first) is Unavailable
        assert await outcome(second) is Unavailable
        assert await outcome(of_other) is CompletedCommand
        assert await outcome(await committer.enqueue(line(mine, make, 1, 3))) is Unavailable
        again = OrderedLines()
        sent = [line(again, make, 1, version, title) for version, title in ((1, "first"), (2, "second"))]
        for future in [await committer.enqueue(each) for each in sent]:
            assert await outcome(future) is CompletedCommand
        assert await events(shop) == [("2", EventType.CREATED), ("1", EventType.CREATED), ("1", EventType.UPDATED)]
        await committer.close()

    play(scenario)


def test_after_a_line_beyond_the_limit_of_documents_no_later_line_is_taken(play: "Play", make: "type[Tools]") -> None:
    """A later line is in the same commit, in which a deletion makes room for it."""

    async def scenario(shop: "Shop") -> None:
        await shop.do(make.put(1, 1))
        await shop.do(ChangeTenant(tenant_id=TENANT, name="default", limits=LimitsPatch(documents=1)))
        mine, other = OrderedLines(), OrderedLines()
        published = await shop.publish(
            line(mine, make, 1, 2, "changed"),
            line(mine, make, 2, 1, "first"),
            deletion(mine, make, 1, 3),
            deletion(other, make, 1, 3),
            line(mine, make, 2, 2, "second"),
        )
        kinds = [type(result) for result in published.results]
        assert kinds == [CompletedCommand, Forbidden, Unavailable, CompletedCommand, Unavailable]
        again = OrderedLines()
        for version, title in ((1, "first"), (2, "second")):
            await shop.do(line(again, make, 2, version, title))
        of_second = [kind for document, kind in await events(shop) if document == "2"]
        assert of_second == [EventType.CREATED, EventType.UPDATED]

    play(scenario)


def test_a_deletion_that_overtook_a_line_is_no_reason_to_take_none_after_it(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.do(make.delete(1, 5))
        mine = OrderedLines()
        published = await shop.publish(line(mine, make, 1, 4), line(mine, make, 2, 1))
        assert isinstance(published.results[0], Exception)
        assert isinstance(published.results[1], CompletedCommand)

    play(scenario)
