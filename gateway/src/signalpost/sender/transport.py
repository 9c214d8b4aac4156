"""The seam between the engine and the network: what a transport is asked, and how it answers.

The gateway passes the real sender (`sender.py`); a simulation passes a network of its own.
"""

from collections.abc import Callable
from typing import Protocol

from signalpost.domain.delivery.outcome import Outcome
from signalpost.domain.request import Request


class Transport(Protocol):
    def send(self, request: Request, done: Callable[[Outcome], None]) -> None:
        """Make one attempt; call `done` exactly once, within the attempt's time, from the event loop, never before
        `send` returns. Raises nothing."""

    async def close(self, grace: float) -> None:
        """Let running attempts end for `grace` seconds, interrupt the rest (`Failure.INTERRUPTED`), close all."""
