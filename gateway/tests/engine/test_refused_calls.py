"""Refused calls are told soon, and however many come, the audit gets few entries of them."""

import asyncio
from typing import Any

from signalpost.domain.audit import Actor, EntryDraft
from signalpost.domain.errors import Unavailable
from signalpost.domain.timestamps import SECOND
from signalpost.engine.maintenance.refused_calls import MAX_KINDS, TOLD_EVERY, RefusedCall, RefusedCalls


class Audit:
    def __init__(self) -> None:
        self.times: list[int] = []
        self.is_away = False

    async def add(self, drafts: list[EntryDraft]) -> tuple[()]:
        if self.is_away:
            raise Unavailable("not now")
        self.times += [draft.changes["times"]["new"] for draft in drafts]
        return ()


class Desk:
    """Notes refusals, by a clock that a test moves by hand."""

    def __init__(self) -> None:
        self.now = 0
        self.audit = Audit()
        store: Any = self
        self.calls = RefusedCalls(store, self)

    def wall(self) -> int:
        return self.now

    def steady(self) -> int:
        return self.now

    def refuse(self, times: int = 1, key: str = "k", route: str = "GET /") -> None:
        for _ in range(times):
            self.calls.note(RefusedCall(1, Actor(kind="key", id=key, name=key), "role_not_allowed", route))

    def write(self) -> list[int]:
        """How many calls each new entry tells of."""
        self.audit.times.clear()
        asyncio.run(self.calls.write(TOLD_EVERY))
        return list(self.audit.times)


def test_the_first_is_told_at_once_and_what_follows_an_hour_later_with_one_entry() -> None:
    desk = Desk()
    desk.refuse()
    assert desk.write() == [1]
    for _ in range(100):
        desk.now += 5 * SECOND
        desk.refuse(100)
        assert desk.write() == []
    desk.now += TOLD_EVERY
    assert desk.write() == [10_000]
    desk.now += TOLD_EVERY
    assert desk.write() == []
    desk.refuse()
    assert desk.write() == [1], "after a quiet hour it is told at once again"


def test_each_kind_is_counted_by_itself_and_there_are_so_many_at_most() -> None:
    desk = Desk()
    desk.refuse(2, key="a")
    desk.refuse(3, key="b")
    assert desk.write() == [2, 3]
    for number in range(2 * MAX_KINDS):
        desk.refuse(key=f"key-{number}")
    assert len(desk.write()) == MAX_KINDS - 2


def test_what_the_store_cannot_take_now_is_told_later() -> None:
    desk = Desk()
    desk.refuse(2)
    desk.audit.is_away = True
    assert desk.write() == []
    desk.refuse()
    desk.audit.is_away = False
    assert desk.write() == [3]
