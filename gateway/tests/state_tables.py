"""What a table of transitions leads to."""

from collections.abc import Mapping
from enum import IntEnum

Table = Mapping[IntEnum, Mapping[IntEnum, IntEnum]]


def reached(table: Table, first: IntEnum) -> set[IntEnum]:
    """The states that some inputs lead to from a state, with itself."""
    found, left = {first}, [first]
    while left:
        following = set(table[left.pop()].values()) - found
        found |= following
        left += following
    return found
