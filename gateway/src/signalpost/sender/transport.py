"""The interface between the engine and the network.

The gateway passes the real sender (`sender.py`), or processes that have one each (`workers/`), and the real mailer
(`mailer.py`); a simulation passes a network of its own.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from signalpost.domain.delivery.outcome import Outcome
from signalpost.domain.request import OutgoingMail, OutgoingRequest


class Sending(Protocol):
    def send(self, request: OutgoingRequest, done: Callable[[Outcome], None]) -> None:
        """Make one attempt. Calls `done` exactly once, within the attempt's time, from the event loop, and never before
        `send` returns. If the process that made it is gone, so that no one knows how it ended, it is interrupted
        (`Failure.INTERRUPTED`), at the latest soon after its time; if no process is there to make it, it waits for one
        as long. Raises nothing."""


class Transport(Sending, Protocol):
    async def close(self, grace: float) -> None:
        """Wait up to `grace` seconds for running attempts, interrupt the rest (`Failure.INTERRUPTED`), close
        everything."""


class MailTransport(Protocol):
    async def send_mail(self, mail: OutgoingMail) -> Outcome:
        """Make one attempt to hand a mail to its server. An outcome with a status is what the server answered, and its
        detail says to what; without one, there was no answer that can be understood. Raises nothing."""

    async def close(self, grace: float) -> None:
        """See `Transport.close`."""


async def answered(transport: Sending, request: OutgoingRequest) -> Outcome:
    """Send a request, and wait for its outcome."""
    outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def done(ended: Outcome) -> None:
        if not outcome.done():  # the one that waited may be gone
            outcome.set_result(ended)

    transport.send(request, done)
    return await outcome
