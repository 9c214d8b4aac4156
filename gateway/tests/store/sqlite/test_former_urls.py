"""URLs of subscriptions are sealed, also those that an earlier version kept in plain text."""

from typing import TYPE_CHECKING, Any

import apsw
from gateway.tests.sqlite_file import database_file, keep_url_in_plain

from signalpost.commands.tenants import DeleteTenant
from signalpost.store.sqlite.database import SqliteDatabase

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

CANARY = "canary-of-a-query"
URL = f"https://hooks.example.com/in?sig={CANARY}"


def holds(shop: "Shop", text: str) -> bool:
    """Whether the files of the database have a text in plain."""
    return any(text.encode() in file.read_bytes() for file in shop.folder.iterdir() if "signalpost.db" in file.name)


def test_a_url_is_nowhere_in_the_database(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.subscribe(1, url=URL, name="a name in plain"))
        await shop.publish(make.change(1, url=f"{URL}2"))
        assert not holds(shop, CANARY)
        await shop.reopen()
        assert holds(shop, "a name in plain")
        assert not holds(shop, CANARY)
        assert (await shop.subscription(1)).url == f"{URL}2"

    play(scenario)


def test_a_start_seals_what_was_kept_in_plain(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.subscribe(1), make.subscribe(2, name="Named"), make.subscribe(3, url="https://own/"))
        await shop.publish(make.unsubscribe(2))

        def lay_out() -> None:
            keep_url_in_plain(database_file(shop.folder), 1, URL, shop.master_keys[0], name=URL)
            keep_url_in_plain(database_file(shop.folder), 2, URL, shop.master_keys[0])
            assert holds(shop, CANARY)

        await shop.reopen(lay_out)
        found = await shop.subscription(1)
        assert (found.url, found.name, found.version) == (URL, "hooks.example.com", 1)
        assert (await shop.subscription(3)).url == "https://own/"
        await shop.reopen()  # its WAL is copied back
        assert not holds(shop, CANARY)
        assert (await shop.subscription(1)).url == URL

    play(scenario)


def test_a_url_that_somebody_writes_beside_the_seal_is_not_sent_to(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.subscribe(1, url=URL))
        connection = apsw.Connection(str(database_file(shop.folder)))
        config = connection.execute("SELECT config FROM subscription").get
        forged = config[:-1] + b',"url":"https://elsewhere.example.com/"}'
        connection.execute("UPDATE subscription SET config = ?", (forged,))
        connection.close()
        assert (await shop.subscription(1)).url == URL
        await shop.reopen()
        assert (await shop.subscription(1)).url == URL

    play(scenario)


def test_what_a_deleted_tenant_left_is_passed_over(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        other = await shop.add_tenant()
        await shop.publish(make.subscribe(1, tenant=other))
        name = next(tenant.name for tenant in await shop.store.access.tenants() if tenant.id == other)
        await shop.publish(DeleteTenant(tenant_id=1, name=name, erasure_id=make.document_id(9)))
        await shop.reopen(lambda: keep_url_in_plain(database_file(shop.folder), 1, URL, shop.master_keys[0]))
        assert await shop.store.subscriptions.live() == []

    play(scenario)


def test_a_restore_keeps_a_url_where_it_is(play: "Play", make: "type[Tools]", tmp_path: Any) -> None:
    """An older backup, restored: a subscription that was deleted since is paused, and its URL is sealed by the
    start."""

    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.subscribe(1))
        database = SqliteDatabase(database_file(shop.folder))
        backup = tmp_path / "backup.db"
        database.back_up(backup, 0)
        keep_url_in_plain(backup, 1, URL, shop.master_keys[0])
        await shop.publish(make.unsubscribe(1))
        await shop.reopen(lambda: database.restore(backup, "replaced", shop.now))
        found = await shop.subscription(1)
        assert (found.url, found.status) == (URL, "paused")

    play(scenario)
