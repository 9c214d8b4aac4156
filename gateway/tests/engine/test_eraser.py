"""An erasure removes everything that a tenant or a document left, from the raw files too, whatever it is stopped by,
and nothing of anybody else's."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import apsw
import pytest
from gateway.tests.bodies import document_patch, new_document, subscription_request
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from signalpost.api.rendering import kept_answers
from signalpost.commands.batch import BatchContext
from signalpost.commands.command import Command, IdempotencyKey
from signalpost.commands.connections import CreateConnection
from signalpost.commands.documents import CreateDocument, DeleteDocument, PatchDocument
from signalpost.commands.erasures import EraseDocument
from signalpost.commands.keys import CreateKey
from signalpost.commands.subscriptions import CreateSubscription
from signalpost.commands.tenants import CreateTenant, DeleteTenant
from signalpost.commands.versions import AddVersion
from signalpost.commands.workflow import ActOnDocument
from signalpost.domain.access.api_key import Role
from signalpost.domain.documents.links import Links
from signalpost.domain.documents.version import StoredFile
from signalpost.domain.documents.workflow import Action, ActionInput
from signalpost.domain.erasure import Erasure, is_erased
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND
from signalpost.engine.maintenance.eraser import Eraser
from signalpost.files.folder import Folder
from signalpost.store.nouns.deliveries import AttemptRow
from signalpost.store.nouns.erasures import HANDLED_OTHERWISE, ROWS_OF_TENANT
from signalpost.store.nouns.lanes import EndpointHealth, LaneFlush
from signalpost.store.sqlite.store import SqliteStore, thread_executors
from signalpost.store.vault import MasterKeys

LINKS = Links(b"", "")
START = 1_700_000_000 * SECOND
CANARY = "Canary7Wharf"
OURS, THEIRS = 1, 2
SETTINGS = settings(max_examples=15, deadline=None)


class Stopped(Exception):
    """The process ends here."""


class Stopping(Folder):
    """Files, and a count of what an eraser does: it is stopped at one of these points."""

    stops_at = -1
    points = 0

    async def remove(self, name: str) -> None:
        self.point()
        await super().remove(name)
        self.point()

    def point(self) -> None:
        self.points += 1
        if self.points == self.stops_at:
            raise Stopped


class StoppingErasures:
    """The store's erasures; between any two parts the process may end."""

    def __init__(self, erasures: Any, files: Stopping) -> None:
        self._erasures = erasures
        self._files = files

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._erasures, name)

        async def call(*args: Any) -> Any:
            self._files.point()
            result = await method(*args)
            self._files.point()
            return result

        return call


class _Store:
    def __init__(self, store: SqliteStore, files: Stopping) -> None:
        self.fleet = store.fleet
        self.erasures = StoppingErasures(store.erasures, files)


class _Lanes:
    """Lanes that keep nothing in memory."""

    def erase_from_memory(self, erasure: Erasure) -> None:
        assert erasure.tenant_id


class House:
    """Two tenants in one database, with files beside it; the second one's every text has the canary in it, but
    for names, which the audit keeps."""

    def __init__(self, folder: Path, seed: int = 1) -> None:
        self.folder = folder
        self.now = START
        self.random = Random(seed)
        self.numbers = count(1)
        self._executor = ThreadPoolExecutor(1)
        self.open()

    def open(self) -> None:
        self.store = SqliteStore(
            self.folder / "signalpost.db", MasterKeys([bytes(32)]),
            BatchContext(LINKS, kept_answers(LINKS), self.random.getrandbits), self.wall, thread_executors(), print,
        )  # fmt: skip
        self.files = Stopping(self.folder / "files", ThreadPoolExecutor(1), os.urandom)

    async def close(self) -> None:
        await self.store.close()
        await self.files.close()

    def wall(self) -> int:
        return self.now

    def steady(self) -> int:
        return self.now

    def text(self, tenant: int) -> str:
        """A text of any length, so that rows lie in pages in every way."""
        word = CANARY if tenant == THEIRS else "harmless"
        return word * self.random.choice([1, 3, 10, 40])

    async def do(self, command: Command[Any]) -> Any:
        self.now += SECOND
        [result] = (await self.store.publish([command])).results
        if isinstance(result, Exception):
            raise result
        return result

    async def furnish(self, tenant: int, documents: int) -> list[str]:
        """Give a tenant some of everything. Returns the ids of its documents."""
        await self.do(
            CreateKey(
                tenant_id=tenant, tenant="t", key_id=self.identity(), name="a program", role=Role.APP,
                key=f"sp_{tenant}{self.random.random()}",
            )
        )  # fmt: skip
        await self.do(
            CreateConnection(
                tenant_id=tenant, connection_id=self.identity(), kind="http", name="a vendor",
                config={"token": self.text(tenant)}, needs_consent=False,
            )
        )  # fmt: skip
        subscription_id = self.identity()
        await self.do(
            CreateSubscription(
                tenant_id=tenant,
                subscription_id=subscription_id,
                new=subscription_request(name="an endpoint", url=f"https://example.com/{self.text(tenant)}"),
                secret=self.text(tenant)[:256],
                retry_delays=(10,),
            )
        )
        return [await self.document(tenant) for _ in range(documents)]

    async def document(self, tenant: int) -> str:
        identity, text = self.identity(), self.text(tenant)
        new = replace(
            new_document(), title=text, reference_id=text, owner_email=f"{text[:40]}@example.com",
            additional_facts={"fact": text * self.random.choice([0, 1, 20])},
        )  # fmt: skip
        key = IdempotencyKey(0, self.identity(), b"h")
        await self.do(
            CreateDocument(tenant_id=tenant, document_id=identity, new=new, source_app=text[:60], idempotency=key)
        )
        for _ in range(self.random.randrange(3)):
            patch = document_patch(title=self.text(tenant))
            await self.do(PatchDocument(tenant_id=tenant, document_id=identity, patch=patch))
        given = ActionInput(people=(f"{text[:40]}@example.com",))
        await self.do(
            ActOnDocument(
                tenant_id=tenant, document_id=identity, action=Action.REQUEST_REVIEW, given=given, caller=None
            )
        )
        await self.upload(tenant, identity)
        return identity

    async def upload(self, tenant: int, document_id: str) -> None:
        async with self.files.upload() as upload:
            await upload.write(b"%PDF-" + self.text(tenant).encode())
            received = await upload.received()
            file = StoredFile(upload.name, received.size, received.sha256, "application/pdf")
            await upload.store(file, "a.pdf")
            upload.keep()
        await self.do(
            AddVersion(tenant_id=tenant, document_id=document_id, file=file, publish=False, by=self.text(tenant))
        )

    async def attempt_all(self, tenant: int) -> None:
        """Have the tenant's lane note an attempt of each event, with what the endpoint answered."""
        [subscription] = [each for each in await self.store.lists.every(Subscription) if each.tenant_id == tenant]
        events = (await self.store.log.after(tenant, 0, 10_000)).events
        attempts = [
            AttemptRow(
                sequence=event.sequence, started_at=self.now, elapsed_us=1, number=1, run=0, counted=True, status=200,
                failure=None, detail=self.text(tenant), answer=self.text(tenant).encode(),
                exchange=self.text(tenant).encode(),
            )
            for event in events
        ]  # fmt: skip
        flush = LaneFlush(
            tenant_id=tenant, subscription_number=subscription.number, version=0, head=events[-1].sequence, open=(),
            gaps=(), health=EndpointHealth(), rows={}, abandoned_to=0, attempts=attempts, retries_done=(), look_up=(),
            refill=0, replays=(), feed=None, made={event.document_id: {"id": self.text(tenant)} for event in events},
        )  # fmt: skip
        assert await self.store.lanes.record([flush])

    def identity(self) -> str:
        return f"00000000-0000-4000-8000-{next(self.numbers):012d}"

    async def erase(self, stops_at: int = -1) -> None:
        """Raises Stopped, if that point is reached."""
        self.files.stops_at = self.files.points + stops_at if stops_at > 0 else -1
        store: Any = _Store(self.store, self.files)
        lanes: Any = _Lanes()
        await Eraser(store, self.files, lanes, self, asyncio.Event()).erase_all()

    def raw(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.folder.rglob("*") if path.is_file())

    def rows_of(self, tenant: int) -> dict[str, list[Any]]:
        """Every row of every table that has a tenant, and what belongs to its subscriptions."""
        connection = apsw.Connection(str(self.folder / "signalpost.db"), flags=apsw.SQLITE_OPEN_READONLY)
        found = {
            table: connection.execute(f"SELECT * FROM {table} WHERE tenant_id = ?", (tenant,)).fetchall()
            for table in tables_with_tenant(connection)
            # A start moves how much each data key may seal; the deletion of another tenant is told in our audit.
            if table not in ("data_key", "audit", "audit_end")
        }
        of_its = "subscription_number IN (SELECT number FROM subscription WHERE tenant_id = ?)"
        for table in ("lane", "made", "retry"):
            found[table] = connection.execute(f"SELECT * FROM {table} WHERE {of_its}", (tenant,)).fetchall()
        connection.close()
        return found

    def data_keys_of(self, tenant: int) -> int:
        connection = apsw.Connection(str(self.folder / "signalpost.db"), flags=apsw.SQLITE_OPEN_READONLY)
        found = connection.execute("SELECT count(*) FROM data_key WHERE tenant_id = ?", (tenant,)).get
        connection.close()
        return int(found)


def tables_with_tenant(connection: apsw.Connection) -> list[str]:
    statement = (
        "SELECT s.name FROM sqlite_schema s JOIN pragma_table_info(s.name) c"
        " WHERE s.type = 'table' AND c.name = 'tenant_id' ORDER BY 1"
    )
    return [name for (name,) in connection.execute(statement)]


Scenario = Callable[[House], Any]


def play(folder: Path, scenario: Scenario, seed: int = 1) -> None:
    async def whole() -> None:
        house = House(folder, seed)
        try:
            await house.do(CreateTenant(tenant_id=OURS, name="theirs"))
            await scenario(house)
        finally:
            await house.close()

    asyncio.run(whole())


async def delete_tenant(house: House) -> None:
    await house.do(DeleteTenant(tenant_id=OURS, name="theirs", erasure_id=house.identity()))


def test_every_table_that_has_a_tenant_is_thought_of(tmp_path: Path) -> None:
    async def scenario(house: House) -> None:
        connection = apsw.Connection(str(house.folder / "signalpost.db"), flags=apsw.SQLITE_OPEN_READONLY)
        assert set(tables_with_tenant(connection)) == {table.name for table in ROWS_OF_TENANT} | HANDLED_OTHERWISE
        connection.close()

    play(tmp_path, scenario)


@SETTINGS
@given(seed=st.integers(0, 2**32), documents=st.integers(1, 12), stops_at=st.integers(0, 40))
def test_nothing_of_an_erased_tenant_is_left_and_nothing_of_another_is_touched(
    tmp_path_factory: pytest.TempPathFactory, seed: int, documents: int, stops_at: int
) -> None:
    async def scenario(house: House) -> None:
        for tenant in (OURS, THEIRS):
            await house.furnish(tenant, documents)
            await house.attempt_all(tenant)
        assert CANARY.encode() in house.raw()
        before = house.rows_of(OURS)
        await delete_tenant(house)
        try:
            await house.erase(stops_at)
        except Stopped:
            await house.close()
            house.open()
            await house.erase()
        assert house.rows_of(OURS) == before
        assert CANARY.encode() not in house.raw()
        left = {table: rows for table, rows in house.rows_of(THEIRS).items() if rows}
        assert house.data_keys_of(THEIRS) == 0 < house.data_keys_of(OURS)
        assert set(left) <= {"api_key", "erasure", "subscription", "connection"}, (
            "the last two where theirs is the newest"
        )
        [erasure] = await house.store.erasures.page(None, 9)
        assert erasure.finished_at is not None
        assert erasure.removed > documents

    play(tmp_path_factory.mktemp("house"), scenario, seed)


def test_an_erasure_that_is_killed_at_any_point_resumes_and_ends(tmp_path: Path) -> None:
    for stops_at in count(1):
        if not killed_at(tmp_path / str(stops_at), stops_at):
            break
    assert stops_at > 20


def killed_at(folder: Path, stops_at: int) -> bool:
    """Whether an erasure was stopped at this point, after which another process ended it."""
    was_stopped = False

    async def scenario(house: House) -> None:
        nonlocal was_stopped
        for tenant in (OURS, THEIRS):
            await house.furnish(tenant, 2)
            await house.attempt_all(tenant)
        before = house.rows_of(OURS)
        await delete_tenant(house)
        try:
            await house.erase(stops_at)
        except Stopped:
            was_stopped = True
            await house.close()
            house.open()
            await house.erase()
        assert house.rows_of(OURS) == before
        assert CANARY.encode() not in house.raw()
        assert await house.store.erasures.pending() == []

    folder.mkdir()
    play(folder, scenario)
    return was_stopped


def test_an_erased_document_leaves_shells_and_other_documents_stay(tmp_path: Path) -> None:
    async def scenario(house: House) -> None:
        await house.furnish(OURS, 3)
        gone = await house.furnish(THEIRS, 1)
        await house.attempt_all(THEIRS)
        mine, theirs = house.rows_of(OURS), (await house.store.log.after(THEIRS, 0, 99)).events
        await house.do(DeleteDocument(tenant_id=THEIRS, document_id=gone[0]))
        erase = EraseDocument(tenant_id=THEIRS, tenant="theirs", document_id=gone[0], erasure_id=house.identity())
        await house.do(erase)
        await house.erase()
        assert house.rows_of(OURS) == mine
        left = (await house.store.log.after(THEIRS, 0, 99)).events
        assert [event.id for event in left[:-1]] == [event.id for event in theirs]
        assert [event.sequence for event in left] == list(range(1, len(left) + 1))
        assert all(map(is_erased, left))
        kept = [path.read_bytes() for path in (house.folder / "files").rglob("*") if path.is_file()]
        assert len(kept) == 3
        assert CANARY.encode() not in b"".join(kept)
        history = await house.store.history.page(THEIRS, gone[0], None, 99)
        assert history is not None
        rows = house.rows_of(THEIRS)
        assert rows["step"] == rows["version"] == rows["made"] == []
        assert all(attempt[-3:] == ("", b"", None) for attempt in rows["attempt"])
        # What has the canary still is not the document's.
        texts = [rows[table] for table in ("event", "document", "attempt", "erasure")]
        assert CANARY not in repr(texts)

    play(tmp_path, scenario)
