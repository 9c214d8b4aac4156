"""The worlds that every run of the tests lives through, in parts, so that several processes share them."""

PARTS = 4
SEEDS = 5
"""How many seeds each part runs."""


def part(number: int) -> range:
    return range(number, PARTS * SEEDS + 1, PARTS)
