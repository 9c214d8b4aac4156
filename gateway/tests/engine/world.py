"""A world for the engine: virtual time, real SQLite, endpoints that do as a script says, crashes at any moment.

The engine in it is the real one. A `World` owns a database file and the endpoints; each `Life` is one process of the
gateway on that file. `World.run` lives one life and closes it in order; `World.crash` lives one and drops it.
"""

import asyncio
import itertools
import json
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import apsw
from gateway.tests.simulation.loop import VirtualClock, VirtualExecutor, VirtualLoop, VirtualTime

from signalpost.commands import command_queues
from signalpost.commands.documents import CreateDocument, DeleteDocument, PatchDocument
from signalpost.commands.overlay import Answer, Command
from signalpost.commands.replays import CancelReplay, StartReplay
from signalpost.commands.subscriptions import CreateSubscription, DeleteSubscription, PatchSubscription, RetryDelivery
from signalpost.domain.delivery import retry
from signalpost.domain.delivery.lane import BOUNDS
from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.delivery.replay import Replay, What
from signalpost.domain.documents.links import Links
from signalpost.domain.event import BY_WIRE, Event
from signalpost.domain.request import Request
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND
from signalpost.engine.engine import Engine
from signalpost.engine.lanes.log_cache import MAX_BYTES
from signalpost.engine.maintenance.disk_reserve import MB, DiskReserve
from signalpost.store.deliveries import Attempt
from signalpost.store.sqlite.codec import unpack_sequences
from signalpost.store.sqlite.store import Executors, SqliteStore
from signalpost.store.store import LaneFlush, LaneFlushed, LaneRow, LaneWanted, Published
from signalpost.store.vault import Vault

BEGINNING = 1_760_000_000 * SECOND
"""The wall clock when a world begins."""
ATTEMPT_TIMEOUT = 5.0
TENANT = 1
EVERYTHING = 7
FOREVER = 1e9
DISK_RESERVE_MB = 100

T = TypeVar("T")
R = TypeVar("R")


# --- Endpoints --------------------------------------------------------------------------------------------------------


class Reply(NamedTuple):
    """How an endpoint takes one request."""

    status: int = 200
    after: float = 0.01
    """Seconds; beyond the attempt's time it is a timeout."""
    retry_after: str | None = None
    failure: Failure | None = None
    """Instead of an answer."""


HANG = Reply(after=FOREVER)
REFUSED = Reply(failure=Failure.CONNECT)
BROKEN = Reply(status=500)


class RequestContext:
    """One request that an endpoint saw."""

    def __init__(self, host: str, request: Request, at: float, life: int) -> None:
        head = dict(line.split(": ", 1) for line in request.head.decode().split("\r\n")[1:] if line)
        self.host = host
        self.headers = head
        self.at = at
        """When it was sent, in seconds of virtual time."""
        self.life = life
        self.event_id = head["webhook-id"]
        self.sequence = int(head["signalpost-sequence"])
        self.attempt = int(head["signalpost-attempt"])
        self.replay = head.get("signalpost-replay") == "true"
        self.signed_at = int(head["webhook-timestamp"])
        self.body = request.body
        document = json.loads(request.body)["data"]["document"]
        self.document_id: str = document["externalId"]
        self.outcome: Outcome | None = None
        """None while it is under way, and for ever if a crash cut it."""
        self.ended_at: float | None = None

    @property
    def delivered(self) -> bool:
        return self.outcome is not None and self.outcome.failure is None

    def __repr__(self) -> str:
        return f"<{self.host} #{self.sequence} attempt {self.attempt} at {self.at:.3f} in life {self.life}>"


class Endpoint:
    """A receiver. `answer` may be replaced at any time."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.answer: Callable[[RequestContext], Reply] = lambda _call: Reply()
        self.calls: list[RequestContext] = []
        self.in_flight = 0
        self.in_flight_most = 0
        self.successes = 0
        self.documents: set[str] = set()
        """Those that have a request under way."""

    def answers(self, reply: Reply) -> None:
        self.answer = lambda _call: reply

    @property
    def sequences(self) -> list[int]:
        """What was delivered, in the order in which it was sent."""
        return [call.sequence for call in self.calls if call.delivered]

    def of(self, sequence: int) -> list[RequestContext]:
        return [call for call in self.calls if call.sequence == sequence]


class ScriptedTransport:
    """The network of one life."""

    def __init__(self, world: "World", loop: VirtualLoop) -> None:
        self._world = world
        self._loop = loop
        self._running: dict[int, Callable[[Outcome], None]] = {}
        self._next = 0
        self._closed = False
        self._cut = False
        self.in_flight_most = 0

    def send(self, request: Request, done: Callable[[Outcome], None]) -> None:
        assert not self._closed
        if self._cut:
            return
        endpoint = self._world.endpoint(request.target.host)
        call = RequestContext(endpoint.host, request, self._loop.time(), self._world.lives)
        assert call.document_id not in endpoint.documents, f"two of a document under way (C17): {call}"
        self._world.check(call)
        endpoint.calls.append(call)
        endpoint.documents.add(call.document_id)
        endpoint.in_flight += 1
        endpoint.in_flight_most = max(endpoint.in_flight_most, endpoint.in_flight)
        started_at = self._world.wall_at(self._loop.time())
        number = self._next
        self._next += 1

        def end(outcome: Outcome) -> None:
            del self._running[number]
            call.outcome, call.ended_at = outcome, self._loop.time()
            endpoint.documents.discard(call.document_id)
            endpoint.in_flight -= 1
            endpoint.successes += call.delivered
            self._world.on_end(call)
            done(outcome)

        reply = endpoint.answer(call)
        outcome = _outcome(reply, started_at)
        self._running[number] = end
        self.in_flight_most = max(self.in_flight_most, len(self._running))
        self._loop.call_later(outcome.elapsed_us / SECOND, self._end, number, outcome)

    def _end(self, number: int, outcome: Outcome) -> None:
        end = self._running.get(number)
        if end is not None:
            end(outcome)

    def cut(self) -> None:
        """Nothing comes through any more, and nobody is told."""
        self._cut = True
        self._running.clear()

    async def close(self, grace: float) -> None:
        deadline = self._loop.time() + grace
        while self._running and self._loop.time() < deadline:
            await asyncio.sleep(0.01)
        for end in list(self._running.values()):
            end(Outcome(failure=Failure.INTERRUPTED, detail="cut", started_at=self._world.wall_at(self._loop.time())))
        self._closed = True


def _outcome(reply: Reply, started_at: int) -> Outcome:
    if reply.after >= ATTEMPT_TIMEOUT:
        elapsed = round(ATTEMPT_TIMEOUT * SECOND)
        return Outcome(failure=Failure.TIMEOUT, detail="no answer", started_at=started_at, elapsed_us=elapsed)
    elapsed = round(reply.after * SECOND)
    if reply.failure is not None:
        return Outcome(failure=reply.failure, detail="none", started_at=started_at, elapsed_us=elapsed)
    return Outcome(
        failure=None if 200 <= reply.status < 300 else Failure.STATUS,
        status=reply.status,
        detail="",
        retry_after=reply.retry_after,
        started_at=started_at,
        elapsed_us=elapsed,
    )


# --- The store --------------------------------------------------------------------------------------------------------


class Faults:
    """What goes wrong with the store meanwhile: an error that it raises instead of doing its work."""

    def __init__(self) -> None:
        self.publish: Exception | None = None
        self.record: Exception | None = None
        self.read: Exception | None = None
        self.prune: Exception | None = None
        self.slow_word = 0.0
        """Seconds between a commit of commands and the word of it."""
        self.late_read = 0.0
        """Seconds until a read of the log or of a lane looks."""
        self.slow_read = 0.0
        """Seconds that a read of the log or of a lane takes after it looked."""
        self.slow_pages: list[float] = []
        """The same for the next pages of the log, one by one."""


class FaultyStore(SqliteStore):
    """SQLite, with faults to order, and a count of what is asked of it."""

    def __init__(self, faults: Faults, *args: Any) -> None:
        super().__init__(*args)
        self._faults = faults
        self.pages_read = 0
        self.bodies_read = 0
        self.refills = 0

    async def publish(self, commands: Sequence[Command]) -> Published:
        if self._faults.publish is not None:
            raise self._faults.publish
        published = await super().publish(commands)
        await asyncio.sleep(self._faults.slow_word)
        return published

    async def record(self, flushes: Sequence[LaneFlush]) -> dict[int, LaneFlushed]:
        if self._faults.record is not None:
            raise self._faults.record
        self.refills += sum(flush.refill > 0 for flush in flushes)
        return await super().record(flushes)

    async def prune_log(self, tenant_id: int, floor: int, limit: int) -> int:
        if self._faults.prune is not None:
            raise self._faults.prune
        return await super().prune_log(tenant_id, floor, limit)

    async def _slowly(self, read: Awaitable[R]) -> R:
        if self._faults.late_read:
            await asyncio.sleep(self._faults.late_read)
        found = await read
        if self._faults.read is not None:
            raise self._faults.read
        await asyncio.sleep(self._faults.slow_read)
        return found

    async def events_after(self, tenant_id: int, sequence: int, limit: int) -> list[Event]:
        self.pages_read += 1
        page = await self._slowly(super().events_after(tenant_id, sequence, limit))
        if self._faults.slow_pages:
            await asyncio.sleep(self._faults.slow_pages.pop(0))
        return page

    async def event_bodies(self, tenant_id: int, sequences: Sequence[int]) -> list[Event]:
        self.bodies_read += len(sequences)
        return await self._slowly(super().event_bodies(tenant_id, sequences))

    async def load_lanes(self, wanted: Sequence[LaneWanted]) -> dict[int, LaneRow]:
        return await self._slowly(super().load_lanes(wanted))


# --- Lives ------------------------------------------------------------------------------------------------------------


class Life:
    """One process of the gateway, from its start to its end."""

    def __init__(self, world: "World", loop: VirtualLoop, retention_days: int, cache_bytes: int) -> None:
        self.world = world
        self.loop = loop
        self.turns_left = -1
        """Turns of the event loop until a crash; below 0, none comes."""
        self.clock = VirtualClock(world, loop)
        self.transport = ScriptedTransport(world, loop)
        inline = VirtualExecutor()
        self.store = FaultyStore(
            world.faults,
            world.path,
            Vault(bytes(32)),
            Links(b"", ""),
            self.clock.wall,
            world.random.getrandbits,
            Executors(inline, inline, inline),
            _not_broken,
        )
        self.engine = Engine(
            self.store,
            self.transport,
            self.clock,
            world.random,
            retention_days,
            DiskReserve(DISK_RESERVE_MB, world.free_bytes, inline, world.look_every),
            cache_bytes=cache_bytes,
            lane_bounds=world.bounds,
        )

    async def submit(self, *commands: Command) -> list[Answer]:
        """All in one go: as the engine is idle, the first makes a batch and the others the next."""
        return await asyncio.gather(*(self.engine.submit(command) for command in commands))

    async def subscribe(self, host: str, **given: Any) -> Subscription:
        await self.submit(self.world.subscription(host, **given))
        return self.of(host)

    async def change(self, host: str, **checked: Any) -> Subscription:
        await self.submit(PatchSubscription(tenant_id=TENANT, subscription_id=self.world.ids[host], checked=checked))
        return self.of(host)

    async def unsubscribe(self, host: str) -> None:
        await self.submit(DeleteSubscription(tenant_id=TENANT, subscription_id=self.world.ids[host]))

    async def create(self, *names: str) -> None:
        """One new document for each name."""
        await self._change([self.world.create(name) for name in names])

    async def update(self, name: str, times: int = 1) -> None:
        await self._change([self.world.update(name) for _ in range(times)])

    async def _change(self, commands: list[Command]) -> None:
        """As many at a time as may wait."""
        most = command_queues.MOST[command_queues.Queue.DOCUMENT] // 2
        for begin in range(0, len(commands), most):
            await self.submit(*commands[begin : begin + most])

    async def retry(self, host: str, sequence: int) -> None:
        (event,) = await self.store.event_bodies(TENANT, [sequence])
        await self.submit(
            RetryDelivery(
                tenant_id=TENANT,
                subscription_id=self.world.ids[host],
                sequence=sequence,
                event_type=event.type,
                event_document_id=event.document_id,
            )
        )

    async def replay(self, host: str, what: What, first: int = 1, last: int = 1 << 40) -> str:
        """Start a replay of these sequences as the API does, and give its id."""
        subscription = self.of(host)
        last = min(last, self.engine.head(subscription))
        count, capped = await self.store.count_replayable(subscription, first, last, what)
        identity = self.world.uuid(f"r{len(self.world.replays)}-{host}"[:16])
        self.world.replays.append(identity)
        await self.submit(
            StartReplay(
                tenant_id=TENANT,
                subscription_id=subscription.id,
                replay_id=identity,
                what=what,
                from_at=0,
                to_at=self.clock.wall(),
                from_sequence=first,
                to_sequence=last,
                count=count,
                count_is_capped=capped,
            )
        )
        return identity

    async def cancel(self, host: str, replay_id: str) -> None:
        await self.submit(CancelReplay(tenant_id=TENANT, subscription_id=self.of(host).id, replay_id=replay_id))

    async def replay_of(self, host: str, replay_id: str) -> Replay:
        """As the API shows it."""
        found = await self.store.replay(self.of(host), replay_id)
        assert found is not None
        return found

    def of(self, host: str) -> Subscription:
        found = self.engine.subscription(TENANT, self.world.ids[host])
        assert found is not None
        return found

    def health(self, host: str) -> dict[str, Any]:
        return self.engine.health(self.of(host))

    async def until(self, condition: Callable[[], bool], within: float = 10_000.0, every: float = 0.05) -> None:
        """Let time pass until the condition holds."""
        deadline = self.loop.time() + within
        while not condition():
            assert self.loop.time() < deadline, "it did not happen in time"
            await asyncio.sleep(every)

    async def until_recorded(self) -> None:
        """Let what just ended be recorded."""
        await asyncio.sleep(0.2)

    async def log(self) -> list[Event]:
        events: list[Event] = []
        while page := await SqliteStore.events_after(self.store, TENANT, events[-1].sequence if events else 0, 10_000):
            events += page
        return events

    def attempts(self, host: str, sequence: int) -> list[Attempt]:
        return self.world.attempts(host, sequence)


def _not_broken(error: BaseException) -> None:
    raise AssertionError("the disk broke") from error


class LaneColumns(NamedTuple):
    version: int
    head: int
    open: list[int]
    health: dict[str, Any]


class DeliveryColumns(NamedTuple):
    sequence: int
    state: int
    due: int
    failed_attempts: int
    run: int


class World:
    def __init__(self, path: Path, seed: int = 1, logs: list[MutableMapping[str, Any]] | None = None) -> None:
        self.path = path
        self.logs = [] if logs is None else logs
        self.random = random.Random(seed)
        self.faults = Faults()
        self.lives = 0
        self.now = 1_000.0
        """Seconds of virtual time, between lives."""
        self.wall_step = 0
        """µs by which the wall clock was stepped."""
        self.endpoints: dict[str, Endpoint] = {}
        self.ids: dict[str, str] = {}
        """Subscriptions by the host that they send to first."""
        self.replays: list[str] = []
        """Those that were started."""
        self.checks: list[Callable[[RequestContext], None]] = []
        """Asked before every call; they raise where it must not be made."""
        self.on_end: Callable[[RequestContext], None] = lambda _call: None
        self.disk_free = 2 * DISK_RESERVE_MB * MB
        self.bounds = BOUNDS
        """How much of each lane a life keeps in memory."""
        self.look_every = 600.0
        """Seconds between two looks at it: days pass in some worlds."""
        self._titles = 0
        self._errors: list[Mapping[str, Any]] = []

    def wall_at(self, time: float) -> int:
        return BEGINNING + round(time * SECOND) + self.wall_step

    def uuid(self, name: str) -> str:
        """A name's own, always the same."""
        digits = f"{int.from_bytes(name.encode()[-16:], 'big'):032x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def endpoint(self, host: str) -> Endpoint:
        return self.endpoints.setdefault(host, Endpoint(host))

    def free_bytes(self) -> int:
        """What the disk says. Raises OSError where `disk_free` is negative."""
        if self.disk_free < 0:
            raise OSError("the disk does not answer")
        return self.disk_free

    def logged(self, level: str, words: str) -> int:
        """How often something with these words was logged at that level."""
        return sum(entry["log_level"] == level and words in entry["event"] for entry in self.logs)

    def check(self, call: RequestContext) -> None:
        for check in self.checks:
            check(call)

    # --- Commands -----------------------------------------------------------------------------------------------------

    def subscription(
        self, host: str, types: int = EVERYTHING, delays: tuple[int, ...] = retry.DELAYS, **given: Any
    ) -> CreateSubscription:
        self.ids[host] = self.uuid(f"s{len(self.ids)}-{host}"[:16])
        return CreateSubscription(
            tenant_id=TENANT,
            subscription_id=self.ids[host],
            checked={"url": f"https://{host}/hook", "eventTypes": types, **given},
            secret="not a secret",
            retry_delays=delays,
        )

    def create(self, name: str) -> CreateDocument:
        checked = {"type": "letter", "title": name, "ownerEmail": "o@example.com", "authorEmail": "a@example.com"}
        return CreateDocument(tenant_id=TENANT, document_id=self.uuid(name), checked=checked, source_app="test")

    def update(self, name: str) -> PatchDocument:
        self._titles += 1
        return PatchDocument(tenant_id=TENANT, document_id=self.uuid(name), checked={"title": f"no. {self._titles}"})

    def delete(self, name: str) -> DeleteDocument:
        return DeleteDocument(tenant_id=TENANT, document_id=self.uuid(name))

    # --- What the database says ---------------------------------------------------------------------------------------

    def query(self, statement: str, *bindings: Any) -> list[Any]:
        connection = apsw.Connection(str(self.path))
        connection.set_busy_timeout(1_000)
        try:
            return connection.execute(statement, bindings).fetchall()
        finally:
            connection.close()

    def _number(self, host: str) -> int:
        packed = bytes.fromhex(self.ids[host].replace("-", ""))
        return int(self.query("SELECT number FROM subscription WHERE id = ?", packed)[0][0])

    def lane(self, host: str) -> LaneColumns:
        ((version, head, packed, health),) = self.query(
            "SELECT version, head, open, health FROM lane WHERE subscription_number = ?", self._number(host)
        )
        return LaneColumns(version, head, unpack_sequences(packed), json.loads(health))

    def deliveries(self, host: str) -> dict[int, DeliveryColumns]:
        """The exception rows of a subscription, by sequence."""
        statement = "SELECT sequence, state, due, charged, run FROM delivery WHERE subscription_number = ?"
        return {row[0]: DeliveryColumns(*row) for row in self.query(statement, self._number(host))}

    def attempts(self, host: str, sequence: int) -> list[Attempt]:
        statement = (
            "SELECT sequence, started_at, elapsed_us, number, run, counted, status, failure, detail, answer"
            " FROM attempt WHERE subscription_number = ? AND sequence = ? ORDER BY started_at"
        )
        return [Attempt(*row) for row in self.query(statement, self._number(host), sequence)]

    # --- Lives --------------------------------------------------------------------------------------------------------

    def run(
        self,
        scenario: Callable[[Life], Awaitable[T]],
        *,
        retention_days: int = 30,
        cache_bytes: int = MAX_BYTES,
        grace: float = 6.0,
    ) -> T:
        """Live one life through a scenario, then close it."""
        result: list[T] = []

        async def main(life: Life) -> None:
            result.append(await scenario(life))
            await life.engine.close(grace)

        self._live(main, retention_days, cache_bytes, None)
        return result[0]

    def crash(
        self,
        scenario: Callable[[Life], Awaitable[object]],
        *,
        turns: int | None = None,
        retention_days: int = 30,
        cache_bytes: int = MAX_BYTES,
    ) -> bool:
        """Live one life through a scenario, and drop it: at its end, or after so many turns of the event loop. Tells
        whether the scenario ended."""
        ended = False

        async def main(life: Life) -> None:
            nonlocal ended
            await scenario(life)
            ended = True

        self._live(main, retention_days, cache_bytes, turns)
        return ended

    def _live(
        self,
        main: Callable[[Life], Awaitable[None]],
        retention_days: int,
        cache_bytes: int,
        turns: int | None,
    ) -> None:
        self.lives += 1
        loop = VirtualLoop(VirtualTime(self.now))
        loop.set_exception_handler(lambda _loop, context: self._errors.append(context))
        life = Life(self, loop, retention_days, cache_bytes)

        async def whole() -> None:
            await life.engine.start()
            await main(life)

        task = loop.create_task(whole())
        life.turns_left = -1 if turns is None else turns
        try:
            while not task.done() and life.turns_left != 0:
                life.turns_left -= 1
                loop.step()
            if task.done():
                task.result()
        finally:
            self.now = loop.time()
            self._bury(loop, life)
        errors, self._errors = self._errors, []
        assert not errors, errors

    def _bury(self, loop: VirtualLoop, life: Life) -> None:
        """Nothing of a life that ended reaches the file or the network any more."""
        for connection in (*life.store.readers.connections, life.store.writer._connection):
            connection.close()
        life.store.writer._checkpoint_connection.close()
        life.transport.cut()
        loop.set_exception_handler(lambda _loop, _context: None)
        logged = len(self.logs)
        loop.call_soon(loop.stop)
        loop.run_forever()  # it may have been about to stop
        while tasks := asyncio.all_tasks(loop):
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        del self.logs[logged:]
        for endpoint in self.endpoints.values():
            endpoint.documents.clear()
            endpoint.in_flight = 0
        loop.close()


def types(*names: str) -> int:
    """Event types by their wire names, as bits."""
    return sum(BY_WIRE[name] for name in names)


def seconds_between(calls: Iterable[RequestContext]) -> list[float]:
    """From the end of each call to the start of the next."""
    listed = list(calls)
    return [later.at - (earlier.ended_at or 0.0) for earlier, later in itertools.pairwise(listed)]
