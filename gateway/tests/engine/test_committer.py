"""The committer: an answer tells the truth about the commit."""

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

import pytest

from signalpost.domain.batch import Answer, Command
from signalpost.domain.document_commands import DeleteDocument
from signalpost.domain.errors import NotFound, Unavailable
from signalpost.engine.committer import BATCH_MOST, WAITING_MOST, Committer
from signalpost.engine.counts import Counts
from signalpost.store.store import Published, Store


class Book:
    """A store of which only `publish` is used; `publish` is what the test says."""

    def __init__(self, publish: Callable[[Sequence[Command]], Published]) -> None:
        self._publish = publish
        self.batches: list[list[int]] = []
        """The tenants of each batch's commands."""

    async def publish(self, commands: Sequence[Command]) -> Published:
        await asyncio.sleep(0)
        self.batches.append([command.tenant_id for command in commands])
        return self._publish(commands)


def _committer(book: Book, on_published: Callable[[Published], None] = lambda _: None) -> Committer:
    return Committer(cast(Store, book), Counts(), on_published)


def _command(tenant_id: int = 1) -> Command:
    return DeleteDocument(tenant_id=tenant_id, document_id="d24c0644-1d31-47fa-960e-b0cc8b4f136c")


def _done(commands: Sequence[Command]) -> Published:
    return Published(tuple(Answer(204) for _ in commands))


def test_what_is_committed_is_answered_as_such_even_if_following_it_up_fails() -> None:
    def fail(_: Published) -> None:
        raise RuntimeError("a defect of ours")

    assert asyncio.run(_committer(Book(_done), fail).submit(_command())) == Answer(204)


def test_what_could_not_be_committed_is_told_to_each_caller() -> None:
    def refuse(_: Sequence[Command]) -> Published:
        raise Unavailable("The disk is full.")

    async def scenario() -> list[object]:
        committer = _committer(Book(refuse))
        return await asyncio.gather(*(committer.submit(_command()) for _ in range(3)), return_exceptions=True)

    assert [type(told) for told in asyncio.run(scenario())] == [Unavailable] * 3


def test_a_refused_command_harms_no_other_of_its_batch() -> None:
    def refuse_the_second(commands: Sequence[Command]) -> Published:
        return Published((Answer(204), NotFound("document_not_found", "Not there."), Answer(204))[: len(commands)])

    async def scenario() -> list[object]:
        committer = _committer(Book(refuse_the_second))
        return await asyncio.gather(*(committer.submit(_command()) for _ in range(3)), return_exceptions=True)

    assert [type(told) for told in asyncio.run(scenario())] == [Answer, NotFound, Answer]


def test_clients_have_their_turn_before_the_deliveries_that_follow() -> None:
    turns: list[str] = []

    def deliver(_: Published) -> None:
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


def test_tenants_take_turns_in_a_batch() -> None:
    book = Book(_done)

    async def scenario() -> None:
        committer = _committer(book)
        flood = [committer.submit(_command(1)) for _ in range(2 * BATCH_MOST)]
        await asyncio.gather(*flood, committer.submit(_command(2)))

    asyncio.run(scenario())
    assert book.batches[0][:3] == [1, 2, 1], "the one command of the second tenant waits for no flood of the first"


def test_beyond_what_may_wait_a_command_is_refused_at_once() -> None:
    async def scenario() -> list[object]:
        committer = _committer(Book(_done))
        submitted = (committer.submit(_command()) for _ in range(WAITING_MOST + 1))
        return await asyncio.gather(*submitted, return_exceptions=True)

    told = asyncio.run(scenario())
    assert [type(each) for each in told] == [Answer] * WAITING_MOST + [Unavailable]


def test_after_the_end_nothing_is_taken() -> None:
    async def scenario() -> None:
        committer = _committer(Book(_done))
        await committer.close()
        await committer.submit(_command())

    with pytest.raises(Unavailable, match="stopping"):
        asyncio.run(scenario())
