"""Batches of commands that are decided without a store."""

from collections.abc import Iterable
from typing import Any

from signalpost.commands.batch import Batch
from signalpost.commands.command import Command, CommandOutcome
from signalpost.domain.errors import CallerError


def outcomes(batch: Batch, commands: Iterable[Command[Any]]) -> list[CommandOutcome[Any] | CallerError]:
    """The outcomes of commands that are decided one after the other."""
    found: list[CommandOutcome[Any] | CallerError] = []
    for command in commands:
        try:
            found.append(batch.run(command))
        except CallerError as refused:
            found.append(refused)
    return found
