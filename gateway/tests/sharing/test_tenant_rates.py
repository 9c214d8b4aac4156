"""A tenant does something no more often in any second than it may, and is told when it may again."""

from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalpost.domain.errors import TooMany
from signalpost.domain.timestamps import SECOND
from signalpost.sharing.tenant_rates import TenantRates


class _Clock:
    def __init__(self) -> None:
        self.now = 0

    def steady(self) -> int:
        return self.now

    def wall(self) -> int:
        return self.now


@given(st.integers(1, 5), st.lists(st.tuples(st.integers(0, SECOND), st.integers(1, 2)), max_size=60))
def test_no_second_has_more_than_may_be_and_what_fits_is_never_refused(
    per_second: int, steps: list[tuple[int, int]]
) -> None:
    clock = _Clock()
    rates = TenantRates(clock, "request_rate", "requests", lambda per_second: per_second)
    taken: dict[int, list[int]] = {1: [], 2: []}
    for pause, tenant in steps:
        clock.now += pause
        mine = taken[tenant]
        within = len(mine) - bisect_right(mine, clock.now - SECOND)
        if within < per_second:
            rates.take(tenant, per_second)
            mine.append(clock.now)
        else:
            with pytest.raises(TooMany) as refused:
                rates.take(tenant, per_second)
            assert (refused.value.code, refused.value.retry_after) == ("request_rate", 1)


def test_a_node_lets_through_its_part_and_names_the_whole_limit() -> None:
    clock = _Clock()
    rates = TenantRates(clock, "request_rate", "requests", lambda per_second: per_second // 2)
    rates.take(1, 5)
    rates.take(1, 5)
    with pytest.raises(TooMany, match="At most 5 requests a second"):
        rates.take(1, 5)
