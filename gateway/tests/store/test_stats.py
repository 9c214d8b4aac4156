"""The contract of a store: statistics are added to, read by when they begin, and removed when they are old."""

from typing import TYPE_CHECKING

from signalpost.domain.objective import Tally
from signalpost.domain.stats import COUNTS, LATE, ON_TIME, WHOLE_TENANT, RollupKey, Rollups, Step, with_sums

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop

HOUR = 1_764_064_800


def counts(*first: int) -> list[int]:
    return [*first, *[0] * (COUNTS - len(first))]


def of(step: Step, start: int, number: int = 1, tenant: int = 1) -> RollupKey:
    return RollupKey(step, start, tenant, number)


def test_counts_are_added_to_those_that_are_kept(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        stats = shop.store.stats
        first: Rollups = {of("minute", HOUR): counts(1, 1), of("minute", HOUR + 60): counts(0, 0, 5)}
        await stats.add({**first, of("minute", HOUR, WHOLE_TENANT): counts(9), of("hour", HOUR): counts(7)})
        await stats.add({of("minute", HOUR): counts(2, 0, 1), of("minute", HOUR, tenant=2): counts(4)})
        await stats.add({})
        await shop.reopen()
        stats = shop.store.stats
        starts = range(HOUR - 60, HOUR + 180, 60)
        assert await stats.read(1, 1, "minute", starts) == {HOUR: counts(3, 1, 1), HOUR + 60: counts(0, 0, 5)}
        assert await stats.read(1, 1, "minute", [HOUR + 60]) == {HOUR + 60: counts(0, 0, 5)}
        assert await stats.read(1, WHOLE_TENANT, "minute", starts) == {HOUR: counts(9)}
        assert await stats.read(2, 1, "minute", starts) == {HOUR: counts(4)}
        assert await stats.read(1, 1, "hour", starts) == {HOUR: counts(7)}
        assert await stats.read(3, 1, "hour", starts) == {}
        many = await stats.read_many(1, [WHOLE_TENANT, 1, 5], "minute", [HOUR])
        assert many == {WHOLE_TENANT: {HOUR: counts(9)}, 1: {HOUR: counts(3, 1, 1)}, 5: {}}

    play(scenario)


def test_what_missed_its_objective_of_late_is_found_and_counted(play: "Play") -> None:
    def ended(on_time: int, late: int) -> list[int]:
        found = counts(on_time)
        found[ON_TIME], found[LATE] = on_time, late
        return found

    async def scenario(shop: "Shop") -> None:
        stats = shop.store.stats
        before, now = HOUR + 60, HOUR + 120
        await stats.add(
            with_sums(
                {
                    of("minute", before, 1): ended(5, 2),
                    of("minute", now, 1): ended(1, 3),
                    of("minute", now, 2): ended(9, 0),
                    of("minute", before, 3): ended(0, 4),
                    of("minute", now, 7, tenant=2): ended(0, 1),
                }
            )
        )
        assert await stats.late_since(now) == {1: [1], 2: [7]}
        assert {tenant: sorted(late) for tenant, late in (await stats.late_since(before)).items()} == {
            1: [1, 3],
            2: [7],
        }
        assert await stats.late_since(now + 60) == {}
        assert await stats.tallies(1, [1, 2, 5], [before, now]) == {1: Tally(6, 5), 2: Tally(9, 0)}
        assert await stats.tallies(1, [1, 3], [now]) == {1: Tally(1, 3)}
        assert await stats.tallies(2, [1], [now]) == {}

    play(scenario)


def test_the_oldest_are_removed_a_few_at_a_time_and_of_one_step_only(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        stats = shop.store.stats
        starts = [HOUR + 60 * minute for minute in range(5)]
        await stats.add({of("minute", start): counts(1) for start in starts} | {of("hour", HOUR): counts(5)})
        assert await stats.prune("minute", starts[3], 2) == 2
        assert await stats.prune("minute", starts[3], 2) == 1
        assert await stats.prune("minute", starts[3], 2) == 0
        assert (await stats.read(1, 1, "minute", starts)).keys() == {*starts[3:]}
        assert await stats.read(1, 1, "hour", starts) == {HOUR: counts(5)}

    play(scenario)
