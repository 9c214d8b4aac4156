"""A sample of what `make hostile` tries: hostile placeholders and conditions are refused or harmless."""

import pytest
from gateway.tests.domain.language.hostile import worst


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_nothing_hostile_raises_what_is_not_meant_to_be_raised(seed: int) -> None:
    _, _, taken = worst(seed, 200)
    assert 0 < taken < 200
