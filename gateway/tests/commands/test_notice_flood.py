"""A week of a thousand subscriptions, of which some are dead, some have a vendor that comes and goes, and all fail now
and then: how much people are told, and whether they are told the truth.

Time is simulated; what decides is real: `compare`, `to_be_told`, and the commands, on rows as a store would have them.
Nodes crash between two commits, and two of them take themselves for the one that writes notices.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

import pytest
from gateway.tests.examples import cases

from signalpost.commands.command import Stamp
from signalpost.commands.notices import FollowCondition, OpenCondition, WriteNotice
from signalpost.domain.access.tenant import OPERATIONS_TENANT, Tenant
from signalpost.domain.operations.conditions import ConditionRow, Fact, NoticeTerms, What, compare, to_be_told
from signalpost.domain.operations.notices import Notice
from signalpost.domain.timestamps import DAY, HOUR, MINUTE, SECOND

BEGAN = 1_790_000_000 * SECOND
SUBSCRIPTIONS, DEAD, WITH_VENDOR = 1_000, 20, 400
OUTAGE = (BEGAN + 2 * DAY, BEGAN + 2 * DAY + 3 * HOUR)
UP_EVERY, UP_FOR = 5 * MINUTE, 20 * SECOND
DISABLED_AFTER = 5 * DAY
WEEK = 7 * DAY
TERMS = NoticeTerms()
DEFAULT = Tenant(1, "default")


class Rows:
    """The rows of conditions as a store would have them, and the notices that were written."""

    def __init__(self) -> None:
        self.rows: dict[str, ConditionRow] = {}
        self.notices: list[tuple[int, Notice]] = []
        self._numbers = iter(range(1, 1_000_000))

    def row(self, _kind: Any, row_id: str, _within: int | None) -> Any:
        return self.rows.get(row_id)

    def rows_of(self, _kind: Any) -> Iterable[ConditionRow]:
        return self.rows.values()

    def tenant_named(self, name: str) -> Tenant | None:
        return DEFAULT if name == DEFAULT.name else None

    def next_number(self, _kind: Any) -> int:
        return next(self._numbers)

    def commit(self, command: Any, now: int) -> None:
        if isinstance(command, FollowCondition) and command.condition_id not in self.rows:
            return  # refused
        decision = command.decide(self, Stamp(1, now, now))
        for row in decision.rows:
            self.rows[row.id] = row
            if row.closed_at is not None:
                del self.rows[row.id]
        if decision.event is not None:
            self.notices.append((now, decision.result.notice))


class Fleet:
    """Nodes that look every ten seconds, each at its own subscriptions."""

    def __init__(self, kept: Rows, nodes: int, random: Random, crashes: float) -> None:
        self.kept, self._nodes, self._random, self._crashes = kept, nodes, random, crashes

    def look(self, facts: Iterable[Fact], now: int) -> None:
        facts = [*facts]
        for node in range(self._nodes):
            known = [*self.kept.rows.values()]
            mine = [fact for fact in facts if int(fact.subject) % self._nodes == node]
            found = compare(known, mine, lambda row, node=node: int(row.subject) % self._nodes == node, now, TERMS)  # type: ignore[misc]
            commands: list[Any] = [
                OpenCondition(tenant_id=OPERATIONS_TENANT, tenant=DEFAULT.name, fact=fact) for fact in found.opened
            ]
            commands += [self._follow(row, None) for row in found.gone]
            commands += [self._follow(row, fact) for row, fact in found.back]
            writers = 1 + (self._random.random() < self._crashes)  # a node that was slow has not heard that it is not
            for _ in range(writers if node == 0 else 0):
                commands += [
                    WriteNotice(
                        tenant_id=OPERATIONS_TENANT,
                        telling=each,
                        looked_at=now,
                        tenants={1: "default"},
                        public_url="https://gateway.example.com",
                    )
                    for each in to_be_told(known, now, TERMS)
                ]
            if self._random.random() < self._crashes:
                del commands[self._random.randrange(len(commands) + 1) :]
            for command in commands:
                self.kept.commit(command, now)

    def _follow(self, row: ConditionRow, fact: Fact | None) -> FollowCondition:
        return FollowCondition(tenant_id=OPERATIONS_TENANT, condition_id=row.id, fact=fact)


class World:
    """When each subscription fails, and what is wrong with it. Time goes forward."""

    def __init__(self, random: Random) -> None:
        changes: list[tuple[int, int, int | None]] = []
        for number in range(SUBSCRIPTIONS):
            for began, ended in self._spans(number, random):
                changes += [(began, number, began), (ended, number, None)]
        self._to_come = deque(sorted(changes, key=lambda change: change[0]))
        self.edges = len(changes)
        """How many messages there were if each change was told."""
        self._failing: dict[int, int] = {}

    def _spans(self, number: int, random: Random) -> Iterator[tuple[int, int]]:
        if number < DEAD:
            yield BEGAN + random.randrange(MINUTE), BEGAN + 10 * DAY  # dead when the week begins
            return
        if number < DEAD + WITH_VENDOR:
            for began in range(*OUTAGE, UP_EVERY):
                late = random.randrange(UP_FOR // 2)
                yield began + late, began + UP_EVERY - UP_FOR + late
        for _ in range(random.randrange(14)):
            at = BEGAN + random.randrange(WEEK)
            if number >= DEAD + WITH_VENDOR or not OUTAGE[0] - HOUR <= at < OUTAGE[1]:
                yield at, at + random.randrange(SECOND, 100 * SECOND)

    def facts(self, now: int) -> Iterator[Fact]:
        while self._to_come and self._to_come[0][0] <= now:
            _, number, since = self._to_come.popleft()
            if since is None:
                self._failing.pop(number, None)
            else:
                self._failing[number] = since
        for number, since in self._failing.items():
            if now >= since + DISABLED_AFTER:
                yield self._fact("subscriptionDisabled", number, since + DISABLED_AFTER)
                continue
            yield self._fact("subscriptionFailing", number, since)
            if now >= since + DISABLED_AFTER - DAY:
                yield self._fact("subscriptionDisablingSoon", number, since + DISABLED_AFTER - DAY)
        for number in range(DEAD):
            if now >= BEGAN + 2 * HOUR:
                yield self._fact("deliveriesGivenUp", number, now)

    def _fact(self, kind: str, number: int, since: int) -> Fact:
        return Fact(kind=kind, tenant_id=1, subject=str(number), name=f"Subscription {number}", since=since)


def looks() -> Iterator[int]:
    """Every ten seconds while much goes on, else every minute: to look when nothing changes changes nothing."""
    now = BEGAN
    while now < BEGAN + WEEK:
        yield now
        now += 10 * SECOND if OUTAGE[0] - HOUR <= now < OUTAGE[1] + HOUR or now < BEGAN + 2 * HOUR else MINUTE


@pytest.mark.slow
@pytest.mark.parametrize(("nodes", "crashes"), cases([(1, 0.0), (3, 0.05)], [(3, 0.05)]))
def test_a_week_of_a_thousand_subscriptions_is_told_in_twenty_messages_at_most(nodes: int, crashes: float) -> None:
    random, kept = Random(nodes), Rows()
    world, fleet = World(random), Fleet(kept, nodes, random, crashes)
    for now in looks():
        fleet.look(world.facts(now), now)
    assert world.edges > 20_000
    assert len(kept.notices) <= 20, [(notice.what, notice.kind, notice.count) for _, notice in kept.notices]

    # Then everything is mended. Each that was told to have opened is told to have closed, once.
    for now in range(BEGAN + WEEK, BEGAN + WEEK + HOUR, 10 * SECOND):
        fleet.look((), now)
    assert not kept.rows
    told: Counter[tuple[str, str]] = Counter()
    for _, notice in kept.notices:
        told[notice.kind, notice.what] += notice.count
    for kind in {notice.kind for _, notice in kept.notices}:
        assert told[kind, What.OPENED] == told[kind, What.CLOSED], kind
        last = [notice for _, notice in kept.notices if notice.kind == kind][-1]
        assert (last.what, last.action) == (What.CLOSED, "resolve")
    assert told["subscriptionFailing", What.OPENED] == DEAD + WITH_VENDOR
    assert told["subscriptionDisabled", What.OPENED] == DEAD


def test_the_outage_of_a_vendor_is_told_within_minutes_and_so_is_its_end() -> None:
    kept, random = Rows(), Random(1)
    world, fleet = World(random), Fleet(kept, 1, random, 0.0)
    for now in range(OUTAGE[0] - HOUR, OUTAGE[1] + HOUR, 10 * SECOND):
        fleet.look(world.facts(now), now)
    told = [(notice, at) for at, notice in kept.notices if notice.kind == "subscriptionFailing"]
    [opened] = [at for notice, at in told if notice.what == "opened" and notice.count == WITH_VENDOR]
    assert OUTAGE[0] < opened <= OUTAGE[0] + 3 * MINUTE
    closed = next(at for notice, at in told if notice.what == "closed" and notice.count > WITH_VENDOR - 10)
    assert OUTAGE[1] < closed <= OUTAGE[1] + 15 * MINUTE
