"""The server of a gateway whose workers listen: answers the calls that they hand over.

Each place has a socket of its own on the port, and the kernel shares new connections out between them
(`cli/serving/listening.py`). All of these sockets belong to the gateway, and every worker inherits all of them: while a
worker is away, another listens on its socket, too, and if there is none, clients wait in it. So the end of a worker
costs the connections that it has and no other.
"""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from math import ceil
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from signalpost.listener.application import App
from signalpost.listener.certificate import Certificate
from signalpost.listener.serving import ServerSettings
from signalpost.sharing.short_rounds import ShortRounds
from signalpost.workers.call import HandedCall
from signalpost.workers.frames import (
    BeginListening,
    CallFrame,
    CallProgress,
    EndListening,
    ListenFor,
    ListenNoMoreFor,
    NoMoreCalls,
    Tls,
    ToGateway,
    ToWorker,
)
from signalpost.workers.origins import OriginsSent
from signalpost.workers.workers import LiveWorker, Workers

STOP_MARGIN_SECONDS: Final = 0.5
"""How much longer than its server needs to stop a worker may take to say that it has."""


class _Listener(Struct, eq=False):
    """What one worker has of the listening."""

    origins: OriginsSent
    calls: dict[int, HandedCall]
    """The calls that were not answered whole, by their numbers."""
    covers: set[int]
    """Further places on whose sockets it listens."""


class WorkerServer:
    """What `listener.server.Server` is in one process."""

    def __init__(
        self,
        app: App,
        listeners: Sequence[socket.socket],
        workers: Workers,
        settings: ServerSettings,
        certificate: Certificate | None = None,
    ) -> None:
        """There are as many listeners as workers, and they are closed when the server stops. The rest is as with
        `Server`; each worker has its part of the connections."""
        self._app = app
        self._listeners = listeners
        self._workers = workers
        self._certificate = certificate
        self._each = replace(settings, max_connections=ceil(settings.max_connections / len(listeners)))
        self._stops_within = settings.stop_seconds + settings.last_words_seconds + STOP_MARGIN_SECONDS
        self._rounds = ShortRounds()
        self._listening: dict[LiveWorker, _Listener] = {}
        """The workers that listen."""
        self._stopping, self._one_left = asyncio.Event(), asyncio.Event()
        workers.join(self)

    def answer_with(self, app: App) -> None:
        """Have another application answer the calls that come from now on."""
        self._app = app

    def stop(self) -> None:
        """Let `serve` end. Call it on the event loop."""
        self._stopping.set()

    async def serve(self) -> None:
        """Answer calls until `stop` is called and those in progress have ended."""
        try:
            await self._stopping.wait()
        finally:
            for listener in self._listeners:
                listener.close()
        for worker in self._workers.up:
            worker.put(EndListening())
        with suppress(TimeoutError):  # a worker that hangs is killed in the end
            async with asyncio.timeout(self._stops_within):
                while any(worker.is_up for worker in self._listening):
                    self._one_left.clear()
                    await self._one_left.wait()

    # --- What the workers do ------------------------------------------------------------------------------------------

    def first(self, worker: LiveWorker) -> ToWorker | None:
        """See `WorkerUser`."""
        if self._stopping.is_set():
            return None
        self._listening[worker] = _Listener(OriginsSent(), {}, set())
        tls = None if self._certificate is None else _tls_with(self._certificate)
        return BeginListening(worker.place, self._each, tls)

    def up(self, worker: LiveWorker) -> None:
        """See `WorkerUser`."""
        if self._stopping.is_set():
            worker.put(EndListening())  # if it has begun
            return
        for other, listener in self._listening.items():
            if worker.place in listener.covers:
                listener.covers.discard(worker.place)
                other.put(ListenNoMoreFor(worker.place))
        for place in self._workers.away:
            self._cover(place)

    def take(self, worker: LiveWorker, item: ToGateway) -> None:
        """See `WorkerUser`."""
        listener = self._listening.get(worker)
        if listener is None:
            return
        match item:
            case CallFrame():
                self._begin_call(worker, listener, item)
            case NoMoreCalls():
                self._end_listening(worker)
            case _ if isinstance(item, CallProgress):
                if (call := listener.calls.get(item.number)) is not None:  # else it was answered
                    call.hear(item)

    def lost(self, worker: LiveWorker) -> None:
        """See `WorkerUser`."""
        if (listener := self._end_listening(worker)) is not None and not self._stopping.is_set():
            for place in (worker.place, *listener.covers):
                self._cover(place)

    def _end_listening(self, worker: LiveWorker) -> _Listener | None:
        listener = self._listening.pop(worker, None)
        if listener is not None:
            for call in tuple(listener.calls.values()):
                self._rounds.run(call.lose)
            self._one_left.set()
        return listener

    def _cover(self, place: int) -> None:
        """Have a worker that is up listen for one that is away, if none does."""
        if any(place in listener.covers for listener in self._listening.values()) or not self._workers.up:
            return
        coverer = self._workers.up[place % len(self._workers.up)]
        self._listening[coverer].covers.add(place)
        coverer.put(ListenFor(place))

    def _begin_call(self, worker: LiveWorker, listener: _Listener, item: CallFrame) -> None:
        """Raises KeyError or ValueError if there can be no such call: then the worker is replaced."""
        if item.number in listener.calls:
            raise ValueError(item.number)
        head = listener.origins.head_of(item)
        whole, comes = item.is_whole, not (item.is_whole or head.expects_continue)
        call = HandedCall(item.number, item.body, worker.put, listener.calls.pop, whole=whole, comes=comes)
        listener.calls[item.number] = call
        self._rounds.run(lambda: call.begin(self._app, head))


def _tls_with(certificate: Certificate) -> Tls:
    cert, key = certificate.files
    return Tls(str(cert.absolute()), str(key.absolute()), certificate.good())
