"""The fleet: the nodes at work on one database, which lanes each of them owns, and how they learn of what others
commit.

A *node* is one start of a gateway. Its store object is its own: `join` gives the node its number, and from then on
what the store writes is written as that node. Rows say what is true. What nodes announce to one another only saves them
the wait until they look.

- A node that works *beats*: it moves its own row on, and reads where everything is. A node whose row is gone was taken
  for dead. It owns nothing any more, whatever it remembers, and joins again under another number.
- A lane is *owned* by the node that its row names. Claiming it moves its version on, so that whatever an earlier owner
  still records does not apply. A lane may be claimed if no node owns it, or a node that is not there.
- Every tenant has a *mark*: the end of its log, and the version of its configuration, which rises in the transaction
  that changes anything of the tenant that nodes keep in memory.

A database that one process has for itself is a fleet of one. The same rules hold there, with other `Terms`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from math import inf
from typing import Final, NamedTuple

from msgspec import Struct

from signalpost.commands.command import RequestedRetry
from signalpost.domain.access.api_key import ApiKey
from signalpost.domain.access.tenant import Tenant
from signalpost.domain.connection import Connection
from signalpost.domain.delivery.replay import Replay
from signalpost.domain.erasure import Erasure
from signalpost.domain.errors import Unavailable
from signalpost.domain.subscription import Subscription
from signalpost.runtime.process_birth import UNKNOWN
from signalpost.store.nouns.data_keys import DataKeyStore
from signalpost.store.nouns.lanes import LaneRow, LaneWanted
from signalpost.store.nouns.log import LogPart
from signalpost.store.statements import EVERY_TENANT, Row, RowReader, RowWriter, Statement
from signalpost.store.tables.connections import CONNECTION
from signalpost.store.tables.erasures import ERASURE_COLUMNS, unpack_erasure
from signalpost.store.tables.subscriptions import SUBSCRIPTION
from signalpost.store.tables.tenants import TENANT_COLUMNS, unpack_tenant


class Terms(NamedTuple):
    """How long things hold between the nodes of a fleet, in seconds."""

    beat_every: float
    """How often a node beats; never if this is infinite."""
    lease: float
    """For how long after it began to beat a node may start attempts."""
    dead_after: float
    """A node that was not seen to beat for so long is dead. It is longer than a lease and an attempt of 5 s together.
    Attempts and calls may take longer; their lanes wait longer for another owner (`LaneOwner`)."""
    poll_every: float
    """How often a node that hears no announcements reads the marks; never if this is infinite."""
    look_every: float
    """How often a node looks which tenants and API keys others changed; never if this is infinite."""
    poll_hearing_every: float
    """How often a node that hears announcements reads them all the same. Reading all is what an idle node costs, and it
    only makes up for an announcement that was never made."""


SHARED: Final = Terms(
    beat_every=2.0, lease=6.0, dead_after=12.0, look_every=0.04, poll_every=0.25, poll_hearing_every=1.0
)
"""The terms of a database that several nodes may use."""
ALONE: Final = Terms(beat_every=inf, lease=inf, dead_after=0.0, look_every=inf, poll_every=inf, poll_hearing_every=inf)
"""The terms of a database that one process has for itself: whatever other node it finds there has ended."""


class NodeRole(StrEnum):
    """What a node does."""

    ALL = "all"
    API = "api"
    """Answers clients, and owns no lanes."""
    WORKER = "worker"
    """Owns lanes; clients are sent to other nodes."""


class NodeProcess(NamedTuple):
    """Where a node runs."""

    host: str = ""
    """The name of its machine."""
    number: int = 0
    """The number of its process there."""
    birth: str = UNKNOWN
    """The birth of its process, by which others of that machine find out that it has ended; not for people."""


class NodeRow(NamedTuple):
    """A node as its row is."""

    id: int
    beat: int
    """How often it has beaten."""
    role: NodeRole
    is_draining: bool = False
    """Whether it is ending, and takes no more lanes."""
    birth: str = UNKNOWN
    """See `NodeProcess`."""


class NodeShown(Struct, frozen=True, kw_only=True):
    """A node as operators see it. Times are µs since the epoch, by the database's clock."""

    id: int
    role: NodeRole
    program: str
    """The version that it runs."""
    process: NodeProcess
    joined_at: int
    beat_at: int
    """When it beat last."""
    silent_for: int
    """How long ago that was, µs."""
    lanes: int
    """How many it owned when it beat last."""
    is_draining: bool


class TenantMark(NamedTuple):
    """How far a tenant is."""

    last_sequence: int
    """The end of its log."""
    config_version: int
    """Rises with every change of its row, its subscriptions and connections, with every retry by hand, replay and
    erasure that is asked for, and with the end of a replay that is cancelled."""
    next_floor: int
    """The floor that the retention is about to give its log: owners of lanes give up what they would lose below it. As
    low as the floor, or lower, if nothing is about to be removed."""


class Beat(Struct, frozen=True):
    """What a node reads with its beat, all as of one moment."""

    number: int
    """How often this node has beaten, as it is now in its row."""
    now: int
    """The database's time, µs since the epoch."""
    history: str
    """Identifies the history of the database. If it changes, commits may have been lost: the database was restored, or
    a standby that lacked something took its place."""
    nodes: tuple[NodeRow, ...]
    """Every node that there is, this one included, by number."""
    marks: Mapping[int, TenantMark]
    """Every tenant that is not deleted, by its number."""


class Changes(Struct, frozen=True):
    """What was changed, since an earlier position, of what every node keeps in memory of all tenants. There may be
    more, but nothing is missing."""

    position: str
    """The present one, from which to go on."""
    tenants: tuple[Tenant, ...] = ()
    """With a row or a configuration that changed, also those that were deleted."""
    keys: tuple[ApiKey, ...] = ()
    """Made or revoked."""


class TenantConfig(Struct, frozen=True):
    """All of a tenant that nodes keep in memory, as of one moment."""

    version: int
    """The `config_version` of its mark."""
    tenant: Tenant
    """Which may be deleted; then it has nothing else."""
    subscriptions: tuple[Subscription, ...] = ()
    """All that are not deleted, oldest first."""
    connections: tuple[Connection, ...] = ()
    """All that are not deleted, oldest first."""
    erasures: tuple[Erasure, ...] = ()
    """The erasures that are not finished, the latest `MAX_ERASURES` at most, oldest first."""


MAX_ERASURES: Final = 10_000


def went_back() -> Unavailable:
    """The error for a caller of a database that is not what it was, until the node has loaded it again."""
    return Unavailable("The database changed to an earlier state a moment ago. Repeat the request.")


class LaneInbox(NamedTuple):
    """What others asked of a lane's owner, with the version at which the lane was then."""

    version: int
    retries: tuple[RequestedRetry, ...]
    """Retries by hand that are not recorded as done, oldest first."""
    replays: tuple[Replay, ...]
    """The replays that run, oldest first, as far as they are recorded to have come."""


_OWNERS: Final = "SELECT subscription_number, owner FROM lane WHERE subscription_number = ANY($1::bigint[])"
_TENANT: Final = f"SELECT {TENANT_COLUMNS} FROM tenant WHERE id = $1"  # noqa: S608
_LIVE: Final = "tenant_id = $1 AND deleted_at IS NULL ORDER BY number"
_SUBSCRIPTIONS: Final = f"SELECT {SUBSCRIPTION.listed} FROM subscription WHERE {_LIVE}"  # noqa: S608
_CONNECTIONS: Final = f"SELECT {CONNECTION.listed} FROM connection WHERE {_LIVE}"  # noqa: S608
_ERASURES: Final = (
    f"SELECT {ERASURE_COLUMNS} FROM erasure WHERE tenant_id = $1"  # noqa: S608
    " AND finished_at IS NULL ORDER BY number DESC LIMIT $2"
)
NODES: Final = "SELECT id, beat, role, is_draining, birth FROM node ORDER BY id"
MARKS: Final = "SELECT id, last_sequence, config_version, next_floor FROM tenant WHERE deleted_at IS NULL"
LANE_VERSIONS: Final = "SELECT subscription_number, version FROM lane WHERE subscription_number = ANY($1::bigint[])"


def unpack_marks(found: Iterable[Row]) -> dict[int, TenantMark]:
    """From the rows of `MARKS`. With ten thousand tenants, this is most of what an idle node does."""
    return {tenant_id: TenantMark(last, version, floor) for tenant_id, last, version, floor in found}


def unpack_node_rows(found: Iterable[Row]) -> tuple[NodeRow, ...]:
    """The nodes of a fleet, by number, as the rows of `NODES` say."""
    return tuple(
        NodeRow(number, beat, NodeRole(role), bool(drains), birth) for number, beat, role, drains, birth in found
    )


class FleetStore(ABC):
    """What nodes write and read of one another."""

    terms: Terms
    """How long things hold between the nodes of this database."""
    node_id: int | None
    """The number under which this node joined; None before it did."""

    def __init__(self, reads: RowReader, writes: RowWriter, data_keys: DataKeyStore) -> None:
        self._reads = reads
        self._writes = writes
        self._data_keys = data_keys

    # --- Nodes --------------------------------------------------------------------------------------------------------

    @abstractmethod
    async def join(self, role: NodeRole, program: str, process: NodeProcess = NodeProcess()) -> int:  # noqa: B008 - it is frozen
        """Add this node's row, with `program` as the version that people see, and return its number, which no node had
        before. A node that was taken for dead joins again."""

    @abstractmethod
    async def history(self) -> str:
        """The history of the database; see `Beat.history`. From now on this store changes nothing in another history.
        Raises Unavailable."""

    @abstractmethod
    async def beat(self, lanes: int = 0) -> Beat | None:
        """Move this node's row on, durably, with the number of `lanes` that it owns, and read where everything is. None
        if the row is gone, which changes nothing."""

    @abstractmethod
    async def drain(self) -> None:
        """Say that this node is ending, so that others count on it no more."""

    @abstractmethod
    async def nodes(self) -> list[NodeShown]:
        """Every node that there is, by number."""

    @abstractmethod
    async def remove_dead(self, dead: Iterable[NodeRow]) -> None:
        """Remove each of these nodes that has not beaten since it was seen like that. Their lanes and jobs may be
        taken."""

    @abstractmethod
    async def leave(self) -> None:
        """Remove this node's row, as the last thing that it does, or before it joins again because the database is not
        what it was. What it still owns may be taken. A row that has its number by now, but is another's, stays. If this
        fails, it is this node no longer all the same, and may be repeated: what it remembers must not be recorded."""

    # --- Lanes --------------------------------------------------------------------------------------------------------

    @abstractmethod
    async def claim(self, wanted: Sequence[LaneWanted]) -> dict[int, LaneRow]:
        """Take lanes that no node owns, whose owner is gone, or that this node already owns, and load them as of that
        moment, by subscription number. Lanes that another node owns, or whose subscription was deleted, are missing. If
        this node's row is gone, it takes nothing.

        The version of each lane that is taken rises by one.
        """

    @abstractmethod
    async def release(self, subscription_numbers: Iterable[int]) -> None:
        """Let go of lanes, so that no node owns them. Lanes that this node does not own stay as they are. All that the
        lanes did must be recorded."""

    async def owners(self, subscription_numbers: Iterable[int]) -> dict[int, int | None]:
        """Which node owns each lane, by subscription number; None if no node does. That node need not be there any
        more. The lane of a deleted subscription is missing."""
        found = await self._reads.rows(EVERY_TENANT, _OWNERS, [*subscription_numbers])
        return {number: owner for number, owner in found}  # noqa: C416  # which are any columns to mypy

    @abstractmethod
    async def inbox(self, subscription_numbers: Iterable[int]) -> dict[int, LaneInbox]:
        """What others asked of the owners of lanes, by subscription number. The lane of a deleted subscription is
        missing."""

    # --- What others commit -------------------------------------------------------------------------------------------

    @abstractmethod
    async def changes(self, since: str | None) -> Changes:
        """What was changed by what was committed after a position, as of a moment after this was called; without one,
        the present position alone. It costs little if nothing was changed. Raises Unavailable, also if the database
        went back."""

    @abstractmethod
    async def marks(self) -> dict[int, TenantMark]:
        """The marks of all tenants that are not deleted, by number. If nothing has changed since, this may be the same
        object as before."""

    async def config(self, tenant_id: int) -> TenantConfig | None:
        """A tenant as it is now; None if there never was one of that number."""
        of_tenant = [Statement(sql, (tenant_id,)) for sql in (_TENANT, _SUBSCRIPTIONS, _CONNECTIONS)]
        latest = Statement(_ERASURES, (tenant_id, MAX_ERASURES))
        tenants, subscriptions, connections, erasures = await self._reads.all(tenant_id, [*of_tenant, latest])
        if not tenants:
            return None
        tenant = unpack_tenant(tenants[0])
        if tenant.deleted_at is not None:
            return TenantConfig(tenant.config_version, tenant)
        return TenantConfig(
            tenant.config_version,
            tenant,
            tuple(await self._data_keys.opened(SUBSCRIPTION, subscriptions)),
            tuple(await self._data_keys.opened(CONNECTION, connections)),
            tuple(unpack_erasure(columns, self._reads.unpack_id) for columns in reversed(erasures)),
        )

    @abstractmethod
    async def news(self, seen: Mapping[int, int], limit: int) -> dict[int, LogPart]:
        """The events after a sequence in the log of each tenant, at most `limit` of each, by tenant. Once the events
        add up to some MiB, further tenants are missing."""

    @abstractmethod
    def announce(self, marks: Mapping[int, TenantMark]) -> None:
        """Tell other nodes, a moment later, how far tenants are. The message may be lost, because nodes also read the
        marks from time to time. It may be newer or older than what others know."""

    @abstractmethod
    def listen(self, on_marks: Callable[[Mapping[int, TenantMark]], None]) -> None:
        """Have `on_marks` called, in the event loop, with what other nodes announce."""

    @property
    @abstractmethod
    def hears(self) -> bool:
        """Whether it hears what is announced, as far as can be told: a connection that died silently is noticed some
        seconds later."""

    # --- Jobs ---------------------------------------------------------------------------------------------------------

    @abstractmethod
    async def take_job(self, name: str, seconds: float) -> bool:
        """Take or keep a job that only one node at a time does, for `seconds` from now by the database's time. Returns
        False if another node that is still alive has it and has time left."""

    async def give_up_job(self, name: str) -> None:
        """Let others take a job that this node has."""
        mine = Statement("DELETE FROM job WHERE name = $1 AND owner = $2", (name, self.node_id))
        await self._writes.all(EVERY_TENANT, [mine])
