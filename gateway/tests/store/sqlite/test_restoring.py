"""A restore takes data back to the backup, and lets no one in who was shut out since."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest
from gateway.tests.sqlite_file import database_file
from gateway.tests.store.test_members import accept, invite, member_id

from signalpost.api.guards.sessions import BrowserSessions
from signalpost.commands.command import Command
from signalpost.commands.connections import CreateConnection, DeleteConnection, PatchConnection
from signalpost.commands.correspondence import BeginMail, EndMail
from signalpost.commands.documents import DeleteDocument
from signalpost.commands.erasures import EraseDocument
from signalpost.commands.keys import CreateKey, RevokeKey
from signalpost.commands.members import ChangeMember, RemoveMember
from signalpost.commands.secrets import PromoteSecret, RotateSecret
from signalpost.commands.tenants import ChangeTenant, CreateTenant, DeleteTenant
from signalpost.domain.access.api_key import Role
from signalpost.domain.access.member import Member
from signalpost.domain.access.sign_in import Ground, Purpose
from signalpost.domain.connection import Connection
from signalpost.domain.contacts import ContactIds
from signalpost.domain.erasure import is_erased
from signalpost.domain.operations.correspondence import APART, Correspondence, Knowledge
from signalpost.domain.subscription import Subscription
from signalpost.store.database import AccessFrom, AccessTaken
from signalpost.store.migration import Migration
from signalpost.store.nouns.audit import AuditFilter
from signalpost.store.sqlite.connect import connect, rows
from signalpost.store.sqlite.database import SqliteDatabase
from signalpost.store.sqlite.restoring import take_access
from signalpost.store.sqlite.schema import MIGRATIONS, migrate
from signalpost.store.vault import EPOCH_AGE

TENANT = 1


def key_id(number: int) -> str:
    return f"00000000-0000-4000-b000-{number:012d}"


def create_key(number: int, tenant_id: int = TENANT) -> CreateKey:
    name = f"key {number}"
    return CreateKey(
        tenant_id=tenant_id, tenant="t", key_id=key_id(number), name=name, role=Role.APP, key=f"sp_{number}"
    )


def revoke(number: int) -> RevokeKey:
    return RevokeKey(tenant_id=TENANT, key_id=key_id(number))


def connection_id(number: int) -> str:
    return f"00000000-0000-4000-c000-{number:012d}"


class Restore:
    """A shop whose database is backed up, changed and restored."""

    def __init__(self, shop: Any, tmp_path: Path) -> None:
        self.shop = shop
        self.backup = tmp_path / "backup.db"
        self._database = SqliteDatabase(database_file(shop.folder))

    async def back_up(self) -> None:
        self._database.back_up(self.backup, 0)

    async def run(self, access: AccessFrom = "replaced", damage: bool = False) -> AccessTaken | None:
        taken: list[AccessTaken | None] = []

        def restore() -> None:
            if damage:
                database_file(self.shop.folder).write_bytes(b"no database" * 999)
            taken.append(self._database.restore(self.backup, access, self.shop.now).access)
            assert self._database.check() == []

        await self.shop.reopen(restore)
        return taken[0]

    async def working_keys(self) -> set[str]:
        return {key.name for key in await self.shop.store.access.keys()}


@pytest.fixture
def restoring(play: Any, tmp_path: Path) -> Any:
    def run(scenario: Any) -> None:
        play(lambda shop: scenario(shop, Restore(shop, tmp_path)))

    return run


async def audited(shop: Any) -> list[tuple[str, str]]:
    """What the audit tells of, once it was verified."""
    verified = await shop.store.audit.verify()
    assert verified.fault is None
    page = await shop.store.audit.page(TENANT, AuditFilter(), 0, 250)
    told = [json.loads(entry.content) for entry in page.entries]
    return [(each["action"], each["object"]["id"]) for each in told]


def test_the_audit_goes_on_from_where_it_was_and_tells_of_the_restore(restoring: Any) -> None:
    async def scenario(shop: Any, restore: Restore) -> None:
        await shop.publish(create_key(1))
        await restore.back_up()
        await shop.publish(CreateTenant(tenant_id=TENANT, name="acme"))
        [*_, acme] = await shop.store.access.tenants()
        await shop.publish(create_key(2, acme.id), revoke(1))
        await restore.run()
        assert await audited(shop) == [
            ("key.create", key_id(1)),
            ("tenant.create", "acme"),
            ("key.revoke", key_id(1)),
            ("database.restore", "database"),
        ]
        await shop.publish(CreateTenant(tenant_id=TENANT, name="other"))
        *_, other = await shop.store.access.tenants()
        assert other.id > acme.id, "nobody gets the entries of a tenant that the backup does not know"

    restoring(scenario)


def test_without_the_replaced_database_the_audit_is_that_of_the_backup(restoring: Any) -> None:
    async def scenario(shop: Any, restore: Restore) -> None:
        await shop.publish(create_key(1))
        await restore.back_up()
        await shop.publish(create_key(2))
        await restore.run(damage=True)
        assert await audited(shop) == [("key.create", key_id(1)), ("database.restore", "database")]

    restoring(scenario)


def test_events_are_kept_after_a_restore_for_as_long_as_before_it(restoring: Any) -> None:
    async def scenario(shop: Any, restore: Restore) -> None:
        await shop.do(ChangeTenant(tenant_id=TENANT, name="default", retention_days=7))
        await restore.back_up()
        await shop.do(ChangeTenant(tenant_id=TENANT, name="default", retention_days=400))
        await restore.run()
        assert [tenant.retention_days for tenant in await shop.store.access.tenants()] == [90, 400]
        await shop.do(ChangeTenant(tenant_id=TENANT, name="default", retention_days=None))
        await restore.run()
        assert [tenant.retention_days for tenant in await shop.store.access.tenants()] == [90, None]

    restoring(scenario)


def test_a_key_works_after_a_restore_where_it_worked_before_it(restoring: Any) -> None:
    async def scenario(shop: Any, restore: Restore) -> None:
        await shop.publish(create_key(1), create_key(2))
        await restore.back_up()
        await shop.publish(revoke(1), create_key(3), create_key(4), revoke(4))
        taken = await restore.run()
        assert taken is not None
        assert (taken.keys_revoked, taken.keys_made) == (("key 1",), ("key 3",))
        assert await restore.working_keys() == {"key 2", "key 3"}

    restoring(scenario)


def test_without_the_replaced_database_every_key_is_revoked(restoring: Any) -> None:
    async def scenario(shop: Any, restore: Restore) -> None:
        await shop.publish(create_key(1), create_key(2))
        await restore.back_up()
        taken = await restore.run(damage=True)
        assert taken == AccessTaken(is_known=False, keys_revoked=("key 1", "key 2"))
        assert await restore.working_keys() == set()
        assert await restore.run("backup") is None
        assert await restore.working_keys() == {"key 1", "key 2"}, "who asks for it has the backup's keys"

    restoring(scenario)


def test_nobody_is_signed_in_after_a_restore(restoring: Any) -> None:
    async def scenario(shop: Any, restore: Restore) -> None:
        sessions = BrowserSessions(shop.store.sign_ins, lambda: shop.now, lambda length: bytes(length))
        ground = Ground("key", key_id(1), b"hash")
        token = await sessions.begin(Purpose.CONSOLE, ground)
        link = await sessions.make_link(Purpose.CONSOLE, ground)
        await restore.back_up()
        await restore.run()
        restored = BrowserSessions(shop.store.sign_ins, lambda: shop.now, lambda length: bytes(length))
        assert await restored.find(token, Purpose.CONSOLE) is None
        assert await restored.use_link(link, Purpose.CONSOLE) is None

    restoring(scenario)


def test_members_have_after_a_restore_what_they_had_before_it(restoring: Any) -> None:
    async def scenario(shop: Any, restore: Restore) -> None:
        await shop.publish(invite(1), accept(1), invite(2), accept(2))
        await restore.back_up()
        await shop.do(RemoveMember(tenant_id=TENANT, member_id=member_id(1)))
        await shop.do(ChangeMember(tenant_id=TENANT, tenant="t", member_id=member_id(2), role=Role.OPERATOR))
        await shop.publish(create_key(1), invite(3), accept(3))
        await restore.run()
        access = shop.store.access
        assert not (await access.member(member_id(1))).is_active
        promoted = await access.member(member_id(2))
        assert (promoted.role, promoted.generation) == ("operator", 3)
        assert (await access.member(member_id(3))).is_active
        numbers = [each.number for each in [*await access.keys(), *await shop.store.lists.page(Member, None, None, 9)]]
        assert len({*numbers}) == 3

    restoring(scenario)


def test_without_the_replaced_database_no_member_has_a_password(restoring: Any) -> None:
    async def scenario(shop: Any, restore: Restore) -> None:
        await shop.publish(invite(1), accept(1))
        await restore.back_up()
        await restore.run(damage=True)
        member = await shop.store.access.member(member_id(1))
        assert (member.is_active, member.name, member.generation) == (False, "Member 1", 3)

    restoring(scenario)


def test_a_rotated_secret_stays_rotated_and_the_log_goes_back(restoring: Any, make: Any) -> None:
    async def scenario(shop: Any, restore: Restore) -> None:
        await shop.do(make.subscribe(1, secret="the old secret"))
        await shop.do(make.subscribe(2))
        await shop.fill(3)
        await restore.back_up()
        await shop.fill(4)
        await rotate(shop, make, 1, "the new secret")
        await shop.do(make.change(1, eventTypes=["documentDeleted"]))
        await shop.fill(1)
        taken = await restore.run()
        assert taken is not None
        assert (taken.secrets_taken, taken.subscriptions) == (True, 1)
        found = await shop.subscription(1)
        assert found.secret == "the new secret"
        assert found.event_types == ("documentDeleted",)
        assert found.filters[-1][0] == 3, "what counts by the log counts by the restored log"
        assert [event.sequence for event in (await shop.store.log.after(TENANT, 0, 9)).events] == [1, 2, 3]

    restoring(scenario)


async def rotate(shop: Any, make: Any, number: int, secret: str) -> None:
    which: dict[str, Any] = {"tenant_id": TENANT, "subscription_id": make.subscription_id(number)}
    await shop.do(RotateSecret(**which, secret=secret, overlap_hours=24))
    await shop.do(PromoteSecret(**which))


def test_what_was_deleted_since_comes_back_without_effect(restoring: Any, make: Any) -> None:
    async def scenario(shop: Any, restore: Restore) -> None:
        await shop.do(make.subscribe(1))
        await shop.do(create_connection(1))
        await restore.back_up()
        await shop.publish(make.unsubscribe(1), delete_connection(1))
        taken = await restore.run()
        assert taken is not None
        assert taken.stopped == (f"subscription {make.subscription_id(1)}", f"connection {connection_id(1)}")
        assert (await shop.subscription(1)).status == "paused"
        [connection] = await shop.store.lists.every(Connection)
        assert (connection.state, connection.granted) == ("broken", None)

    restoring(scenario)


@pytest.mark.parametrize("damage", [False, True])
def test_an_address_knows_after_a_restore_what_it_was_told_and_not_what_it_was_told_at_the_backup(
    restoring: Any, *, damage: bool
) -> None:
    ada, bob, eve = map(ContactIds(b"key").of, ("ada@example.com", "bob@example.com", "eve@example.com"))
    known = {"d24c0644-1d31-47fa-960e-b0cc8b4f136c": Knowledge(TENANT, "subscriptionFailing")}

    async def tell(shop: Any, contact: str, knows: dict[str, Knowledge]) -> None:
        await shop.publish(BeginMail(contact=contact, says=knows))
        await shop.do(EndMail(contact=contact, begun_at=shop.now, known=knows, was_told=True))

    async def scenario(shop: Any, restore: Restore) -> None:
        await tell(shop, ada, known)
        await restore.back_up()
        shop.now += APART
        await tell(shop, ada, {})
        await tell(shop, bob, known)
        before = await shop.store.lists.every(Correspondence)
        await restore.run(damage=damage)
        rows = await shop.store.lists.every(Correspondence)
        if damage:
            assert [(row.id, row.known) for row in rows] == [(ada, known)]
        else:
            assert rows == before
        shop.now += APART
        await tell(shop, eve, known)  # its row gets a number of its own

    restoring(scenario)


def create_connection(number: int) -> Command[Any]:
    return CreateConnection(
        tenant_id=TENANT, connection_id=connection_id(number), kind="http", name="n", config={"token": "old"},
        needs_consent=False,
    )  # fmt: skip


def delete_connection(number: int) -> Command[Any]:
    return DeleteConnection(tenant_id=TENANT, connection_id=connection_id(number))


def test_a_connection_keeps_the_token_that_it_was_given_since(restoring: Any) -> None:
    async def scenario(shop: Any, restore: Restore) -> None:
        await shop.do(create_connection(1))
        await restore.back_up()
        await shop.do(
            PatchConnection(
                tenant_id=TENANT, connection_id=connection_id(1), config={"token": "new"}, url="https://example.com",
                needs_consent=False, of_version=1,
            )
        )  # fmt: skip
        taken = await restore.run()
        assert taken is not None
        assert taken.connections == 1
        [connection] = await shop.store.lists.every(Connection)
        assert connection.config == {"token": "new"}

    restoring(scenario)


def test_tenants_stay_paused_and_deleted_with_all_that_they_have(restoring: Any, make: Any) -> None:
    async def scenario(shop: Any, restore: Restore) -> None:
        for name in ("paused", "deleted"):
            await shop.do(CreateTenant(tenant_id=TENANT, name=name))
        await shop.publish(create_key(1, tenant_id=3), make.create(1, tenant=3))
        await restore.back_up()
        await shop.do(ChangeTenant(tenant_id=TENANT, name="paused", status="paused"))
        await shop.do(DeleteDocument(tenant_id=3, document_id=make.document_id(1)))
        await shop.do(DeleteTenant(tenant_id=TENANT, name="deleted", erasure_id=key_id(9)))
        taken = await restore.run()
        assert taken is not None
        assert (taken.tenants_paused, taken.tenants_deleted) == (("paused",), ("deleted",))
        assert taken.keys_revoked == ("key 1",)
        left = {tenant.name: tenant.paused_at is not None for tenant in await shop.store.access.tenants()}
        assert left == {"operations": False, "default": False, "paused": True}
        await shop.do(CreateTenant(tenant_id=TENANT, name="deleted"))

    restoring(scenario)


def test_what_was_erased_since_is_erased_again(restoring: Any, make: Any) -> None:
    async def scenario(shop: Any, restore: Restore) -> None:
        await shop.do(CreateTenant(tenant_id=TENANT, name="deleted"))
        await shop.publish(make.create(1), make.create(2), make.create(3, tenant=2))
        await restore.back_up()
        await shop.do(make.delete(1))
        erase = {"tenant_id": TENANT, "tenant": "default", "document_id": make.document_id(1)}
        await shop.do(EraseDocument(**erase, erasure_id=key_id(1)))
        await shop.do(DeleteTenant(tenant_id=TENANT, name="deleted", erasure_id=key_id(2)))
        for erasure in await shop.store.erasures.pending():
            await shop.store.erasures.finish(erasure, shop.now)
        assert await shop.store.erasures.pending() == []
        await restore.run()
        pending = await shop.store.erasures.pending()
        assert [(each.tenant, each.document_id) for each in pending] == [
            ("default", make.document_id(1)),
            ("deleted", None),
        ]
        for erasure in pending:
            while await shop.store.erasures.erase_part(erasure, 10):
                pass
        assert [row.external_id for row in await shop.documents()] == [make.document_id(2)]
        assert await shop.documents(tenant=2) == []
        assert [*map(is_erased, (await shop.store.log.after(TENANT, 0, 9)).events)] == [True, False]

    restoring(scenario)


def test_secrets_of_another_version_are_left_and_its_revocations_are_not(restoring: Any, make: Any) -> None:
    async def scenario(shop: Any, restore: Restore) -> None:
        await shop.publish(create_key(1))
        await shop.do(make.subscribe(1, secret="the old secret"))
        await restore.back_up()
        await shop.publish(revoke(1))
        await rotate(shop, make, 1, "the new secret")
        newer = apsw.Connection(str(database_file(shop.folder)))
        newer.execute("INSERT INTO migration VALUES (999, 'later', '', 0, 1)")
        newer.close()
        taken = await restore.run()
        assert taken is not None
        assert (taken.secrets_taken, taken.keys_revoked) == (False, ("key 1",))
        assert (await shop.subscription(1)).secret == "the old secret"

    restoring(scenario)


LATER = Migration(MIGRATIONS[-1].number + 1, "later", "ALTER TABLE api_key ADD COLUMN later TEXT", 1)
"""A migration that a later version may have."""


@pytest.mark.parametrize("version", [each.number for each in MIGRATIONS])
def test_a_backup_of_any_version_takes_what_it_can_of_the_access_of_now(version: int, tmp_path: Path) -> None:
    """A key of the replaced database may have columns that the backup has not."""
    backup, replaced = tmp_path / "backup.db", tmp_path / "replaced.db"
    for path, known in ((backup, MIGRATIONS[:version]), (replaced, (*MIGRATIONS, LATER))):
        with closing(connect(path)) as connection:
            migrate(connection, 0, known)
    assert take_access(backup, replaced, 1).is_known
    with closing(connect(replaced)) as connection:
        assert rows(connection, "SELECT count(*) FROM member") == [(0,)]


def test_restores_of_two_backups_in_turn_leave_every_secret_readable(restoring: Any, make: Any) -> None:
    """Two lines of one history give their data keys different numbers, and a restore keeps those of both."""

    async def scenario(shop: Any, restore: Restore) -> None:
        await shop.do(make.subscribe(1, secret="the first secret"))
        await restore.back_up()
        earlier = restore.backup.rename(restore.backup.with_name("earlier.db"))
        shop.now += EPOCH_AGE
        await shop.do(make.subscribe(2, secret="the second secret"))
        await restore.back_up()
        later = restore.backup
        for backup in (earlier, later, earlier, later):
            restore.backup = backup
            await restore.run()
            await rotate(shop, make, 1, f"a secret given at {shop.now}")
            found = {each.id: each.secret for each in await shop.store.lists.every(Subscription)}
            assert len(found) == (1 if backup is earlier else 2)
            assert found[make.subscription_id(1)] == f"a secret given at {shop.now}"
            assert found.get(make.subscription_id(2), "the second secret") == "the second secret"
            shop.now += 1

    restoring(scenario)
