"""Data keys in a database: made, set aside, destroyed; and what somebody who can write the database gets past them."""

from typing import TYPE_CHECKING, Any

import apsw
import pytest
from gateway.tests.vaults import sealed_before_data_keys

from signalpost.domain.errors import StartError
from signalpost.store.vault import EPOCH_AGE, SEALING, SEALS_AT_ONCE, SEALS_OF_AN_EPOCH

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools


def data_keys(shop: "Shop") -> list[Any]:
    connection = apsw.Connection(str(shop.folder / "signalpost.db"))
    columns = "SELECT tenant_id, retired_at, seals FROM data_key WHERE purpose = ? ORDER BY made_at"
    found = connection.execute(columns, (SEALING,)).fetchall()
    connection.close()
    return found


def test_a_new_epoch_begins_with_age_and_with_use(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.subscribe(1)
        assert data_keys(shop) == [(1, None, SEALS_AT_ONCE)]
        await shop.reopen()
        await shop.subscribe(2)
        assert data_keys(shop) == [(1, None, 2 * SEALS_AT_ONCE)], "nobody knows how many a process had used"
        shop.now += EPOCH_AGE
        await shop.subscribe(3)
        aged = shop.now
        assert data_keys(shop) == [(1, aged, 2 * SEALS_AT_ONCE), (1, None, SEALS_AT_ONCE)]
        for _ in range(SEALS_OF_AN_EPOCH // SEALS_AT_ONCE):
            shop.now += 1
            await shop.reopen()
            await shop.store.data_keys.provide({1})
        kept = data_keys(shop)
        assert [retired for _, retired, _ in kept] == [aged, shop.now, None]
        assert max(seals for *_, seals in kept) == SEALS_OF_AN_EPOCH
        assert len(await shop.store.subscriptions.live()) == 3, "every epoch's values still open"

    play(scenario)


def test_forgetting_a_tenant_destroys_its_data_keys_and_no_other(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        other = await shop.add_tenant()
        await shop.publish(make.subscribe(1), make.subscribe(2, tenant=other))
        wrapped = [row[0] for row in raw(shop, "SELECT wrapped FROM data_key WHERE tenant_id = ?", other)]
        await shop.store.data_keys.forget(other)
        with pytest.raises(StartError):
            await shop.store.subscriptions.page(other, None, 10)
        assert len(await shop.store.subscriptions.page(1, None, 10)) == 1
        raw(shop, "DELETE FROM subscription WHERE tenant_id = ?", other)
        await shop.reopen()  # its WAL is copied back
        kept = (shop.folder / "signalpost.db").read_bytes()
        assert wrapped
        assert not any(key in kept for key in wrapped), "not in the pages that it left either"

    play(scenario)


def raw(shop: "Shop", statement: str, *bindings: Any) -> list[Any]:
    connection = apsw.Connection(str(shop.folder / "signalpost.db"))
    found = connection.execute(statement, bindings).fetchall()
    connection.close()
    return found


def test_a_row_s_former_value_or_another_row_s_is_refused(play: "Play", make: "type[Tools]") -> None:
    """Whoever can write the database, and has no key, can put no secret in another's place, or an earlier one back."""

    async def scenario(shop: "Shop") -> None:
        other = await shop.add_tenant()
        await shop.publish(make.subscribe(1), make.subscribe(2), make.subscribe(3, tenant=other))
        ((before,),) = raw(shop, "SELECT sealed FROM subscription WHERE number = 1")
        await shop.publish(make.change(1, headers={"x": "y"}))
        ((after,),) = raw(shop, "SELECT sealed FROM subscription WHERE number = 1")
        ((second,),) = raw(shop, "SELECT sealed FROM subscription WHERE number = 2")
        ((third,),) = raw(shop, "SELECT sealed FROM subscription WHERE number = 3")
        for put_there in (before, second, third):
            raw(shop, "UPDATE subscription SET sealed = ? WHERE number = 1", put_there)
            with pytest.raises(StartError, match="another place"):
                await shop.store.subscriptions.live()
        raw(shop, "UPDATE subscription SET sealed = ? WHERE number = 1", after)
        assert (await shop.subscription(1)).headers == {"x": "y"}

    play(scenario)


def test_a_database_of_before_data_keys_is_opened_and_sealed_anew_as_it_changes(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.subscribe(1, secret="an-owner-s-secret"), make.subscribe(2))
        former = sealed_before_data_keys(
            b'{"secret":"an-owner-s-secret","headers":{}}',
            f"subscription {make.subscription_id(1)}",
            shop.master_keys[0],
        )
        raw(shop, "UPDATE subscription SET sealed = ? WHERE number = 1", former)
        raw(shop, "DELETE FROM data_key WHERE tenant_id = 0")
        await shop.reopen()
        assert (await shop.subscription(1)).secret == "an-owner-s-secret"
        await shop.publish(make.change(1, headers={"x": "y"}))
        ((sealed,),) = raw(shop, "SELECT sealed FROM subscription WHERE number = 1")
        assert sealed.startswith(b"sealed 2")
        assert (await shop.subscription(1)).secret == "an-owner-s-secret"

    play(scenario)
