"""A world for scenarios: tests say what clients do and what each endpoint answers, and look at the database.

A `ScriptedWorld` owns a database file and the endpoints. Each `RunningGateway` is one process of the gateway on that
file, with shorthands for what clients ask of it. `ScriptedWorld.run` starts one, has it go through a scenario, and
closes it in order; `ScriptedWorld.crash` kills it instead.
"""

import asyncio
import itertools
import json
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import apsw
from gateway.tests.bodies import document_patch, new_document, subscription_patch, subscription_request
from gateway.tests.world.folder import with_tables
from gateway.tests.world.network import Reply, SentRequest, Vendor
from gateway.tests.world.process import Machine, Process
from gateway.tests.world.store import Operation, StoreFaults
from gateway.tests.world.world import World

from signalpost.commands.command import Command, CommandOutcome
from signalpost.commands.connections import CreateConnection, KeepGrant, PatchConnection
from signalpost.commands.deliveries import RetryDelivery
from signalpost.commands.documents import CreateDocument, DeleteDocument, PatchDocument
from signalpost.commands.replays import CancelReplay, StartReplay
from signalpost.commands.shadows import CreateShadow, PromoteShadow
from signalpost.commands.subscriptions import (
    CreateConnectorSubscription,
    CreateSubscription,
    DeleteSubscription,
    PatchSubscription,
)
from signalpost.domain.beginning import Beginning
from signalpost.domain.connection import Connection, Granted
from signalpost.domain.delivery import retry
from signalpost.domain.delivery.lane_bounds import BOUNDS
from signalpost.domain.delivery.replay import Replay, ReplayChoice, ReplayRange, What
from signalpost.domain.event import BY_WIRE, Event
from signalpost.domain.shadow import ShadowRequest
from signalpost.domain.subscription import Subscription, names_of
from signalpost.engine.lanes.log_cache import MAX_BYTES
from signalpost.engine.maintenance.disk_reserve import MB
from signalpost.engine.settings import EngineSettings
from signalpost.engine.tracing.traces import Exporter, Traces
from signalpost.sharing import command_queues
from signalpost.store.nouns.deliveries import AttemptRow
from signalpost.store.packing.sequences import unpack_sequences
from signalpost.store.sqlite.nouns.log import SqliteLog

TENANT = 1
EVERYTHING = 7
DISK_RESERVE_MB = 100

T = TypeVar("T")


# --- Endpoints --------------------------------------------------------------------------------------------------------


class Endpoint:
    """A receiver. `answer` may be replaced at any time."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.answer: Callable[[SentRequest], Reply] = lambda _call: Reply()
        self.calls: list[SentRequest] = []
        self.in_flight = 0
        self.max_in_flight = 0
        self.successes = 0
        self.documents: set[str] = set()
        """The documents that have a request under way."""

    def answers(self, reply: Reply) -> None:
        """Answer every request alike from now on."""
        self.answer = lambda _call: reply

    @property
    def sequences(self) -> list[int]:
        """What was delivered, in the order in which it was sent."""
        return [call.sequence for call in self.calls if call.is_delivered]

    def of(self, sequence: int) -> list[SentRequest]:
        """The requests with this event."""
        return [call for call in self.calls if call.sequence == sequence]

    def lose_process(self) -> None:
        """Forget what a process had under way that has ended."""
        self.documents.clear()
        self.in_flight = 0


# --- The store --------------------------------------------------------------------------------------------------------


class OrderedFaults(StoreFaults):
    """What goes wrong with the store while the test wants it to: errors to raise, and delays in seconds."""

    def __init__(self) -> None:
        self.publish: Exception | None = None
        self.record: Exception | None = None
        self.read: Exception | None = None
        self.prune: Exception | None = None
        self.late_prune = 0.0
        """How long a slice of the retention waits before it begins."""
        self.slow_record = 0.0
        """How long a record takes."""
        self.slow_word = 0.0
        """How long the engine learns nothing of a commit of commands."""
        self.late_publish = 0.0
        """How long a commit of commands waits before it begins."""
        self.late_read = 0.0
        """How long a read of the log or of a lane waits before it looks."""
        self.slow_read = 0.0
        """How long a read of the log or of a lane takes after it looked."""
        self.slow_pages: list[float] = []
        """How much longer each of the next reads of a part of the log takes."""

    async def before(self, operation: Operation) -> None:
        match operation:
            case Operation.PUBLISH:
                if self.late_publish:
                    await asyncio.sleep(self.late_publish)
                error = self.publish
            case Operation.RECORD:
                error = self.record
                await asyncio.sleep(self.slow_record)
            case Operation.PRUNE:
                error = self.prune
                await asyncio.sleep(self.late_prune)
            case _:
                error = None
                if self.late_read:
                    await asyncio.sleep(self.late_read)
        if error is not None:
            raise error.with_traceback(None)  # else its traceback would grow each time

    async def after(self, operation: Operation) -> None:
        match operation:
            case Operation.PUBLISH:
                await asyncio.sleep(self.slow_word)
            case Operation.PAGE | Operation.BODIES | Operation.LANES | Operation.MADE:
                if self.read is not None:
                    raise self.read.with_traceback(None)
                await asyncio.sleep(self.slow_read)
        if operation is Operation.PAGE and self.slow_pages:
            await asyncio.sleep(self.slow_pages.pop(0))


# --- The gateway ------------------------------------------------------------------------------------------------------


class RunningGateway(Process):
    """One process of the gateway in a scripted world."""

    world: "ScriptedWorld"

    def __init__(self, world: "ScriptedWorld", settings: EngineSettings) -> None:
        super().__init__(
            world,
            world.path,
            Machine(
                world.faults,
                disk_reserve_mb=DISK_RESERVE_MB,
                free_bytes=world.free_bytes,
                look_every=world.look_every,
            ),
            settings,
        )
        self.turns_left = -1
        """The turns of the event loop until it is killed; below 0, it is not."""

    def _traces(self) -> Traces | None:
        spans = self.world.spans
        return None if spans is None else Traces(spans, self.clock, failures=self.world.traced_failures)

    async def submit(self, *commands: Command[Any]) -> list[CommandOutcome[Any]]:
        """All in one go: as the engine is idle, the first makes a batch and the others the next."""
        return await asyncio.gather(*(self.engine.submit(command) for command in commands))

    async def subscribe(self, host: str, **given: Any) -> Subscription:
        await self.submit(self.world.subscription(host, **given))
        return self.of(host)

    async def connect(
        self, name: str, *, kind: str = "fake", granted: Granted | None = None, **config: Any
    ) -> Connection:
        """Make a connection to the fake vendor."""
        self.world.ids[name] = self.world.uuid(name)
        await self.submit(
            CreateConnection(
                tenant_id=TENANT,
                connection_id=self.world.ids[name],
                kind=kind,
                name=name,
                config=config,
                needs_consent=config.get("signIn") == "consent",
            )
        )
        if granted is not None:
            await self.submit(
                KeepGrant(tenant_id=TENANT, connection_id=self.world.ids[name], granted=granted, of_grant_version=0)
            )
        return self.connection(name)

    async def reconnect(self, name: str, **config: Any) -> None:
        """Give a connection another config."""
        found = self.connection(name)
        await self.submit(
            PatchConnection(
                tenant_id=TENANT,
                connection_id=found.id,
                config=config,
                url="https://vendor.example",
                needs_consent=config.get("signIn") == "consent",
                of_version=found.version,
            )
        )

    def connection(self, name: str) -> Connection:
        found = self.engine.directory.connection(TENANT, self.world.ids[name])
        assert found is not None
        return found

    async def deliver(
        self, name: str, connection: str, types: int = EVERYTHING, *, kind: str = "fake", **given: Any
    ) -> Subscription:
        """Subscribe the fake vendor, under a name, through a connection."""
        self.world.ids[name] = self.world.uuid(f"s-{name}")
        await self.submit(
            CreateConnectorSubscription(
                tenant_id=TENANT,
                subscription_id=self.world.ids[name],
                kind=kind,
                connection_id=self.world.ids[connection],
                url="https://vendor.example",
                name=name,
                event_types=names_of(types),
                retry_delays=given.pop("delays", retry.DELAYS),
                config=given.pop("config", {}),
                **given,
            )
        )
        return self.of(name)

    async def change(self, host: str, **given: Any) -> Subscription:
        found, patch = self.of(host), subscription_patch(**given)
        await self.submit(
            PatchSubscription(tenant_id=TENANT, subscription_id=found.id, patch=patch, shadow_of=found.shadow_of)
        )
        return self.of(host)

    async def shadow(self, host: str, of: str, **given: Any) -> Subscription:
        """Have a host be the shadow of another."""
        self.world.ids[host] = self.world.uuid(f"s{len(self.world.ids)}-{host}"[:16])
        new = ShadowRequest(shadow_of=self.world.ids[of], url=f"https://{host}/hook", **given)
        await self.submit(
            CreateShadow(tenant_id=TENANT, subscription_id=self.world.ids[host], new=new, secret="not a secret either")
        )
        return self.of(host)

    async def promote(self, host: str) -> None:
        found = self.of(host)
        assert found.shadow_of is not None
        await self.submit(PromoteShadow(tenant_id=TENANT, subscription_id=found.id, shadow_of=found.shadow_of))

    async def move(self, name: str, connection: str) -> None:
        """Have a subscription deliver through another connection."""
        await self.submit(
            PatchSubscription(
                tenant_id=TENANT,
                subscription_id=self.world.ids[name],
                patch=subscription_patch(connection=self.world.ids[connection]),
                url="https://vendor.example",
            )
        )

    async def unsubscribe(self, host: str) -> None:
        await self.submit(DeleteSubscription(tenant_id=TENANT, subscription_id=self.world.ids[host]))

    async def create(self, *names: str) -> None:
        """Create a new document for each name."""
        await self._change([self.world.create(name) for name in names])

    async def update(self, name: str, times: int = 1) -> None:
        await self._change([self.world.update(name) for _ in range(times)])

    async def _change(self, commands: list[Command[Any]]) -> None:
        """Submit document changes, as many at a time as may wait."""
        most = command_queues.MAX_WAITING[command_queues.Queue.DOCUMENT] // 2
        for begin in range(0, len(commands), most):
            await self.submit(*commands[begin : begin + most])

    async def retry(self, host: str, sequence: int) -> None:
        (event,) = await self.store.log.events(TENANT, [sequence])
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
        last = min(last, self.engine.lanes.views.head(subscription))
        count, capped = await self.store.replays.count(subscription, first, last, ReplayChoice(what))
        identity = self.world.uuid(f"r{len(self.world.replays)}-{host}"[:16])
        self.world.replays.append(identity)
        await self.submit(
            StartReplay(
                tenant_id=TENANT,
                subscription_id=subscription.id,
                replay_id=identity,
                choice=ReplayChoice(what),
                range=ReplayRange(from_at=0, to_at=self.clock.wall(), from_sequence=first, to_sequence=last),
                count=count,
                count_is_capped=capped,
            )
        )
        return identity

    async def cancel(self, host: str, replay_id: str) -> None:
        await self.submit(CancelReplay(tenant_id=TENANT, subscription_id=self.of(host).id, replay_id=replay_id))

    async def replay_of(self, host: str, replay_id: str) -> Replay:
        """Read a replay as the API shows it."""
        found = await self.store.replays.get(self.of(host), replay_id)
        assert found is not None
        return found

    def of(self, host: str) -> Subscription:
        found = self.engine.directory.subscription(TENANT, self.world.ids[host])
        assert found is not None
        return found

    def health(self, host: str) -> dict[str, Any]:
        lane = self.engine.lanes.views.here(self.of(host))
        assert lane is not None
        return lane.shown()

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
        while True:
            last = events[-1].sequence if events else 0
            page = await SqliteLog.after(self.store.log, TENANT, last, 10_000)
            if not page.events:
                return events
            events += page.events

    def attempts(self, host: str, sequence: int) -> list[AttemptRow]:
        return self.world.attempts(host, sequence)


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


class ScriptedWorld(World[RunningGateway]):
    """The database, the endpoints, and what goes wrong."""

    def __init__(self, path: Path, seed: int = 1, logs: list[dict[str, Any]] | None = None) -> None:
        super().__init__(random.Random(seed))
        with_tables().write(path)
        self.path = path
        self.logs = [] if logs is None else logs
        self.faults = OrderedFaults()
        self.endpoints: dict[str, Endpoint] = {}
        self.ids: dict[str, str] = {}
        """The ids of subscriptions, by the host that each sends to first."""
        self.replays: list[str] = []
        """The ids of all replays that were started."""
        self.checks: list[Callable[[SentRequest], None]] = []
        """Called before every request; they raise where it must not be made."""
        self.on_end: Callable[[SentRequest], None] = lambda _call: None
        self.disk_free = 2 * DISK_RESERVE_MB * MB
        self.bounds = BOUNDS
        """How much of each lane a process keeps in memory."""
        self.rest_after = 300.0
        """After how many seconds without anything to do a lane of a process rests."""
        self.gateway_kind = RunningGateway
        """What is started as a gateway: a subclass may have another clock."""
        self.look_every = 600.0
        """The seconds between two looks at the disk, and at what is wrong."""
        self.spans: Exporter | None = None
        """Where the spans of its processes go; None if they make none."""
        self.traced_failures = 0
        """How many failed attempts of untraced events a second are traced."""
        self.vendors: dict[str, Vendor] = {}
        self._titles = 0
        self._errors: list[Mapping[str, Any]] = []

    def uuid(self, name: str) -> str:
        """The id that belongs to a name, always the same."""
        digits = f"{int.from_bytes(name.encode()[-16:], 'big'):032x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def endpoint(self, host: str) -> Endpoint:
        return self.endpoints.setdefault(host, Endpoint(host))

    def free_bytes(self) -> int:
        """How much of the disk is free. Raises OSError if `disk_free` is negative."""
        if self.disk_free < 0:
            raise OSError("the disk does not answer")
        return self.disk_free

    def logged(self, level: str, words: str) -> int:
        """How often something with these words was logged at that level."""
        return sum(entry["level"] == level and words in entry["message"] for entry in self.logs)

    # --- What happens -------------------------------------------------------------------------------------------------

    def receiver(self, host: str) -> Endpoint:
        return self.endpoint(host)

    def vendor(self, host: str) -> Vendor | None:
        return self.vendors.get(host)

    def sent(self, sent: SentRequest) -> None:
        endpoint = self.endpoint(sent.host)
        assert sent.document_id not in endpoint.documents, f"two of a document under way (C17): {sent}"
        for check in self.checks:
            check(sent)
        endpoint.calls.append(sent)
        endpoint.documents.add(sent.document_id)
        endpoint.in_flight += 1
        endpoint.max_in_flight = max(endpoint.max_in_flight, endpoint.in_flight)

    def ended(self, sent: SentRequest) -> None:
        endpoint = self.endpoint(sent.host)
        endpoint.documents.discard(sent.document_id)
        endpoint.in_flight -= 1
        endpoint.successes += sent.is_delivered
        self.on_end(sent)

    def unhandled(self, process: RunningGateway, context: dict[str, Any]) -> None:
        self._errors.append(context)

    def database_broke(self, process: RunningGateway, error: BaseException) -> None:
        raise AssertionError("the disk broke") from error

    # --- Commands -----------------------------------------------------------------------------------------------------

    def subscription(
        self,
        host: str,
        types: int = EVERYTHING,
        delays: tuple[int, ...] = retry.DELAYS,
        begins: Beginning | None = None,
        **given: Any,
    ) -> CreateSubscription:
        self.ids[host] = self.uuid(f"s{len(self.ids)}-{host}"[:16])
        return CreateSubscription(
            tenant_id=TENANT,
            subscription_id=self.ids[host],
            new=subscription_request(url=f"https://{host}/hook", eventTypes=types, **given),
            secret="not a secret",
            retry_delays=delays,
            begins=begins,
        )

    def create(self, name: str) -> CreateDocument:
        new = new_document(type="letter", title=name, ownerEmail="o@example.com", authorEmail="a@example.com")
        return CreateDocument(tenant_id=TENANT, document_id=self.uuid(name), new=new, source_app="test")

    def update(self, name: str) -> PatchDocument:
        self._titles += 1
        patch = document_patch(title=f"no. {self._titles}")
        return PatchDocument(tenant_id=TENANT, document_id=self.uuid(name), patch=patch)

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
        statement = "SELECT sequence, state, due, failed_attempts, run FROM delivery WHERE subscription_number = ?"
        return {row[0]: DeliveryColumns(*row) for row in self.query(statement, self._number(host))}

    def attempts(self, host: str, sequence: int) -> list[AttemptRow]:
        statement = (
            "SELECT sequence, started_at, elapsed_us, number, run, counted, status, failure, detail, answer"
            " FROM attempt WHERE subscription_number = ? AND sequence = ? ORDER BY started_at"
        )
        return [AttemptRow(*row) for row in self.query(statement, self._number(host), sequence)]

    # --- Processes ----------------------------------------------------------------------------------------------------

    def run(
        self,
        scenario: Callable[[RunningGateway], Awaitable[T]],
        *,
        retention_days: int = 30,
        cache_bytes: int = MAX_BYTES,
        grace: float = 6.0,
    ) -> T:
        """Start a process, have it go through a scenario, and close it."""
        result: list[T] = []

        async def main(gateway: RunningGateway) -> None:
            result.append(await scenario(gateway))
            await gateway.engine.close(grace)
            await asyncio.sleep(0)  # so that whoever waited for an attempt learns that it was cut

        self._drive(main, self._settings(retention_days, cache_bytes))
        return result[0]

    def crash(
        self,
        scenario: Callable[[RunningGateway], Awaitable[object]],
        *,
        turns: int = -1,
        retention_days: int = 30,
        cache_bytes: int = MAX_BYTES,
    ) -> bool:
        """Start a process, have it go through a scenario, and kill it: when that is over, or after so many turns of the
        event loop. Returns whether the scenario was over."""
        is_over = False

        async def main(gateway: RunningGateway) -> None:
            nonlocal is_over
            await scenario(gateway)
            is_over = True

        self._drive(main, self._settings(retention_days, cache_bytes), turns)
        return is_over

    def _settings(self, retention_days: int, cache_bytes: int) -> EngineSettings:
        return EngineSettings(
            retention_days=retention_days,
            cache_bytes=cache_bytes,
            lane_bounds=self.bounds,
            rest_after=self.rest_after,
            look_every=self.look_every,
        )

    def _drive(
        self, main: Callable[[RunningGateway], Awaitable[None]], settings: EngineSettings, turns: int = -1
    ) -> None:
        gateway = self.gateway_kind(self, settings)

        async def whole() -> None:
            await gateway.engine.start()
            await main(gateway)

        task = gateway.loop.create_task(whole())
        gateway.turns_left = turns
        try:
            while not task.done() and gateway.turns_left != 0:
                gateway.turns_left -= 1
                gateway.loop.step()
            if task.done():
                task.result()
        finally:
            self._kill(gateway)
        errors, self._errors = self._errors, []
        assert not errors, errors

    def _kill(self, gateway: RunningGateway) -> None:
        logged = len(self.logs)
        gateway.kill()
        del self.logs[logged:]  # what is cancelled may say so, which a killed process does not
        for endpoint in self.endpoints.values():
            endpoint.lose_process()


def types(*names: str) -> int:
    """Event types by their wire names, as bits."""
    return sum(BY_WIRE[name] for name in names)


def seconds_between(calls: Iterable[SentRequest]) -> list[float]:
    """The seconds from the end of each request to the start of the next."""
    return [later.at - earlier.ended_at for earlier, later in itertools.pairwise(calls)]
