"""The fleet on PostgreSQL. What nodes must know of one another is in rows; what they announce is heard on a connection
of its own (`announcements.py`)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import psycopg

from signalpost.commands.command import RequestedRetry
from signalpost.store.nouns.fleet import (
    LANE_VERSIONS,
    MARKS,
    NODES,
    SHARED,
    Beat,
    Changes,
    FleetStore,
    LaneInbox,
    NodeProcess,
    NodeRole,
    NodeRow,
    NodeShown,
    TenantMark,
    unpack_marks,
    unpack_node_rows,
    went_back,
)
from signalpost.store.nouns.lanes import LaneRow, LaneWanted
from signalpost.store.nouns.log import LogPart
from signalpost.store.packing.fleet import NODE_COLUMNS, unpack_nodes
from signalpost.store.packing.lanes import RETRIES
from signalpost.store.postgres.announcements import Announcements
from signalpost.store.postgres.batch_reads import NOW
from signalpost.store.postgres.columns import numbers
from signalpost.store.postgres.committers import BY_INDEX
from signalpost.store.postgres.connect import trip
from signalpost.store.postgres.errors import as_told, is_lost
from signalpost.store.postgres.nouns import log
from signalpost.store.postgres.nouns.data_keys import PostgresDataKeys
from signalpost.store.postgres.nouns.lanes import REPLAYS, load
from signalpost.store.postgres.schema import MIGRATIONS
from signalpost.store.postgres.sessions import READS_WITHIN, ReadSessions, SessionPool, Steps, Writers, limits
from signalpost.store.postgres.source import HISTORY, DatabaseSource
from signalpost.store.postgres.tables import PLAIN
from signalpost.store.statements import EVERY_TENANT, Row, Statement
from signalpost.store.tables.api_keys import API_KEY
from signalpost.store.tables.replays import REPLAY
from signalpost.store.tables.tenants import TENANT_COLUMNS, unpack_tenant
from signalpost.store.vault import Vault

LOOKS_WITHIN: Final = 4.0
"""After how many seconds without an answer a connection that looks for changes counts as lost."""
_ME: Final = "id = $1 AND joined_at = $2"
"""A node's own row. Where the database went back it may give a number again that it has given before."""
_JOIN: Final = (
    "INSERT INTO node (beat, beat_at, joined_at, role, program, schema, host, process, birth)"
    f" SELECT 0, now, now, $1, $2, $3, $4, $5, $6 FROM (SELECT {NOW} AS now) t RETURNING id, joined_at"
)
_BEAT: Final = f"UPDATE node SET beat = beat + 1, beat_at = {NOW}, lanes = $3 WHERE {_ME} RETURNING beat"
_DRAIN: Final = f"UPDATE node SET is_draining = true WHERE {_ME}"
_LEAVE: Final = f"DELETE FROM node WHERE {_ME}"
_SHOWN: Final = f"SELECT {NODE_COLUMNS}, beat_at, {NOW} FROM node ORDER BY id"
_SUM_OF_MARKS: Final = (
    "SELECT count(*), max(id), sum(last_sequence)::text, sum(config_version)::text, sum(next_floor)::text"
    " FROM tenant WHERE deleted_at IS NULL"
)
"""Another one if anything has changed: all of these only rise, but the count if a tenant is deleted."""
_POSITION: Final = Statement("SELECT pg_current_snapshot()::text")
_CHANGED: Final = (
    "WHERE changed_by >= pg_snapshot_xmin($1::text::pg_snapshot)"
    " AND NOT pg_visible_in_snapshot(changed_by, $1::text::pg_snapshot) ORDER BY changed_by"
)
"""Whatever a transaction changed that had not ended at a former position, however long ago it began."""
_CHANGED_TENANTS: Final = f"SELECT {TENANT_COLUMNS} FROM tenant {_CHANGED}"
_CHANGED_KEYS: Final = f"SELECT {API_KEY.listed} FROM api_key {_CHANGED}"
_REMOVE: Final = "DELETE FROM node n USING unnest($1, $2) AS k (id, beat) WHERE n.id = k.id AND n.beat = k.beat"
_KEEP_NODE: Final = "SELECT FROM node WHERE id = $1 FOR KEY SHARE"
"""No one removes the node until the transaction ends; it may beat meanwhile."""
_CLAIM: Final = (
    "WITH free AS (SELECT subscription_number FROM lane l WHERE subscription_number = ANY($1) AND (owner IS NULL"
    " OR owner = $2 OR NOT EXISTS (SELECT FROM node n WHERE n.id = l.owner)) ORDER BY 1 FOR NO KEY UPDATE)"
    " UPDATE lane l SET owner = $2, version = version + 1 FROM free"
    " WHERE l.subscription_number = free.subscription_number RETURNING l.subscription_number"
)
_RELEASE: Final = (
    "WITH ours AS (SELECT subscription_number FROM lane WHERE subscription_number = ANY($1) AND owner = $2"
    " ORDER BY 1 FOR NO KEY UPDATE) UPDATE lane l SET owner = NULL FROM ours"
    " WHERE l.subscription_number = ours.subscription_number"
)
_TAKE_JOB: Final = (
    f"INSERT INTO job (name, owner, until) SELECT $1, $2, {NOW} + $3 WHERE EXISTS (SELECT FROM node WHERE id = $2)"
    " ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until"
    f" WHERE job.owner = excluded.owner OR job.until <= {NOW} OR job.owner NOT IN (SELECT id FROM node) RETURNING name"
)


class PostgresFleet(FleetStore):
    terms = SHARED

    def __init__(
        self, source: DatabaseSource, readers: ReadSessions, writers: Writers, data_keys: PostgresDataKeys, vault: Vault
    ) -> None:
        super().__init__(readers, writers, data_keys)
        self._source = source
        self._readers = readers
        self._writers = writers
        self._vault = vault
        self._beats = SessionPool(source.connect_anyway, 1)
        self._looks = SessionPool(source.connect, 1)
        self._announcements = Announcements(source)
        self._marks: dict[int, TenantMark] = {}
        self._sum_of_marks: Row | None = None
        """What `_marks` add up to, or less: they may have been read a moment later."""
        self._role = NodeRole.ALL
        self._is_alone = False
        """Whether its last beat saw no other node. One that has come since reads the marks, as all do."""
        self.node_id: int | None = None
        self._joined_as: int | None = None
        """The number that it last joined with. Its row may be there until a `leave` succeeds."""
        self._joined_at = 0

    @property
    def owner(self) -> int | None:
        """The node to which lanes of new subscriptions belong."""
        return None if self._role is NodeRole.API else self.node_id

    async def close(self) -> None:
        """Let go of the connections that are the fleet's alone."""
        await self._announcements.close()
        await self._beats.close()
        await self._looks.close()

    # --- Nodes --------------------------------------------------------------------------------------------------------

    async def join(self, role: NodeRole, program: str, process: NodeProcess = NodeProcess()) -> int:  # noqa: B008 - it is frozen
        told = (str(role), program, MIGRATIONS[-1].number, *process)
        [(number, self._joined_at)] = await self._writers.rows(EVERY_TENANT, _JOIN, *told)
        self.node_id, self._joined_as, self._role = number, number, role
        self._announcements.speak_as(number)
        return int(number)

    async def history(self) -> str:
        [(history,)] = await self._readers.rows(EVERY_TENANT, HISTORY.sql)
        if not self._source.accepts(history):
            raise went_back()
        return str(history)

    async def beat(self, lanes: int = 0) -> Beat | None:
        beating = [
            Statement("BEGIN ISOLATION LEVEL REPEATABLE READ"),
            limits(EVERY_TENANT, READS_WITHIN),
            Statement(_BEAT, (self.node_id, self._joined_at, lanes)),
            Statement(NODES),
            Statement(MARKS),
            Statement(f"SELECT {NOW}"),
            HISTORY,
            Statement("COMMIT"),
        ]
        try:
            async with self._beats.connection() as connection:
                _, _, moved, nodes, marks, [(now,)], [(history,)], _ = await trip(connection, beating, self.terms.lease)
        except psycopg.Error as error:
            raise as_told(error) from None
        if not moved:
            return None
        self._is_alone = len(nodes) == 1
        return Beat(
            number=moved[0][0],
            now=now,
            history=history,
            nodes=unpack_node_rows(nodes),
            marks=unpack_marks(marks),
        )

    async def drain(self) -> None:
        await self._writers.rows(EVERY_TENANT, _DRAIN, self.node_id, self._joined_at)

    async def nodes(self) -> list[NodeShown]:
        found = await self._readers.rows(EVERY_TENANT, _SHOWN)
        return unpack_nodes((row[:-1] for row in found), found[0][-1]) if found else []

    async def remove_dead(self, dead: Iterable[NodeRow]) -> None:
        seen = [(node.id, node.beat) for node in dead]
        if seen:
            await self._writers.rows(EVERY_TENANT, _REMOVE, *map(numbers, zip(*seen, strict=True)))

    async def leave(self) -> None:
        self.node_id = None
        self._source.forget()
        self._vault.let_go()
        self._sum_of_marks = None
        await self._writers.rows(EVERY_TENANT, _LEAVE, self._joined_as, self._joined_at)

    # --- Lanes --------------------------------------------------------------------------------------------------------

    async def claim(self, wanted: Sequence[LaneWanted]) -> dict[int, LaneRow]:
        return await self._writers.run(EVERY_TENANT, _claim(self._source, self.node_id, wanted))

    async def release(self, subscription_numbers: Iterable[int]) -> None:
        await self._writers.rows(EVERY_TENANT, _RELEASE, numbers(subscription_numbers), self.node_id)

    async def inbox(self, subscription_numbers: Iterable[int]) -> dict[int, LaneInbox]:
        return await self._readers.run(EVERY_TENANT, _inbox(subscription_numbers))

    # --- What others commit -------------------------------------------------------------------------------------------

    async def changes(self, since: str | None) -> Changes:
        # On a connection of its own, so that it waits for nobody, and on this loop, which waits for it. One statement
        # sees no less than those before it: whatever came in between is seen again.
        limiting = limits(EVERY_TENANT, READS_WITHIN)
        looking = [limiting._replace(sql=limiting.sql + BY_INDEX), _POSITION, HISTORY]
        if since is not None:
            looking += [Statement(_CHANGED_TENANTS, (since,)), Statement(_CHANGED_KEYS, (since,))]
        try:
            _, [(position,)], [(history,)], *changed = await self._look(looking)
            self._source.check(history)
        except psycopg.Error as error:
            raise as_told(error) from None
        if since is None:
            return Changes(position)
        if _next_transaction(position) < _next_transaction(since):
            raise went_back()
        tenants, keys = changed
        return Changes(
            position, tuple(map(unpack_tenant, tenants)), tuple(API_KEY.unpack(columns, PLAIN) for columns in keys)
        )

    async def _look(self, looking: Sequence[Statement]) -> list[list[Row]]:
        """The rows of each statement. An idle connection may be lost without anybody having noticed yet."""
        try:
            async with self._looks.connection() as connection:
                return await trip(connection, looking, LOOKS_WITHIN)
        except psycopg.Error as error:
            if not is_lost(error):
                raise
        async with self._looks.connection() as connection:
            return await trip(connection, looking, LOOKS_WITHIN)

    async def marks(self) -> dict[int, TenantMark]:
        # With ten thousand tenants, reading all of them is most of what an idle node does.
        [now] = await self._readers.rows(EVERY_TENANT, _SUM_OF_MARKS)
        if now != self._sum_of_marks:
            self._marks = unpack_marks(await self._readers.rows(EVERY_TENANT, MARKS))
            self._sum_of_marks = now
        return self._marks

    async def news(self, seen: Mapping[int, int], limit: int) -> dict[int, LogPart]:
        return await self._readers.run(EVERY_TENANT, log.news(seen, limit))

    def announce(self, marks: Mapping[int, TenantMark]) -> None:
        if not self._is_alone:
            self._announcements.announce(marks)

    def listen(self, on_marks: Callable[[Mapping[int, TenantMark]], None]) -> None:
        self._announcements.listen(on_marks)

    @property
    def hears(self) -> bool:
        return self._announcements.are_heard

    # --- Jobs ---------------------------------------------------------------------------------------------------------

    async def take_job(self, name: str, seconds: float) -> bool:
        return bool(await self._writers.rows(EVERY_TENANT, _TAKE_JOB, name, self.node_id, round(seconds * 1_000_000)))


def _claim(source: DatabaseSource, me: int | None, wanted: Sequence[LaneWanted]) -> Steps[dict[int, LaneRow]]:
    nodes, [(history,)] = yield [Statement(_KEEP_NODE, (me,)), HISTORY]
    if not nodes or not source.accepts(history):  # behind a pooler, nobody notices that the server is another
        return {}
    [taken] = yield [Statement(_CLAIM, (numbers(each.subscription.number for each in wanted), me))]
    ours = {number for (number,) in taken}
    return (yield from load([each for each in wanted if each.subscription.number in ours]))


def _inbox(subscription_numbers: Iterable[int]) -> Steps[dict[int, LaneInbox]]:
    named = [*subscription_numbers]
    versions, asked, running = yield [
        Statement(LANE_VERSIONS, (named,)),
        Statement(RETRIES, (named,)),
        Statement(REPLAYS, (numbers(named),)),
    ]
    retries = [RequestedRetry(*columns) for columns in asked]
    replays = [REPLAY.unpack(columns, PLAIN) for columns in running]
    return {
        number: LaneInbox(
            version,
            tuple(retry for retry in retries if retry.subscription_number == number),
            tuple(replay for replay in replays if replay.subscription_number == number),
        )
        for number, version in versions
    }


def _next_transaction(position: str) -> int:
    """The number of the transaction that begins next at a position, which is as PostgreSQL shows a snapshot."""
    _, following, _ = position.split(":")
    return int(following)
