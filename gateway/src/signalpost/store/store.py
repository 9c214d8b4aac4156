"""What the engine and the API need of a store, whatever database is behind it.

Commands are written by `publish`, which changes many nouns in one transaction, and lanes by `lanes.record`. Besides
these only `access.note_uses`, `stats.add`, `audit.add`, `sign_ins` and `data_keys` write, and the retention, erasures,
`audit.prune`, `stats.prune` and `versions.forget`, which only remove. A write is durable when it returns. Reads see
every write that returned before they began.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from msgspec import Struct

from signalpost.commands.command import Command, CommandOutcome, Numbered, NumberedRow, RequestedRetry
from signalpost.domain.access.tenant import Tenant
from signalpost.domain.audit import AuditEntry
from signalpost.domain.erasure import Erasure
from signalpost.domain.event import Event
from signalpost.runtime.histogram import Histogram
from signalpost.store.nouns.access import AccessStore
from signalpost.store.nouns.audit import AuditStore
from signalpost.store.nouns.connections import ConnectionStore
from signalpost.store.nouns.data_keys import DataKeyStore
from signalpost.store.nouns.delivery_store import DeliveryStore
from signalpost.store.nouns.documents import DocumentStore
from signalpost.store.nouns.erasures import ErasureStore
from signalpost.store.nouns.fleet import FleetStore, TenantMark
from signalpost.store.nouns.history import HistoryStore
from signalpost.store.nouns.lane_store import LaneStore
from signalpost.store.nouns.lists import ListStore
from signalpost.store.nouns.log import LogStore
from signalpost.store.nouns.replay_store import ReplayStore
from signalpost.store.nouns.retention import RetentionStore
from signalpost.store.nouns.searched_text import SearchedTextStore
from signalpost.store.nouns.sign_ins import SignInStore
from signalpost.store.nouns.sources import SourceStore
from signalpost.store.nouns.stats import StatsStore
from signalpost.store.nouns.versions import VersionStore

T = TypeVar("T")
MAX_SCANNED = 10_000
"""How many rows one page of a list looks through, so that it may be short, or empty, and still have a next one."""
PAGE_BYTES = 4 * 1024 * 1024
"""A page of a list ends near this size, whatever its limit, because each row may have 1 MiB."""


class CommittedMark(NamedTuple):
    """A tenant's mark after a batch, with the version of its configuration before."""

    before: int
    """Where this is above what a node knows, others have changed what it keeps in memory."""
    mark: TenantMark


class PublishedBatch(Struct, frozen=True):
    """The outcome of a batch of commands: a result for each, in order, and what the engine has to know."""

    results: tuple[CommandOutcome[Any] | Exception, ...]
    """CallerError for a command that was refused, Unavailable for one that was not committed although others were; any
    other Exception is a bug that only this command ran into."""
    events: tuple[Event, ...] = ()
    tenants: tuple[Tenant, ...] = ()
    """Tenants that were made, changed or deleted; not those of which only the log grew."""
    rows: Mapping[type[NumberedRow], tuple[Any, ...]] = {}
    """Rows of described tables that were made or changed, by their kind; see `changed`."""
    retries: tuple[RequestedRetry, ...] = ()
    erasures: tuple[Erasure, ...] = ()
    expiries: tuple[int, ...] = ()
    """When signature requests of changed documents expire."""
    audited: tuple[AuditEntry, ...] = ()
    """Entries of the audit."""
    marks: Mapping[int, CommittedMark] = {}
    """How far each tenant is of which the batch read or changed anything."""
    owner: int | None = None
    """The node that owns the lanes of subscriptions that were made: this one, if it has joined and owns lanes."""

    def changed(self, kind: type[Numbered]) -> tuple[Numbered, ...]:
        """The rows of a kind that were made or changed."""
        return self.rows.get(kind, ())


def joined(first: PublishedBatch, second: PublishedBatch) -> PublishedBatch:
    """The outcome of two batches, one after the other."""
    both: dict[str, Any] = {
        name: getattr(first, name) + getattr(second, name)
        for name in PublishedBatch.__struct_fields__
        if name not in ("rows", "marks", "owner")
    }
    kinds = first.rows.keys() | second.rows.keys()
    rows = {kind: first.rows.get(kind, ()) + second.rows.get(kind, ()) for kind in kinds}
    marks = {**second.marks, **first.marks}
    for tenant_id, (_, mark) in second.marks.items():
        marks[tenant_id] = CommittedMark(marks[tenant_id].before, mark)
    return PublishedBatch(**both, rows=rows, marks=marks, owner=second.owner)


class StoreSize(NamedTuple):
    """What a store takes on disk, in bytes, and when it was last copied."""

    database: int
    wal: int
    """The write-ahead log, which is copied into the database from time to time."""
    backed_up_at: int | None = None
    """When `signalpost db backup` last made a sound copy, µs since the epoch; None if it made none, as for
    PostgreSQL, whose own tools do that."""


class Store(Protocol):
    """Everything that is kept, by noun. Every method raises Unavailable if the database cannot answer now."""

    @property
    def documents(self) -> DocumentStore:
        """Documents, their lists, and when signature requests expire."""
        ...

    @property
    def searched_text(self) -> SearchedTextStore:
        """What documents are found by."""
        ...

    @property
    def versions(self) -> VersionStore:
        """The numbers of documents' versions, and what is known of their files."""
        ...

    @property
    def history(self) -> HistoryStore:
        """Who did what to a document, and when."""
        ...

    @property
    def connections(self) -> ConnectionStore:
        """What deliveries created at vendors."""
        ...

    @property
    def deliveries(self) -> DeliveryStore:
        """What happened to events at subscriptions, as people read it."""
        ...

    @property
    def access(self) -> AccessStore:
        """Who uses the gateway: tenants and API keys."""
        ...

    @property
    def lists(self) -> ListStore:
        """Lists of rows of which the table is described."""
        ...

    @property
    def sign_ins(self) -> SignInStore:
        """Who is signed in, in a browser, and the links that sign a person in once."""
        ...

    @property
    def data_keys(self) -> DataKeyStore:
        """What seals and signs, wrapped by the master key."""
        ...

    @property
    def audit(self) -> AuditStore:
        """Who changed what."""
        ...

    @property
    def log(self) -> LogStore:
        """The events of tenants, in order."""
        ...

    @property
    def lanes(self) -> LaneStore:
        """How far each subscription has come in its tenant's log."""
        ...

    @property
    def replays(self) -> ReplayStore:
        """Commands to send a range of deliveries again, and how far they have come."""
        ...

    @property
    def sources(self) -> SourceStore:
        """Programs that feed tenants, as those ask who watch over all of them."""
        ...

    @property
    def stats(self) -> StatsStore:
        """Statistics of attempts, by minute and hour."""
        ...

    @property
    def erasures(self) -> ErasureStore:
        """What tenants and documents left and must not be kept."""
        ...

    @property
    def fleet(self) -> FleetStore:
        """The nodes at work on the database."""
        ...

    @property
    def retention(self) -> RetentionStore:
        """What removes what is old enough."""
        ...

    @property
    def commits_on_a_thread(self) -> bool:
        """Whether `publish` works on a thread of this process, and so takes the interpreter from the event loop. A
        server that commits does not: while it is at work, the event loop can do something else."""
        ...

    @property
    def waits(self) -> Mapping[str, Histogram]:
        """How many seconds each kind of work waited until one of its connections was free; empty for a database in a
        file."""
        ...

    async def publish(self, commands: Sequence[Command[Any]]) -> PublishedBatch:
        """Decide a batch of commands in order, and commit all that they change in one transaction.

        Raises Unavailable if nothing was committed, or if it is not known whether it was.
        """
        ...

    async def reading(self, asking: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of a coroutine that waits for nothing but what it reads here. It runs on a thread: to hand over
        all that it asks at once costs the event loop as much as one question. It may ask for more that is read
        together. Raises Unavailable, or what it raises."""
        ...

    async def reading_in_turn(self, tenant_id: int, asking: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The same for what may read megabytes of a tenant: such reads take turns between tenants."""
        ...

    async def size(self) -> StoreSize:
        """How much disk the store takes now, and when it was last copied."""
        ...

    async def close(self) -> None:
        """Finish the writes that have begun, and let go of the database. Nothing may be asked of the store after it."""
        ...
