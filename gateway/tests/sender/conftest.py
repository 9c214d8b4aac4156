import asyncio
import importlib.util
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pytest
import uvloop
from gateway.tests.patience import PATIENCE
from gateway.tests.worker_on_loop import WorkerOnLoop

from signalpost.domain.delivery.outcome import Outcome
from signalpost.domain.request import OutgoingRequest
from signalpost.sender.addresses import Guard, parse_allow_targets, parse_deny_targets, parse_nat64_prefixes
from signalpost.sender.resolver import Resolve
from signalpost.sender.sender import Sender, SenderSettings
from signalpost.sender.transport import Transport
from signalpost.workers.worker_transport import WorkerTransport
from signalpost.workers.workers import Workers

# Tests are imported without a package around them, so a neighbour is loaded by its place.
_place = Path(__file__).with_name("endpoint.py")
_spec = importlib.util.spec_from_file_location("endpoint", _place)
assert _spec is not None
assert _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
sys.modules["endpoint"] = _module
_spec.loader.exec_module(_module)

if TYPE_CHECKING:
    from gateway.tests.sender.endpoint import Endpoint, Turns

T = TypeVar("T")


class Run(Protocol):
    def __call__(self, scenario: Coroutine[Any, Any, T]) -> T: ...


class Client:
    """A transport under test. Counts what it tells. `travel` is how many seconds a request may be on its way to what
    makes the attempt and times it, on a machine that has much else to do."""

    def __init__(self, sender: Transport, travel: float) -> None:
        self.sender = sender
        self._travel = travel
        self._told: list[int] = []

    def start(self, request: OutgoingRequest, within: float | None = None) -> "asyncio.Future[Outcome]":
        """`within`: it is to end before a timer of so many seconds, set now, has its turn. However slow the machine is,
        it is so for both. Only then the time for the way back begins: after the whole process stood still, both timers
        are due at once, and the outcome is still to be sent."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Outcome] = loop.create_future()
        number = len(self._told)
        self._told.append(0)
        late = asyncio.Event()
        timers: list[asyncio.TimerHandle] = []
        if within is not None:
            timers.append(loop.call_later(within, lambda: timers.append(loop.call_later(self._travel, late.set))))

        def done(told: Outcome) -> None:
            self._told[number] += 1
            for timer in timers:
                timer.cancel()
            if late.is_set() and not outcome.done():
                outcome.set_exception(AssertionError(f"it did not end within {within} s"))
            elif not outcome.done():
                outcome.set_result(told)

        self.sender.send(request, done)
        assert self._told[number] == 0, "told from inside send()"
        return outcome

    async def attempt(self, request: OutgoingRequest, within: float | None = None) -> Outcome:
        await asyncio.sleep(0)  # a loop's own clock may stand still for as long as one of its turns takes
        async with asyncio.timeout(PATIENCE):
            return await self.start(request, within)

    def assert_each_told_once(self) -> None:
        assert self._told == [1] * len(self._told)


class Sending(Protocol):
    def __call__(
        self,
        *endpoints: "Endpoint",
        allow: str = ...,
        names: Mapping[str, Sequence[str]] | None = None,
        resolve: Resolve | None = None,
        clock: Callable[[], float] = time.monotonic,
        **settings: Any,
    ) -> AbstractAsyncContextManager[Client]: ...


@pytest.fixture(params=["uvloop", "asyncio"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a scenario on each kind of loop."""

    def runner(scenario: Coroutine[Any, Any, T]) -> T:
        factory = uvloop.new_event_loop if request.param == "uvloop" else None
        with asyncio.Runner(loop_factory=factory) as loop:
            return loop.run(scenario)

    return runner


@pytest.fixture
def turns() -> "Turns":
    """Counts the turns of the loop on which a sender is under test."""
    made: Turns = _module.Turns()
    return made


@pytest.fixture
def serve(turns: "Turns") -> Iterator[Callable[..., "Endpoint"]]:
    """Makes endpoints that are stopped with the test."""
    made: list[Endpoint] = []

    def maker(*args: Any, **kwargs: Any) -> "Endpoint":
        made.append(_module.Endpoint(*args, turns=turns, **kwargs))
        return made[-1]

    yield maker
    for endpoint in made:
        endpoint.stop()


@pytest.fixture(params=["alone", "with a worker"])
def sending(turns: "Turns", request: pytest.FixtureRequest) -> Sending:
    """Makes a transport that may call these endpoints, by the names given, and that has told everything
    exactly once when it is closed. A test that is about the time that an attempt has gives one; for all others it is
    more than a slow machine needs."""

    @asynccontextmanager
    async def maker(
        *endpoints: "Endpoint",
        allow: str = "",
        deny: str = "",
        nat64: str = "",
        names: Mapping[str, Sequence[str]] | None = None,
        resolve: Resolve | None = None,
        clock: Callable[[], float] = time.monotonic,
        **settings: Any,
    ) -> AsyncIterator[Client]:
        async def from_names(host: str, port: int) -> Sequence[str]:
            if host not in (names or {}):
                raise OSError("no such name")
            return (names or {})[host]

        for endpoint in endpoints:
            scheme, port = endpoint.target().scheme, endpoint.port
            allow += f",{scheme}://127.0.0.0/8:{port},{scheme}://[::1]:{port}"
        settings = {"names_kept_seconds": 0.0, "attempt_timeout": PATIENCE, "connect_timeout": PATIENCE, **settings}
        guard = Guard(parse_allow_targets(allow), parse_deny_targets(deny), parse_nat64_prefixes(nat64))

        def wall() -> int:
            return time.time_ns() // 1000

        def make_sender(settings: SenderSettings) -> Sender:
            return Sender(settings, loop=loop, wall=wall, resolve=resolve or from_names, clock=clock)

        loop = asyncio.get_running_loop()
        sender_settings = SenderSettings(guard=guard, **settings)
        sender: Transport
        if request.param == "alone":
            sender, travel = make_sender(sender_settings), 0.0
        else:
            travel = 1.0
            workers = Workers(1, loop=loop, start=lambda: WorkerOnLoop(make_sender))
            sender = transport = WorkerTransport(sender_settings, workers, loop=loop, wall=wall)
            await transport.open()
        client = Client(sender, travel)
        counting = asyncio.ensure_future(turns.keep_counting())
        try:
            yield client
        finally:
            await sender.close(0)
            counting.cancel()
            await asyncio.wait([counting])
        client.assert_each_told_once()

    return maker
