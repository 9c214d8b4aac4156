"""Batches that the database refuses are halved, so that only the guilty command fails."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from signalpost.commands.command import Command, repeat_lines
from signalpost.domain.errors import Unavailable
from signalpost.store.store import PublishedBatch, joined

Commit = Callable[[Sequence[Command[Any]]], Awaitable[PublishedBatch]]
"""Commits commands together, or raises and changes nothing."""


async def halved(commands: Sequence[Command[Any]], commit: Commit, commit_part: Commit | None = None) -> PublishedBatch:
    """Commit the commands, halved as often as it takes, and the parts by a way of their own if there is one. Raises
    Unavailable if nothing was committed."""
    try:
        return await commit(commands)
    except Unavailable:
        raise
    except Exception as defect:
        if len(commands) == 1:
            return PublishedBatch((defect,))
    middle = len(commands) // 2
    first = await halved_part(commands[:middle], commit_part or commit)
    second = await halved_part(commands[middle:], commit_part or commit)
    return joined(first, second)


async def halved_part(
    commands: Sequence[Command[Any]], commit: Commit, commit_part: Commit | None = None
) -> PublishedBatch:
    """Commit a part of a batch as `halved` does. If it is not committed, that says nothing of the others, except for
    further lines of its imports."""
    try:
        return await halved(commands, commit, commit_part)
    except Unavailable as unavailable:
        repeat_lines(commands)
        return PublishedBatch((unavailable,) * len(commands))
