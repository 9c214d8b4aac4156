"""A sender worker: makes attempts for a gateway, and knows nothing of it but the socket between them.

It ends when the gateway says so or closes the socket, which the system does for a gateway that was killed. What it logs
goes through the socket too, so that there is one log.
"""

import asyncio
import logging
import os
import pickle
from collections.abc import Callable
from functools import partial
from typing import Final

from msgspec import msgpack

from signalpost.domain.delivery.outcome import Outcome
from signalpost.runtime.logger import LogLine, read_record
from signalpost.sender.sender import SenderSettings
from signalpost.sender.transport import Transport
from signalpost.sender.workers.channel import Channel
from signalpost.sender.workers.frames import Begin, End, Line, Outcomes, Ready, Send, ToWorker

_decode: Final = msgpack.Decoder(ToWorker).decode


class Worker:
    """The worker's side of the socket."""

    _sender: Transport
    """Made as the first message says."""

    def __init__(self, loop: asyncio.AbstractEventLoop, make_sender: Callable[[SenderSettings], Transport]) -> None:
        self._make_sender = make_sender
        self._ending: asyncio.Task[None] | None = None
        self.ended = asyncio.Event()
        """Set once the socket is closed."""
        self.channel: Channel[Outcome] = Channel(
            loop, message=Outcomes, size=_size, decode=_decode, take=self._take, lost=self.ended.set
        )

    def _take(self, message: ToWorker) -> None:
        match message:
            case Send(requests):
                send, put = self._sender.send, self.channel.put
                for number, request in requests:
                    send(request, partial(put, number))
            case Begin(settings, log_level):
                logging.getLogger("signalpost").setLevel(log_level)
                # The other end is the gateway that started this process, and no one else's.
                self._sender = self._make_sender(pickle.loads(settings))  # noqa: S301
                self.channel.say(Ready())
            case End(grace):
                self._ending = asyncio.ensure_future(self._end(grace))

    async def _end(self, grace: float) -> None:
        await self._sender.close(grace)
        self.channel.close()


def _size(outcome: Outcome) -> int:
    return len(outcome.answer) + len(outcome.head)


class ToGatewaysLog(logging.Handler):
    """Hands lines to the gateway, from any thread. Lines are lost while the gateway does not read."""

    def __init__(self, loop: asyncio.AbstractEventLoop, channel: Channel[Outcome]) -> None:
        super().__init__()
        self._loop = loop
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        self._loop.call_soon_threadsafe(self._say, record.levelno, read_record(record))

    def _say(self, level: int, line: LogLine) -> None:
        if not self._channel.is_paused:
            fields = {name: value if isinstance(value, int) else str(value) for name, value in line.fields.items()}
            self._channel.say(Line(level, line.message, {**fields, "pid": os.getpid()}))
