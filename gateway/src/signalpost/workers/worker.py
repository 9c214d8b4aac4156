"""A worker: makes attempts for a gateway and listens for it, and knows nothing of it but the socket between them.

It ends when the gateway says so or closes the socket, which the system does for a gateway that was killed. What it logs
goes through the socket too, so that there is one log.
"""

import asyncio
import logging
import os
import pickle
import socket
import time
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import msgpack

from signalpost.domain.delivery.outcome import Outcome
from signalpost.runtime.logger import Fields, read_record
from signalpost.sender.sender import SenderSettings
from signalpost.sender.transport import Transport
from signalpost.workers.channel import Channel
from signalpost.workers.frames import (
    AreYouThere,
    AttemptEnd,
    Begin,
    BeginListening,
    BeginSending,
    EndFrame,
    Here,
    LineFrame,
    Ready,
    Send,
    ToGateway,
    ToWorker,
)
from signalpost.workers.listening import Listening

_decode: Final = msgpack.Decoder(list[ToWorker]).decode


class Worker:
    """The worker's side of the socket."""

    _sender: Transport | None = None
    listening: Listening | None = None
    """Both are made as the gateway says."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        make_sender: Callable[[SenderSettings], Transport],
        sockets: Sequence[socket.socket] = (),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`sockets` are those to listen on, one for each worker of the gateway. `now` is in seconds, and may begin
        anywhere."""
        self._make_sender = make_sender
        self._sockets = sockets
        self._now = now
        self._ending: asyncio.Task[None] | None = None
        self.ended = asyncio.Event()
        """Set once the socket to the gateway is closed."""
        self.channel: Channel[ToGateway] = Channel(loop, decode=_decode, take=self._take, lost=self.ended.set)

    def _take(self, item: ToWorker) -> None:
        match item:
            case Send(number, request):
                assert self._sender is not None

                def done(outcome: Outcome) -> None:
                    self.channel.put(AttemptEnd(number, outcome))

                self._sender.send(request, done)
            case BeginSending(settings):
                # The other end is the gateway that started this process, and no one else's.
                self._sender = self._make_sender(pickle.loads(settings))  # noqa: S301
            case BeginListening():
                self.listening = Listening(item, self._sockets, self.channel.put, self._now)
            case Begin(log_level):
                logging.getLogger("signalpost").setLevel(log_level)
                self.channel.say(Ready())
            case AreYouThere():
                self.channel.put(Here())
            case EndFrame(grace):
                self._ending = asyncio.ensure_future(self._end(grace))
            case _ if self.listening is not None:
                self.listening.take(item)

    async def _end(self, grace: float) -> None:
        if self._sender is not None:
            await self._sender.close(grace)
        self.stop_listening()
        self.channel.close()

    def stop_listening(self) -> None:
        """End all that clients have here."""
        if self.listening is not None:
            self.listening.close()


class ToGatewaysLog(logging.Handler):
    """Hands lines to the gateway, from any thread. Lines are lost while the gateway does not read."""

    def __init__(self, loop: asyncio.AbstractEventLoop, channel: Channel[ToGateway]) -> None:
        super().__init__()
        self._loop = loop
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        self._loop.call_soon_threadsafe(self._say, record.levelno, *read_record(record))

    def _say(self, level: int, message: str, said: Fields) -> None:
        if not self._channel.is_paused:
            fields = {name: _in_frame(value) for name, value in said.items()}
            self._channel.say(LineFrame(level, _text_in_frame(message), {**fields, "pid": os.getpid()}))


def _in_frame(value: object) -> int | str:
    """A value of a line as a frame takes it."""
    return value if isinstance(value, int) and value.bit_length() < 64 else _text_in_frame(str(value))


def _text_in_frame(text: str) -> str:
    """Half of a surrogate pair, as in the name of a file, is shown as an escape: a frame takes none."""
    return text.encode(errors="backslashreplace").decode()
