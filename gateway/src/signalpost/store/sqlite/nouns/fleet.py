"""The fleet in SQLite. One process has the database for itself, so that there is no one to announce anything to; only
simulated worlds have several nodes on one file."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import apsw

from signalpost.store.nouns.data_keys import DataKeyStore
from signalpost.store.nouns.fleet import (
    ALONE,
    LANE_VERSIONS,
    MARKS,
    NODES,
    Beat,
    Changes,
    FleetStore,
    LaneInbox,
    NodeProcess,
    NodeRole,
    NodeRow,
    NodeShown,
    TenantMark,
    Terms,
    unpack_marks,
    unpack_node_rows,
    went_back,
)
from signalpost.store.nouns.lanes import LaneRow, LaneWanted
from signalpost.store.nouns.log import LogPart
from signalpost.store.packing.fleet import NODE_COLUMNS, unpack_nodes
from signalpost.store.sqlite.connect import rows, rows_of_many
from signalpost.store.sqlite.nouns import lanes, log, replays
from signalpost.store.sqlite.readers import Readers, reading
from signalpost.store.sqlite.statements import ask
from signalpost.store.sqlite.tables import PLAIN
from signalpost.store.sqlite.writer import Writer, writing
from signalpost.store.store import PAGE_BYTES
from signalpost.store.tables.api_keys import API_KEY
from signalpost.store.tables.tenants import TENANT_COLUMNS, unpack_tenant
from signalpost.store.vault import Vault

_HISTORY = ""
"""A restore is only possible while no node is at work."""
_IS_THERE = "SELECT 1 FROM node WHERE id = ?"


class SqliteFleet(FleetStore):
    def __init__(
        self,
        readers: Readers,
        writer: Writer,
        data_keys: DataKeyStore,
        vault: Vault,
        now: Callable[[], int],
        terms: Terms = ALONE,
    ) -> None:
        super().__init__(readers, writer, data_keys)
        self._readers = readers
        self._writer = writer
        self._vault = vault
        self._now = now
        self.terms = terms
        self.node_id: int | None = None
        self._joined_as: int | None = None
        """The number that it last joined with. Its row may be there until a `leave` succeeds."""
        self._joined_at = 0
        self._role = NodeRole.ALL

    @property
    def owner(self) -> int | None:
        """The node to which lanes of new subscriptions belong."""
        return None if self._role is NodeRole.API else self.node_id

    # --- Nodes --------------------------------------------------------------------------------------------------------

    async def join(self, role: NodeRole, program: str, process: NodeProcess = NodeProcess()) -> int:  # noqa: B008 - it is frozen
        number, self._joined_at = await self._join(role, program, process)
        self.node_id, self._joined_as, self._role = number, number, role
        return number

    @writing
    def _join(self, connection: apsw.Connection, role: NodeRole, program: str, process: NodeProcess) -> tuple[int, int]:
        ((number,),) = rows(connection, "UPDATE fleet SET last_node = last_node + 1 RETURNING last_node")
        now = self._now()
        connection.execute(
            "INSERT INTO node (id, beat, at, role, program, host, process, birth, joined_at)"
            " VALUES (?, 0, ?, ?, ?, ?, ?, ?, ?)",
            (number, now, role, program, *process, now),
        )
        return number, now

    async def history(self) -> str:
        return _HISTORY

    @writing
    def beat(self, connection: apsw.Connection, lanes: int = 0) -> Beat | None:
        moved = "UPDATE node SET beat = beat + 1, at = ?, lanes = ? WHERE id = ? AND joined_at = ? RETURNING beat"
        now = self._now()
        found = rows(connection, moved, (now, lanes, self.node_id, self._joined_at))
        if not found:
            return None
        return Beat(
            number=found[0][0],
            now=now,
            history=_HISTORY,
            nodes=unpack_node_rows(rows(connection, NODES)),
            marks=unpack_marks(rows(connection, MARKS)),
        )

    async def drain(self) -> None:
        await self._drain(self.node_id, self._joined_at)

    @writing
    def _drain(self, connection: apsw.Connection, number: int | None, joined_at: int) -> None:
        connection.execute("UPDATE node SET is_draining = 1 WHERE id = ? AND joined_at = ?", (number, joined_at))

    @reading
    def nodes(self, connection: apsw.Connection) -> list[NodeShown]:
        return unpack_nodes(rows(connection, f"SELECT {NODE_COLUMNS}, at FROM node ORDER BY id"), self._now())  # noqa: S608

    @writing
    def remove_dead(self, connection: apsw.Connection, dead: Iterable[NodeRow]) -> None:
        seen = [(node.id, node.beat) for node in dead]
        connection.executemany("DELETE FROM node WHERE id = ? AND beat = ?", seen)

    async def leave(self) -> None:
        self.node_id = None
        self._vault.let_go()
        await self._leave(self._joined_as, self._joined_at)

    @writing
    def _leave(self, connection: apsw.Connection, number: int | None, joined_at: int) -> None:
        connection.execute("DELETE FROM node WHERE id = ? AND joined_at = ?", (number, joined_at))

    # --- Lanes --------------------------------------------------------------------------------------------------------

    @writing
    def claim(self, connection: apsw.Connection, wanted: Sequence[LaneWanted]) -> dict[int, LaneRow]:
        me = self.node_id
        if not rows(connection, _IS_THERE, (me,)):
            return {}
        taken = rows_of_many(
            connection,
            "UPDATE lane SET owner = ?1, version = version + 1 WHERE subscription_number = ?2"
            " AND (owner IS NULL OR owner = ?1 OR owner NOT IN (SELECT id FROM node)) RETURNING subscription_number",
            [(me, each.subscription.number) for each in wanted],
        )
        numbers = {number for (number,) in taken}
        return lanes.load(connection, [each for each in wanted if each.subscription.number in numbers])

    @writing
    def release(self, connection: apsw.Connection, subscription_numbers: Iterable[int]) -> None:
        ours = [(number, self.node_id) for number in subscription_numbers]
        connection.executemany("UPDATE lane SET owner = NULL WHERE subscription_number = ? AND owner = ?", ours)

    @reading
    def inbox(self, connection: apsw.Connection, subscription_numbers: Iterable[int]) -> dict[int, LaneInbox]:
        versions = ask(connection, LANE_VERSIONS, [*subscription_numbers])
        retries = lanes.retries(connection, [number for number, _ in versions])
        return {
            number: LaneInbox(version, tuple(retries.get(number, ())), replays.running(connection, number))
            for number, version in versions
        }

    # --- What others commit -------------------------------------------------------------------------------------------

    @reading
    def changes(self, connection: apsw.Connection, since: str | None) -> Changes:
        # Only simulated worlds look, and they have few tenants and keys: all of them, where anything was written since.
        ((position,),) = rows(
            connection, "SELECT keys_version + (SELECT coalesce(sum(config_version), 0) FROM tenant) FROM fleet"
        )
        if since is None or position == int(since):
            return Changes(str(position))
        if position < int(since):
            raise went_back()
        tenants = rows(connection, f"SELECT {TENANT_COLUMNS} FROM tenant")  # noqa: S608
        keys = rows(connection, f"SELECT {API_KEY.listed} FROM api_key")  # noqa: S608
        return Changes(
            str(position), tuple(map(unpack_tenant, tenants)), tuple(API_KEY.unpack(each, PLAIN) for each in keys)
        )

    @reading
    def marks(self, connection: apsw.Connection) -> dict[int, TenantMark]:
        return unpack_marks(rows(connection, MARKS))

    @reading
    def news(self, connection: apsw.Connection, seen: Mapping[int, int], limit: int) -> dict[int, LogPart]:
        pages: dict[int, LogPart] = {}
        size = 0
        for tenant_id, sequence in seen.items():
            page = pages[tenant_id] = log.page(connection, tenant_id, sequence, limit)
            size += sum(len(event.body) for event in page.events)
            if size >= PAGE_BYTES:
                break
        return pages

    def announce(self, marks: Mapping[int, TenantMark]) -> None: ...

    @property
    def hears(self) -> bool:
        return False

    def listen(self, on_marks: Callable[[Mapping[int, TenantMark]], None]) -> None: ...

    # --- Jobs ---------------------------------------------------------------------------------------------------------

    @writing
    def take_job(self, connection: apsw.Connection, name: str, seconds: float) -> bool:
        now = self._now()
        taken = rows(
            connection,
            "INSERT INTO job (name, owner, until) SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM node WHERE id = ?2)"
            " ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until"
            " WHERE owner = excluded.owner OR until <= ?4 OR owner NOT IN (SELECT id FROM node) RETURNING name",
            (name, self.node_id, now + round(seconds * 1_000_000), now),
        )
        return bool(taken)
