"""What other distributions that are installed here add to this one."""

from functools import cache
from importlib.metadata import EntryPoint, entry_points

_all_entries = cache(entry_points)
"""To find them, files of all distributions are read: once in a process."""


def entries_of(group: str) -> tuple[EntryPoint, ...]:
    """The entry points of a group, in the order of their names."""
    return tuple(sorted(_all_entries().select(group=group), key=lambda each: each.name))
