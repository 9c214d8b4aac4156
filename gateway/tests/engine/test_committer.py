"""The committer: an answer tells the truth about the commit."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, cast

import pytest
from gateway.tests.bodies import snapshot
from gateway.tests.world.virtual_time import VirtualLoop, VirtualTime

from signalpost.commands.command import Command, CommandOutcome, CompletedCommand
from signalpost.commands.documents import DeleteDocument, ImportLine
from signalpost.domain.errors import NotFound, TooMany, Unavailable
from signalpost.engine.committer import GATHERING_SECONDS, MAX_BATCH, Committer
from signalpost.engine.counts import Counts
from signalpost.sharing.command_queues import MAX_BACKGROUND_OF_TENANT, MAX_WAITING, Queue
from signalpost.sharing.slots import share
from signalpost.store.store import PublishedBatch, Store

DONE = CompletedCommand(result=None, tenant_id=1, at=0, event_id=None, answer=None)
SINGLE = "11111111-1d31-47fa-960e-b0cc8b4f136c"


class Book:
    """A store of which only `publish` is used; `publish` is what the test says."""

    def __init__(
        self, publish: Callable[[Sequence[Command[Any]]], PublishedBatch], *, commits_on_a_thread: bool = True
    ) -> None:
        self._publish = publish
        self.commits_on_a_thread = commits_on_a_thread
        self.batches: list[list[int]] = []
        """The tenants of each batch's commands."""

    async def publish(self, commands: Sequence[Command[Any]]) -> PublishedBatch:
        await asyncio.sleep(0)
        self.batches.append([command.tenant_id for command in commands])
        return self._publish(commands)


def _committer(book: Book, on_published: Callable[[PublishedBatch, float], None] = lambda *_: None) -> Committer:
    return Committer(cast(Store, book), Counts(), on_published)


def _command(tenant_id: int = 1) -> Command[Any]:
    return DeleteDocument(tenant_id=tenant_id, document_id="d24c0644-1d31-47fa-960e-b0cc8b4f136c")


def _line() -> Command[Any]:
    return ImportLine(
        tenant_id=1, document_id="d24c0644-1d31-47fa-960e-b0cc8b4f136c", snapshot=snapshot(), source_version=None
    )


def _done(commands: Sequence[Command[Any]]) -> PublishedBatch:
    return PublishedBatch(tuple(DONE for _ in commands))


def test_what_is_committed_is_answered_as_such_even_if_following_it_up_fails() -> None:
    def fail(_: PublishedBatch, _took: float) -> None:
        raise RuntimeError("a defect of ours")

    assert asyncio.run(_committer(Book(_done), fail).submit(_command())) == DONE


def test_what_could_not_be_committed_is_told_to_each_caller() -> None:
    def refuse(_: Sequence[Command[Any]]) -> PublishedBatch:
        raise Unavailable("The disk is full.")

    async def scenario() -> list[object]:
        committer = _committer(Book(refuse))
        return [*await asyncio.gather(*(committer.submit(_command()) for _ in range(3)), return_exceptions=True)]

    assert [type(told) for told in asyncio.run(scenario())] == [Unavailable] * 3


def test_a_refused_command_harms_no_other_of_its_batch() -> None:
    def refuse_the_second(commands: Sequence[Command[Any]]) -> PublishedBatch:
        return PublishedBatch((DONE, NotFound("document_not_found", "Not there."), DONE)[: len(commands)])

    async def scenario() -> list[object]:
        committer = _committer(Book(refuse_the_second))
        return [*await asyncio.gather(*(committer.submit(_command()) for _ in range(3)), return_exceptions=True)]

    assert [type(told) for told in asyncio.run(scenario())] == [CompletedCommand, NotFound, CompletedCommand]


def test_clients_have_their_turn_before_the_deliveries_that_follow() -> None:
    turns: list[str] = []

    def deliver(_: PublishedBatch, _took: float) -> None:
        asyncio.get_running_loop().call_soon(turns.append, "delivery")

    async def client(committer: Committer) -> None:
        await committer.submit(_command())
        turns.append("answer")

    async def scenario() -> None:
        committer = _committer(Book(_done), deliver)
        await asyncio.gather(*(client(committer) for _ in range(3)))
        await asyncio.sleep(0)

    asyncio.run(scenario())
    assert turns == ["answer"] * 3 + ["delivery"]


@pytest.mark.parametrize("commits_on_a_thread", [True, False])
def test_a_server_commits_what_waits_while_the_last_commit_is_answered_and_a_thread_after_that(
    commits_on_a_thread: bool,
) -> None:
    turns: list[str] = []

    class BookOfTurns(Book):
        async def publish(self, commands: Sequence[Command[Any]]) -> PublishedBatch:
            turns.append("commit")
            return await super().publish(commands)

    async def client(committer: Committer) -> None:
        await committer.submit(_command())
        turns.append("answer")

    async def scenario() -> None:
        committer = _committer(BookOfTurns(_done, commits_on_a_thread=commits_on_a_thread))
        await asyncio.gather(*(client(committer) for _ in range(MAX_BATCH + 1)))

    asyncio.run(scenario())
    in_turn = ["commit", "answer", "commit", "answer"] if commits_on_a_thread else ["commit", "answer"]
    assert [turn for turn, _ in groupby(turns)] == in_turn


def test_tenants_take_turns_in_a_batch() -> None:
    book = Book(_done)

    async def scenario() -> None:
        committer = _committer(book)
        flood = [committer.submit(_command(1)) for _ in range(2 * MAX_BATCH)]
        await asyncio.gather(*flood, committer.submit(_command(2)))

    asyncio.run(scenario())
    assert 2 in book.batches[0], "the one command of the second tenant waits for no flood of the first"


def test_beyond_what_may_wait_a_command_is_refused_at_once_and_told_when_to_come_again() -> None:
    most = share(MAX_WAITING[Queue.DOCUMENT], 0)

    async def scenario() -> list[object]:
        committer = _committer(Book(_done))
        submitted = (committer.submit(_command()) for _ in range(most + 1))
        told: list[object] = [*await asyncio.gather(*submitted, return_exceptions=True)]
        assert committer.waiting == 0
        committer.check(1, Queue.DOCUMENT)
        return told

    *taken, refused = asyncio.run(scenario())
    assert taken == [DONE] * most
    assert isinstance(refused, TooMany)
    assert refused.retry_after >= 1


def test_a_line_of_an_import_waits_for_its_place_and_is_never_refused() -> None:
    most = MAX_BACKGROUND_OF_TENANT
    waited = []

    async def read(committer: Committer, count: int) -> list[CommandOutcome[Any]]:
        answers = []
        for _ in range(count):
            answers.append(await committer.enqueue(_line()))
            waited.append(committer.waiting)
        return [await answer for answer in answers]

    async def scenario() -> None:
        committer = _committer(Book(_done))
        one, other = await asyncio.gather(read(committer, 3 * most), read(committer, 3 * most))
        assert one == other == [DONE] * 3 * most

    asyncio.run(scenario())
    assert max(waited) == most


def test_single_changes_are_not_behind_the_lines_of_an_import() -> None:
    class Batches(Book):
        def __init__(self) -> None:
            super().__init__(_done)
            self.singles: list[int] = []

        async def publish(self, commands: Sequence[Command[Any]]) -> PublishedBatch:
            self.singles.append(sum(command.reads.document == (1, SINGLE) for command in commands))
            return await super().publish(commands)

    book = Batches()

    async def scenario() -> None:
        committer = _committer(book)
        single = asyncio.ensure_future(committer.submit(DeleteDocument(tenant_id=1, document_id=SINGLE, caller=0)))
        lines = [await committer.enqueue(_line()) for _ in range(MAX_BACKGROUND_OF_TENANT)]
        await asyncio.gather(single, *lines)

    asyncio.run(scenario())
    assert book.singles == [1, 0], "it is in the first batch, although the lines were there before it and fill one"


def test_lines_gather_until_they_fill_a_batch_or_have_waited_or_somebody_waits() -> None:
    async def scenario() -> list[int]:
        book, loop = Book(_done), asyncio.get_running_loop()
        committer = _committer(book)
        began, waited = loop.time(), []

        async def commit(lines: int, singles: int = 0) -> None:
            asked: list[asyncio.Future[Any]] = [await committer.enqueue(_line()) for _ in range(lines)]
            asked += [asyncio.ensure_future(committer.submit(_command())) for _ in range(singles)]
            await asyncio.gather(*asked)
            waited.append(round((loop.time() - began) / GATHERING_SECONDS))

        await commit(lines=1)
        await commit(lines=MAX_BATCH)
        await commit(lines=1, singles=1)
        first = asyncio.ensure_future(commit(lines=MAX_BATCH))
        await asyncio.sleep(0)  # its commit is under way
        await asyncio.gather(first, commit(lines=2))
        assert waited == [1, 1, 1, 1, 2]
        return [len(batch) for batch in book.batches]

    loop = VirtualLoop(VirtualTime(0.0))
    assert loop.run_until_complete(scenario()) == [1, MAX_BATCH, 2, MAX_BATCH, 2]
    loop.close()


def test_lines_do_not_wait_for_more_once_an_import_has_ended() -> None:
    async def scenario() -> list[int]:
        book, loop = Book(_done), asyncio.get_running_loop()
        committer, began = _committer(book), loop.time()
        first = [await committer.enqueue(_line()) for _ in range(2)]
        committer.wait_for_no_more()
        await asyncio.sleep(0)  # their commit is under way
        others = [await committer.enqueue(_line()) for _ in range(3)]
        committer.wait_for_no_more()
        await asyncio.gather(*first, *others)
        assert loop.time() == began
        await (await committer.enqueue(_line()))
        assert loop.time() == pytest.approx(began + GATHERING_SECONDS), "another import gathers again"
        return [len(batch) for batch in book.batches]

    loop = VirtualLoop(VirtualTime(0.0))
    assert loop.run_until_complete(scenario()) == [2, 3, 1]
    loop.close()


def test_a_stop_does_not_wait_for_more_lines() -> None:
    async def scenario() -> None:
        committer = _committer(Book(_done))
        line = await committer.enqueue(_line())
        await committer.close()
        assert line.result() == DONE

    asyncio.run(scenario())


def test_a_stop_ends_the_wait_of_a_line() -> None:
    async def scenario() -> None:
        committer = _committer(Book(_done))
        lines = [await committer.enqueue(_line()) for _ in range(MAX_BACKGROUND_OF_TENANT)]
        late = asyncio.ensure_future(committer.enqueue(_line()))
        await committer.close()
        assert [await line for line in lines] == [DONE] * len(lines)
        with pytest.raises(Unavailable, match="stopping"):
            await (await late)

    asyncio.run(scenario())


def test_after_the_end_nothing_is_taken() -> None:
    async def scenario() -> None:
        committer = _committer(Book(_done))
        await committer.close()
        await committer.submit(_command())

    with pytest.raises(Unavailable, match="stopping"):
        asyncio.run(scenario())
