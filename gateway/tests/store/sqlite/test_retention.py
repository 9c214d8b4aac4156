"""What is SQLite's own of the retention: it removes the attempts of events one by one."""

from typing import TYPE_CHECKING

from signalpost.store.nouns.deliveries import AttemptRow
from signalpost.store.nouns.retention import ATTEMPTS_EACH

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools


def test_of_events_with_many_attempts_fewer_are_pruned_at_once(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.fill(4)
        each = ATTEMPTS_EACH - 1
        attempts = [AttemptRow(s, at, 1, 1, 0, True, 200, None, "", b"") for s in (1, 2) for at in range(each)]
        attempts += [AttemptRow(s, at, 1, 1, 0, True, 200, None, "", b"") for s in (3, 4) for at in range(4 * each)]
        await shop.record(make.flush(subscription, 0, 4, attempts=attempts))
        removed = []
        while count := await shop.store.retention.prune_log(1, 5, 2):
            removed.append(count)
        assert removed == [2, 1, 1]
        assert [await shop.attempts(subscription, s) for s in (1, 2, 3, 4)] == [[]] * 4

    play(scenario)
