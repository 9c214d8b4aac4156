"""Walks the log for a rehearsal in a process of its own, which takes what the machine has left.

The process is told what decides which events are sent: types, conditions and delays. It reads the database itself, and
needs no key for that. It is told no secret but the database's URL, talks to this process alone, and ends with the walk,
or when no caller waits for that any more.

Kinds of destinations other than the webhook are asked in this process: what they make of an event takes the secrets of
their connections, and they may come from any package. A short walk is over here before a process has started, and one
process is enough: a rehearsal that comes meanwhile walks here, too.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from socket import SHUT_WR
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from signalpost.domain.subscription import UNSAVED, Delay, Filters, Subscription
from signalpost.engine.lanes.erased import ErasedEvents
from signalpost.engine.rehearsing.question import BOUNDS, Question, WalkResult, Walks
from signalpost.engine.rehearsing.side import Side
from signalpost.runtime.child_process import ChildProcess
from signalpost.runtime.logger import log

LONG: Final = 50_000
"""From how many events on a walk is for a process, which takes half a second to start."""

PATIENCE: Final = BOUNDS.seconds + 5.0
"""After so many seconds a process that has not answered is ended: on a machine that is always busy it gets no core."""
PART: Final = 64 * 1024
"""How many bytes of an answer are read at once."""


class SideTerms(Struct, frozen=True):
    """What decides which events a webhook sends."""

    filters: Filters
    starts_after: int
    when: Mapping[str, Any] | None
    after: Delay | None

    @property
    def side(self) -> Side:
        return Side(
            replace(UNSAVED, filters=self.filters, starts_after=self.starts_after, when=self.when, after=self.after),
            None,
        )


class WalkRequest(Struct, frozen=True, kw_only=True):
    """What the process is told."""

    database_url: str
    processes: int
    """How many others there are that may each have a core before it."""
    tenant_id: int
    erased: list[tuple[str | None, int]]
    """See `ErasedEvents.of`."""
    first: int
    last: int
    ahead: int
    now: SideTerms | None
    then: SideTerms

    @property
    def question(self) -> Question:
        return Question(
            tenant_id=self.tenant_id,
            caller=None,
            from_at=0,
            to_at=0,
            first=self.first,
            last=self.last,
            ahead=self.ahead,
            now=None if self.now is None else self.now.side,
            then=self.then.side,
        )


def start_process() -> ChildProcess:
    """Raises OSError."""
    return ChildProcess("signalpost.engine.rehearsing", os.environ)


class ProcessWalks:
    def __init__(
        self,
        here: Walks,
        database_url: str,
        processes: int,
        erased: ErasedEvents,
        start: Callable[[], ChildProcess] = start_process,
        long: int = LONG,
        patience: float = PATIENCE,
    ) -> None:
        """`here` walks what is not for a process. A gateway has so many `processes` besides."""
        self._here = here
        self._database_url = database_url
        self._processes = processes
        self._erased = erased
        self._start = start
        self._long = long
        self._patience = patience
        self._is_busy = False

    async def walk(self, question: Question) -> WalkResult:
        if self._is_busy or question.events < self._long or any(side.looks_at_made for side in question.sides):
            return await self._here.walk(question)
        self._is_busy = True
        try:
            found = await self._found_by(msgspec.json.encode(self._request(question)))
        finally:
            self._is_busy = False
        return await self._here.walk(question) if found is None else found

    def _request(self, question: Question) -> WalkRequest:
        now = question.now
        return WalkRequest(
            database_url=self._database_url,
            processes=self._processes,
            tenant_id=question.tenant_id,
            erased=self._erased.of(question.tenant_id),
            first=question.first,
            last=question.last,
            ahead=question.ahead,
            now=None if now is None else _terms_of(now.subscription),
            then=_terms_of(question.then.subscription),
        )

    async def _found_by(self, request: bytes) -> WalkResult | None:
        """What a process found; None if there was none, or it failed."""
        try:
            process = self._start()
        except OSError as error:
            log.warning("no process could be started for a rehearsal, which goes on without", error=str(error))
            return None
        answer = b""
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience):
                    answer = await _asked(process, request)
        finally:
            process.kill()
            code = await process.wait()
        if not answer:
            log.warning("the process of a rehearsal failed; the rehearsal goes on without", code=code)
            return None
        return msgspec.json.decode(answer, type=WalkResult)


def _terms_of(subscription: Subscription) -> SideTerms:
    return SideTerms(subscription.filters, subscription.starts_after, subscription.when, subscription.after)


async def _asked(process: ChildProcess, request: bytes) -> bytes:
    """What the process answers; nothing if it ends before."""
    loop, answer = asyncio.get_running_loop(), bytearray()
    with process.socket as to_process:
        to_process.settimeout(0)
        with suppress(OSError):  # it has ended
            await loop.sock_sendall(to_process, request)
            to_process.shutdown(SHUT_WR)
            while part := await loop.sock_recv(to_process, PART):
                answer += part
    return bytes(answer)
