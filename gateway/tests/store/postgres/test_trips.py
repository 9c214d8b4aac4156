"""How often a page waits for the server does not depend on how much it shows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.exception_row import Row
from signalpost.store.postgres.asking import steps_of
from signalpost.store.postgres.nouns.delivery_queries import PostgresDeliveryQueries
from signalpost.store.postgres.sessions import Steps
from signalpost.store.statements import Statement
from signalpost.store.walks import delivery_walk

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools


def counted(steps: Steps[Any], trips: list[Sequence[Statement]]) -> Steps[Any]:
    """The steps, each of whose trips is noted."""
    try:
        asked = next(steps)
        while True:
            trips.append(asked)
            asked = steps.send((yield asked))
    except StopIteration as ended:
        return ended.value


def test_the_latest_failures_of_many_take_as_many_trips_as_those_of_one(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        many = [await shop.subscribe(number) for number in range(1, 21)]
        await shop.fill(3)
        [event] = await shop.store.log.events(1, [2])
        row = Row(2, event.document_id, State.FAILED, 1000, 2, 4, 0, None)
        await shop.record(*(make.flush(each, 0, 3, rows=[row]) for each in many))
        took = []
        for some in (many[:1], many):
            trips: list[Sequence[Statement]] = []
            asking = delivery_walk.latest_failures(PostgresDeliveryQueries(), 1, some, 1000)
            found = await shop.store.readers.run(1, counted(steps_of(asking), trips))  # type: ignore[attr-defined]
            assert found.keys() == {each.id for each in some}
            took.append(len(trips))
        assert took[0] == took[1] > 0

    play(scenario)
