"""The interface between the engine and the network.

The gateway passes the real sender (`sender.py`), or processes that have one each (`workers/`); a simulation passes a
network of its own.
"""

from collections.abc import Callable
from typing import Protocol

from signalpost.domain.delivery.outcome import Outcome
from signalpost.domain.request import OutgoingRequest


class Transport(Protocol):
    def send(self, request: OutgoingRequest, done: Callable[[Outcome], None]) -> None:
        """Make one attempt. Calls `done` exactly once, within the attempt's time, from the event loop, and never before
        `send` returns. If the process that made it is gone, so that no one knows how it ended, it is interrupted
        (`Failure.INTERRUPTED`), at the latest soon after its time; if no process is there to make it, it waits for one
        as long. Raises nothing."""

    async def close(self, grace: float) -> None:
        """Wait up to `grace` seconds for running attempts, interrupt the rest (`Failure.INTERRUPTED`), close
        everything."""
