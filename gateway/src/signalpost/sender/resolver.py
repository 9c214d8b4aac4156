"""Resolves host names: one look-up per name and tenant at a time, on threads of its own, with results cached for a few
seconds.

The system's resolver blocks its thread for as long as the name server takes. These threads do nothing else, so no file
or database work waits behind them. Their number is bounded and shared by the tenants, and a name
uses at most one of a tenant's: every attempt of it that needs the name waits for the same look-up. A look-up is never
aborted; attempts stop waiting for it after `LOOKUP_SECONDS`, or at their own deadlines. Failures are not cached.

What a tenant sends begins together, and waits for names together. To end an attempt and begin the next takes the event
loop 0.1 ms, so those that have waited long enough end one by one, in turns at the loop.
"""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from typing import Any

from signalpost.sender.addresses import Address, literal
from signalpost.sharing.loop_turns import LoopTurns
from signalpost.sharing.shared_turns import SharedTurns
from signalpost.sharing.shares import NOBODY, Caller, Shares, alone

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, as text; OSError if it has none."""

LOOKUP_SECONDS = 2.0
"""How long an attempt waits for a look-up. The system's resolver waits ten for a server that says nothing."""
MAX_RUNNING = 32
"""Maximum number of look-ups that run, each on a thread."""
MAX_LOOKUPS = 1_000
"""Maximum number of names being resolved or queued. More are refused, so that a name server that is down cannot leave
an endless queue."""


class Names:
    """Caches a resolver's answers, and shares look-ups in progress."""

    def __init__(
        self,
        resolve: Resolve,
        kept_seconds: float,
        clock: Callable[[], float],
        *,
        limit: int = MAX_LOOKUPS,
        running: int = MAX_RUNNING,
        wait_seconds: float = LOOKUP_SECONDS,
    ) -> None:
        """`limit` bounds how many names are looked up or queued, `running` how many look-ups run, `wait_seconds` how
        long an attempt waits for one."""
        self._asked = Shares(limit)
        self._turns = SharedTurns(running)
        self._ends = LoopTurns()
        self._resolve = resolve
        self._kept_seconds = kept_seconds
        self._clock = clock
        self._wait_seconds = wait_seconds
        self._running: dict[tuple[int, str], asyncio.Task[Sequence[str] | OSError]] = {}
        self._known: dict[str, tuple[float, Sequence[str]]] = {}

    async def addresses(self, host: str, port: int, holder: int = NOBODY) -> Sequence[str]:
        """The addresses of a host, for this holder of look-ups. Raises OSError if there are none, TimeoutError (which
        is one) if that is not known in time."""
        known = self._known.get(host)
        if known is not None and self._clock() < known[0]:
            return known[1]
        lookup = self._running.get((holder, host))
        if lookup is None:
            caller = alone(holder)
            if not self._asked.take(caller):
                raise OSError("too many names are being looked up")
            lookup = self._running[holder, host] = asyncio.ensure_future(self._look_up(host, port, caller))
        try:
            async with asyncio.timeout(self._wait_seconds):
                found = await asyncio.shield(lookup)
        except TimeoutError:
            await self._ends.turn(holder)
            raise
        if isinstance(found, OSError):
            raise found
        return found

    async def _look_up(self, host: str, port: int, caller: Caller) -> Sequence[str] | OSError:
        # Returned, not raised: everyone who waits may have left, and an exception that no task fetches is reported
        # as a fault.
        try:
            await self._turns.begin(caller)
            try:
                found = await self._resolve(host, port)
            finally:
                self._turns.end(caller)
        except OSError as error:
            return error
        except UnicodeError:
            return OSError("the name cannot be encoded")
        finally:
            del self._running[caller.tenant_id, host]
            self._asked.give_back(caller)
        self._keep(host, found)
        return found

    def _keep(self, host: str, found: Sequence[str]) -> None:
        now = self._clock()
        # All entries are kept equally long, so the oldest are the first to drop.
        for name in [name for name, (until, _) in self._known.items() if until <= now]:
            del self._known[name]
        if self._kept_seconds > 0:
            self._known[host] = (now + self._kept_seconds, found)

    async def close(self) -> None:
        running = list(self._running.values())
        for lookup in running:
            lookup.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def addresses_of(names: Names, host: str, port: int, holder: int = NOBODY) -> list[Address]:
    """The addresses of a host, which may be an address itself, each once. Raises as `Names.addresses` does."""
    if (address := literal(host)) is not None:
        return [address]
    found = await names.addresses(host, port, holder)
    try:
        return list(dict.fromkeys(map(ip_address, found)))
    except ValueError:
        raise OSError("the resolver gave something that is no address") from None


class SystemResolver:
    """The operating system's resolver on at most `threads` daemon threads. A look-up that hangs delays neither the end
    of the process nor, while threads are left, any other look-up."""

    def __init__(self, threads: int = MAX_RUNNING, look_up: Callable[..., list[Any]] = socket.getaddrinfo) -> None:
        """`look_up` is the system's blocking function."""
        self._look_up = look_up
        self._threads = asyncio.Semaphore(threads)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        await self._threads.acquire()
        result: asyncio.Future[Sequence[str]] = loop.create_future()

        def finish(found: Sequence[str], error: OSError | UnicodeError | None) -> None:
            # A thread that hangs counts until it ends, even if no task waits for it any more.
            self._threads.release()
            if result.done():
                return
            if error is None:
                result.set_result(found)
            else:
                result.set_exception(error)

        def look_up() -> None:
            found: Sequence[str] = ()
            failed: OSError | UnicodeError | None = None
            try:
                answers = self._look_up(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
                found = [str(sockaddr[0]) for *_, sockaddr in answers]
            except (OSError, UnicodeError) as error:
                failed = error
            try:
                loop.call_soon_threadsafe(finish, found, failed)
            except RuntimeError:
                return  # The loop was closed meanwhile: no task waits any more.

        try:
            threading.Thread(target=look_up, name="resolve", daemon=True).start()
        except RuntimeError:
            self._threads.release()
            raise OSError("no thread is left for a look-up") from None
        return await result
