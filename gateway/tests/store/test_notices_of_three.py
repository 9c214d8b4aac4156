"""Three nodes on one database tell of what is wrong, and what they tell is told as if there was one.

Each may stand still between what it read and what it writes, or end in between, and all take themselves for the one
that writes notices. What opened is told to be over, once, and "resolve" is said only if nothing of the kind is open.
"""

import asyncio
from collections.abc import Iterable, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from gateway.tests.examples import more
from gateway.tests.store.test_conditions import fact, following, kept

from signalpost.commands.notices import OpenCondition, WriteNotice
from signalpost.domain.access.tenant import OPERATIONS_TENANT
from signalpost.domain.errors import NotFound
from signalpost.domain.operations.conditions import ConditionRow, Fact, NoticeTerms, compare, to_be_told
from signalpost.domain.timestamps import HOUR, MINUTE, SECOND

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop

TERMS = NoticeTerms()
SUBJECTS = 6
LOOKS = 60
NODES = 3


class Node:
    """A node that sees to a third of the subjects. What it is about to write may wait until a later look."""

    def __init__(self, number: int, shop: "Shop", random: Random) -> None:
        self._number, self._shop, self._random = number, shop, random
        self._late: list[Any] = []

    async def look(self, facts: Iterable[Fact], now: int) -> None:
        known = await kept(self._shop)
        commands = [*self._late, *self._commands(known, facts, now)]
        self._late = []
        fate = self._random.random()
        if fate < 0.2:
            self._late = commands
            return
        if fate < 0.3:
            commands = commands[: self._random.randrange(len(commands) + 1)]  # it ends, and another one starts
        results = (await self._shop.publish(*commands)).results if commands else []
        for refused in (each for each in results if isinstance(each, Exception)):
            assert isinstance(refused, NotFound), refused

    def _commands(self, known: Sequence[ConditionRow], facts: Iterable[Fact], now: int) -> Iterable[Any]:
        mine = [each for each in facts if int(each.subject) % NODES == self._number]
        found = compare(known, mine, lambda row: int(row.subject) % NODES == self._number, now, TERMS)
        for each in found.opened:
            yield OpenCondition(tenant_id=OPERATIONS_TENANT, tenant="default", fact=each)
        for row in found.gone:
            yield following(_fact_of(row), None)
        for row, each in found.back:
            yield following(_fact_of(row), each)
        for telling in to_be_told(known, now, TERMS):
            yield WriteNotice(
                tenant_id=OPERATIONS_TENANT,
                telling=telling,
                looked_at=now,
                tenants={1: "default"},
                public_url="https://gateway.example",
            )


def _fact_of(row: ConditionRow) -> Fact:
    return fact(row.subject, since=row.since)


def _failing(random: Random, began: int) -> dict[str, list[tuple[int, int]]]:
    """When each subject fails."""
    found: dict[str, list[tuple[int, int]]] = {}
    for subject in range(SUBJECTS):
        at = began
        spans = found[str(subject)] = []
        while at < began + 4 * HOUR:
            at += random.choice((MINUTE, 30 * MINUTE, HOUR))
            ends = at + random.choice((MINUTE, 10 * MINUTE, HOUR))
            spans.append((at, ends))
            at = ends
    return found


async def _all_told(shop: "Shop") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = 0
    while events := (await shop.store.log.after(OPERATIONS_TENANT, after, 100)).events:
        found += [msgspec.json.decode(each.body)["data"]["notice"] for each in events]
        after = events[-1].sequence
    return found


def _check(told: Sequence[dict[str, Any]]) -> None:
    open_now: set[str] = set()
    for each in told:
        subjects = {subject["id"] for subject in each["subjects"]}
        assert len(subjects) == each["count"]
        if each["what"] == "opened":
            assert not subjects & open_now, each
            open_now |= subjects
        else:
            assert subjects <= open_now, each
            open_now -= subjects if each["what"] == "closed" else set()
        assert (each["action"] == "resolve") == (each["what"] == "closed" and not open_now), each
    assert not open_now


@pytest.mark.parametrize("seed", range(more(2)))
def test_what_three_nodes_tell_is_told_as_if_there_was_one(play: "Play", seed: int) -> None:
    async def scenario(shop: "Shop") -> None:
        random, began = Random(seed), shop.now
        shops = [shop, *[await shop.another() for _ in range(NODES - 1)]]
        nodes = [Node(number, each, random) for number, each in enumerate(shops)]
        failing = _failing(random, began)
        for look in range(LOOKS + 200):
            spans = failing.items() if look < LOOKS else ()
            facts = [
                fact(subject, since=begins)
                for subject, of_subject in spans
                for begins, ends in of_subject
                if begins <= shop.now < ends
            ]
            await asyncio.gather(*(node.look(facts, shop.now) for node in nodes))
            if look >= LOOKS and not await kept(shop):
                break
            shop.now += random.choice((10 * SECOND, MINUTE, 5 * MINUTE))
        assert not await kept(shop)
        told = await _all_told(shop)
        assert {each["what"] for each in told} >= {"opened", "closed"}
        _check(told)

    play(scenario)
