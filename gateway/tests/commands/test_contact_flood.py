"""Two days of a customer whose subscriptions fail, recover, are disabled and resumed, and whose contacts change: what
each address reads, while nodes crash at every commit and in the middle of mails, and two of them write at a time.

Time is simulated; what decides is real: the postman, its commands, and what they decide on rows as a store has them.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest
from gateway.tests.engine.subscriptions import subscription
from gateway.tests.examples import cases
from msgspec.structs import replace

from signalpost.commands.command import CompletedCommand, Stamp
from signalpost.destinations.mail import Letter, Smtp
from signalpost.destinations.rulings import Done, Retry
from signalpost.domain.contacts import ContactIds
from signalpost.domain.operations.conditions import ConditionRow
from signalpost.domain.operations.correspondence import APART, OVER, WORDINGS, Correspondence
from signalpost.domain.operations.kinds import Severity
from signalpost.domain.operations.unsubscribing import UnsubscribeLinks
from signalpost.domain.secrets import Secrets
from signalpost.domain.signing_key import SigningKey
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import DAY, HOUR, MINUTE, SECOND
from signalpost.engine.connectors.token_endpoints import Unanswered
from signalpost.engine.counts import Counts
from signalpost.engine.operations.postman import Postman
from signalpost.sharing.loop_turns import LoopTurns
from signalpost.store.nouns.fleet import ALONE

BEGAN = 1_790_000_000 * SECOND
ENDS = BEGAN + 2 * DAY
SUBSCRIPTIONS = 60
ADA, BOB = "ada@customer.example", "bob@customer.example"
FAILING, SOON, DISABLED = "subscriptionFailing", "subscriptionDisablingSoon", "subscriptionDisabled"
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))]
IDS = ContactIds(b"key")
LINKS = UnsubscribeLinks([SigningKey(1, b"key")], IDS, "https://gateway.example")
SAID = {said: what for what, wording in WORDINGS.items() for said in wording.said}


class Crash(Exception):
    """A process ends."""


class Customer:
    """The subscriptions, what is wrong with them at each moment, and who their contacts are then."""

    def __init__(self, random: Random) -> None:
        self.subscriptions = [
            replace(subscription(number=number), name=f"Number {number}", contacts=(ADA, BOB))
            for number in range(SUBSCRIPTIONS)
        ]
        self._random = random
        self.changed: set[str] = set()
        """The names of those whose contacts were changed."""
        self._spans: list[tuple[str, str, int, int]] = []
        for each in self.subscriptions:
            at = BEGAN
            while (at := at + random.randrange(20 * MINUTE, 12 * HOUR)) < ENDS - 4 * HOUR:
                ends = at + random.choice((5 * MINUTE, 40 * MINUTE, 3 * HOUR, 10 * HOUR))
                self._add(each.id, at, min(ends, ENDS - 3 * HOUR))
                at = ends

    def _add(self, subject: str, begins: int, ends: int) -> None:
        """One fails; after five hours it is about to be disabled, and after six it is, until it is resumed."""
        self._spans.append((FAILING, subject, begins, min(ends, begins + 6 * HOUR)))
        if ends > begins + 5 * HOUR:
            self._spans.append((SOON, subject, begins + 5 * HOUR, min(ends, begins + 6 * HOUR)))
        if ends > begins + 6 * HOUR:
            self._spans.append((DISABLED, subject, begins + 6 * HOUR, ends))

    def change(self) -> None:
        """A caller edits the contacts of a subscription."""
        at = self._random.randrange(SUBSCRIPTIONS)
        contacts = self._random.choice(((ADA, BOB), (ADA,), (BOB,), (ADA.upper(), BOB)))
        self.subscriptions[at] = replace(self.subscriptions[at], contacts=contacts)
        self.changed.add(self.subscriptions[at].name)

    def conditions(self, now: int) -> list[ConditionRow]:
        return [
            ConditionRow(
                number=1, id="c", tenant_id=1, kind=kind, subject=subject, name="", detail="",
                severity=Severity.WARNING, since=begins, opened_at=begins,
                absent_since=ends if now >= ends else None,
            )
            for kind, subject, begins, ends in self._spans
            if begins + 2 * MINUTE <= now < ends + 10 * MINUTE
        ]  # fmt: skip


class Heard:
    """What one address read of each subscription, in order."""

    def __init__(self) -> None:
        self.at: list[int] = []
        self.of: defaultdict[str, list[str]] = defaultdict(list)

    def read(self, letter: Letter, now: int) -> list[str]:
        self.at.append(now)
        what, named = "", []
        for line in letter.text.splitlines():
            what = SAID.get(line, what)
            if line.startswith("- Number "):
                name = line.removeprefix("- ").partition(",")[0]
                self.of[name].append(what)
                named.append(name)
        return named


class World:
    """What a postman works with, and what goes wrong meanwhile."""

    def __init__(self, seed: int, *, crashes: float = 0.0, changes: float = 0.0) -> None:
        self.random = Random(seed)
        self.customer = Customer(self.random)
        self.now = BEGAN
        self.rows: dict[str, Correspondence] = {}
        self.heard: defaultdict[str, Heard] = defaultdict(Heard)
        self.unexpected: list[str] = []
        self.crashes, self.changes, self.refusals = crashes, changes, 0.1

    # --- The store ----------------------------------------------------------------------------------------------------

    def row(self, _kind: Any, row_id: str, _within: int | None) -> Any:
        return self.rows.get(row_id)

    def next_number(self, _kind: Any) -> int:
        return 1

    async def every(self, kind: type[Any]) -> Sequence[Any]:
        await asyncio.sleep(0)
        return [*self.rows.values()] if kind is Correspondence else self.customer.conditions(self.now)

    async def enqueue(self, command: Any) -> "asyncio.Future[Any]":
        self._maybe_crash()
        decision = command.decide(cast("Any", self), Stamp(1, self.now, self.now))
        for row in decision.rows:
            self.rows[row.id] = row
            if row.closed_at is not None:
                del self.rows[row.id]
        self._maybe_crash()
        outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        outcome.set_result(
            CompletedCommand(result=decision.result, tenant_id=-2, at=self.now, event_id=None, answer=None)
        )
        return outcome

    # --- The connection -----------------------------------------------------------------------------------------------

    def connections(self, _tenant_id: int) -> list[Any]:
        return [SimpleNamespace(kind=Smtp.kind, state="open")]

    def post_offices(self, _tenant_id: int) -> list[Any]:
        return [SimpleNamespace(secrets=Secrets(()))]

    def may_write(self, _through: Any, _address: str) -> bool:
        return True

    async def write(self, _through: Any, letter: Letter) -> Any:
        self._maybe_crash()
        await asyncio.sleep(0)
        if self.random.random() < self.refusals:
            return Retry("450 4.2.0 Later")
        for name in self.heard[letter.to.lower()].read(letter, self.now):
            contacts = self.customer.subscriptions[int(name.removeprefix("Number "))].contacts
            if letter.to.lower() not in map(str.lower, contacts):
                self.unexpected.append(f"{letter.to} reads of {name}")
        self._maybe_crash()
        if self.random.random() < self.crashes:
            raise Unanswered("no answer")  # though it was sent
        return Done()

    def _maybe_crash(self) -> None:
        if self.random.random() < self.crashes:
            raise Crash

    # --- What postmen see ---------------------------------------------------------------------------------------------

    def all_subscriptions(self) -> list[Subscription]:
        return [*self.customer.subscriptions]

    def subscription(self, _tenant_id: int, subscription_id: str) -> Subscription:
        return self.customer.subscriptions[int(subscription_id[-12:])]

    def tenant_with(self, _tenant_id: int) -> Any:
        return SimpleNamespace(paused_at=None)

    def postman(self) -> Postman:
        fleet = SimpleNamespace(terms=ALONE)
        store = SimpleNamespace(lists=SimpleNamespace(every=self.every), fleet=fleet)
        connectors = SimpleNamespace(post_offices=self.post_offices, post=self)
        clock = SimpleNamespace(wall=lambda: self.now, steady=lambda: self.now)
        given: list[Any] = [store, self, connectors, clock, self.enqueue, LoopTurns(lambda: 0.0), Counts(), LINKS]
        return Postman(*given)

    async def pass_time(self, until: int, nodes: int) -> None:
        while self.now < until:
            looks = (self.postman().look() for _ in range(nodes))
            for ended in await asyncio.gather(*looks, return_exceptions=True):
                assert ended is None or isinstance(ended, Crash), ended
            if self.random.random() < self.changes:
                self.customer.change()
            self.now += self.random.choice((10 * SECOND, MINUTE, 2 * MINUTE))


def apart(heard: Heard) -> int:
    return min(after - before for before, after in pairwise(heard.at))


@pytest.mark.parametrize("seed", cases(SEEDS, SEEDS[:1]))
def test_each_trouble_that_an_address_reads_of_is_over_once_and_mails_are_fifteen_minutes_apart(seed: int) -> None:
    world = World(seed)
    asyncio.run(world.pass_time(ENDS, nodes=2))
    assert not world.rows
    assert not world.unexpected
    for heard in world.heard.values():
        assert apart(heard) >= APART
        for told in heard.of.values():
            assert not any(one == other for one, other in pairwise(told)), told
            assert told[0] != OVER
    assert sum(len(heard.at) for heard in world.heard.values()) > 100


@pytest.mark.parametrize("seed", cases(SEEDS, SEEDS[:1]))
def test_crashes_at_every_commit_and_in_mails_lose_nothing_and_hurry_nothing(seed: int) -> None:
    world = World(seed, crashes=0.1, changes=0.02)
    asyncio.run(world.pass_time(ENDS, nodes=2))
    world.crashes = world.changes = world.refusals = 0.0
    asyncio.run(world.pass_time(ENDS + HOUR, nodes=2))
    assert not world.rows
    assert not world.unexpected
    still = {name: told for heard in world.heard.values() for name, told in heard.of.items() if told[-1] != OVER}
    assert still.keys() <= world.customer.changed  # who is no contact any more does not hear of the end
    assert all(apart(heard) >= APART for heard in world.heard.values())
