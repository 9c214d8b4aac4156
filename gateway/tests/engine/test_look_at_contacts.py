"""What a look at contacts costs if thousands of subscriptions are in trouble: how much it asks and writes, and how long
others wait for the event loop meanwhile."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, Final

import pytest
from gateway.tests.engine.subscriptions import subscription
from msgspec.structs import replace

from signalpost.commands.command import CompletedCommand
from signalpost.commands.correspondence import BeginMail, MailBegun
from signalpost.destinations.mail import Letter, Smtp
from signalpost.destinations.rulings import Done
from signalpost.domain.contacts import ContactIds
from signalpost.domain.operations.conditions import ConditionRow
from signalpost.domain.operations.correspondence import APART, Correspondence, Knowledge
from signalpost.domain.operations.kinds import Severity
from signalpost.domain.operations.unsubscribing import UnsubscribeLinks
from signalpost.domain.secrets import Secrets
from signalpost.domain.signing_key import SigningKey
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import HOUR, SECOND
from signalpost.engine.counts import Counts
from signalpost.engine.lanes.lane_views import COUNTED_IN_A_ROW
from signalpost.engine.operations.postman import MOST_IN_A_LOOK, Postman
from signalpost.store.nouns.fleet import ALONE

IN_TROUBLE: Final = 3_000
SHARED: Final = 200
"""How many addresses have so many of the subscriptions that none of them alone is long work."""
NOW: Final = 1_790_000_000 * SECOND


class CountingIds(ContactIds):
    def __init__(self, done: Counter[str]) -> None:
        super().__init__(b"key")
        self._done = done

    def of(self, address: str) -> str:
        self._done["since the last turn"] += 1
        return super().of(address)


class World:
    """A store, a directory and a mail server that count what they are asked for."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.most = 0
        """How much was done at most between two turns of others."""
        self.now = NOW
        self.subscriptions = [
            replace(subscription(number=number), contacts=(f"{number % SHARED}@team.example", f"{number}@own.example"))
            for number in range(IN_TROUBLE)
        ]
        self.conditions = [
            ConditionRow(
                number=number, id="c", tenant_id=1, kind="subscriptionFailing", subject=each.id, name="", detail="",
                severity=Severity.WARNING, since=NOW - 2 * HOUR, opened_at=NOW - 2 * HOUR,
            )
            for number, each in enumerate(self.subscriptions)
        ]  # fmt: skip
        self.rows: list[Correspondence] = []
        links = UnsubscribeLinks([SigningKey(1, b"key")], CountingIds(self.done), "https://gateway.example")
        store = SimpleNamespace(lists=SimpleNamespace(every=self.every), fleet=SimpleNamespace(terms=ALONE))
        connectors = SimpleNamespace(post_offices=lambda _: [SimpleNamespace(secrets=Secrets(()))], post=self)
        clock = SimpleNamespace(wall=lambda: self.now, steady=lambda: self.now)
        given: list[Any] = [store, self, connectors, clock, self.enqueue, self, Counts(), links]
        self.postman = Postman(*given)

    async def turn(self, _holder: int) -> None:
        self.most = max(self.most, self.done.pop("since the last turn", 0))
        await asyncio.sleep(0)

    async def every(self, kind: type[Any]) -> Sequence[Any]:
        self.done["queries"] += 1
        return self.rows if kind is Correspondence else self.conditions

    async def enqueue(self, command: Any) -> "asyncio.Future[Any]":
        self.done["commits"] += 1
        result = None
        if isinstance(command, BeginMail):
            begun = Correspondence(number=1, id=command.contact, tenant_id=-2, opened_at=self.now, begun_at=self.now)
            result = MailBegun(begun)
        outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        outcome.set_result(CompletedCommand(result=result, tenant_id=-2, at=self.now, event_id=None, answer=None))
        return outcome

    def connections(self, _tenant_id: int) -> list[Any]:
        return [SimpleNamespace(kind=Smtp.kind, state="open")]

    def may_write(self, _through: Any, _address: str) -> bool:
        return True

    async def write(self, _through: Any, _letter: Letter) -> Done:
        self.done["mails"] += 1
        return Done()

    def all_subscriptions(self) -> list[Subscription]:
        return [*self.subscriptions]

    def subscription(self, _tenant_id: int, subscription_id: str) -> Subscription:
        self.done["since the last turn"] += 1
        return self.subscriptions[int(subscription_id[-12:])]

    def tenant_with(self, _tenant_id: int) -> Any:
        return SimpleNamespace(paused_at=None)


@pytest.fixture
def world() -> World:
    return World()


def test_a_look_asks_twice_writes_a_few_mails_and_lets_others_have_their_turn(world: World) -> None:
    asyncio.run(world.postman.look())
    assert world.done["queries"] == 2
    assert world.done["mails"] == MOST_IN_A_LOOK
    assert world.done["commits"] == 2 * MOST_IN_A_LOOK
    assert 0 < world.most <= COUNTED_IN_A_ROW


def test_a_look_at_those_who_know_already_writes_nothing_and_lets_others_have_their_turn(world: World) -> None:
    known: dict[str, dict[str, Knowledge]] = {}
    for each in world.subscriptions:
        for address in each.contacts:
            known.setdefault(address, {})[each.id] = Knowledge(1, "subscriptionFailing")
    ids, told_at = ContactIds(b"key"), NOW - APART
    world.rows = [
        Correspondence(
            number=number, id=ids.of(address), tenant_id=-2, opened_at=told_at, begun_at=told_at, told_at=told_at,
            known=knows,
        )
        for number, (address, knows) in enumerate(known.items())
    ]  # fmt: skip
    asyncio.run(world.postman.look())
    assert world.done["queries"] == 2
    assert not world.done["commits"]
    assert 0 < world.most <= COUNTED_IN_A_ROW
