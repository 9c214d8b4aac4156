"""Rehearsals on every database: the log is walked from its end to the beginning of a period, over many pages."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from msgspec.structs import replace

from signalpost.domain.subscription import Delay
from signalpost.engine.lanes.erased import ErasedEvents
from signalpost.engine.rehearsing.rehearsals import Question, RehearsalBounds, Rehearsals
from signalpost.engine.rehearsing.side import Side
from signalpost.runtime.clock import SystemClock
from signalpost.sharing.resting_turns import RestingTurns

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

PAGE = 300
COUNT = 2 * PAGE + 30


def test_every_event_of_a_period_is_judged_once(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe(eventTypes=1)
        for first in range(0, COUNT, 200):
            await shop.publish(*(make.create(number) for number in range(first, min(first + 200, COUNT))))
        await shop.publish(*(make.patch(number, "changed") for number in range(10)))
        thread, bounds = ThreadPoolExecutor(1), RehearsalBounds(page=PAGE, page_of_types=PAGE)
        rehearsals = Rehearsals(shop.store, thread, RestingTurns(), SystemClock(), ErasedEvents(), bounds)
        still = Delay(seconds=3600, condition={"not": {"field": "document.title", "is": "changed"}})
        then = replace(subscription, filters=((0, 3),), after=still)
        question = Question(
            tenant_id=1, caller=1, from_at=0, to_at=0, first=6, last=COUNT, ahead=COUNT + 10,
            now=Side(subscription, None), then=Side(then, None),
        )  # fmt: skip
        answer = await rehearsals.run(question)
        assert (answer.reached, answer.reached_at) == (6, None)
        assert answer.tally.counts == {"both": COUNT - 10, "more": 0, "less": 5, "cannot": 0}
        whole = await rehearsals.run(replace(question, first=1, last=COUNT + 10, then=Side(then, None)))
        assert whole.tally.counts == {"both": COUNT - 10, "more": 0, "less": 10, "cannot": 0}
        assert [each.sequence for each in whole.examples["less"]] == [*range(10, 0, -1)]

    play(scenario)
