"""The contract of a store: tries of passwords are counted once over all nodes."""

import asyncio
from typing import TYPE_CHECKING

from signalpost.api.guards.sign_in_tries import SignInTries
from signalpost.domain.access.sign_in_tries import KNOWN_FOR, OF_ACCOUNT, OF_ADDRESS, Count, Counts, a_try

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop

HOME = "192.0.2.1"


def tries(shop: "Shop", clock: "Shop") -> SignInTries:
    return SignInTries(shop.store.sign_ins, lambda: clock.now)


async def taken(desks: list[SignInTries], account: str, count: int) -> int:
    """How many of so many tries at once, in turns at these desks and each from an address of its own, may go on."""
    asked = [desks[n % len(desks)].take(account, f"203.0.113.{n}") for n in range(count)]
    return sum(wait == 0 for wait in await asyncio.gather(*asked))


async def kept(shop: "Shop", account: str, address: str) -> Counts:
    def look(counts: Counts) -> tuple[Counts, Counts]:
        return counts, {}

    found = await shop.store.sign_ins.count_tries(a_try(account, address), shop.now, look)
    return {each: count for each, count in found.items() if count != Count(0, 0)}


def test_an_account_is_tried_as_often_over_two_nodes_as_on_one(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        here, there = tries(shop, shop), tries(await shop.another(), shop)
        assert await taken([here, there], "ada", 20) == OF_ACCOUNT.at_once
        assert await taken([here, there], "ada", 4) == 0
        assert await taken([there], "bob", 20) == OF_ACCOUNT.at_once
        shop.now += OF_ACCOUNT.every
        assert await taken([there, here], "ada", 4) == 1

    play(scenario)


def test_an_address_tries_as_often_at_two_nodes_as_at_one(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        desks = [tries(shop, shop), tries(await shop.another(), shop)]
        waits = [await desks[n % 2].take(f"account {n}", HOME) for n in range(OF_ADDRESS.at_once + 2)]
        assert [wait > 0 for wait in waits] == [False] * OF_ADDRESS.at_once + [True] * 2

    play(scenario)


def test_whoever_signed_in_at_one_node_is_known_at_the_other_and_after_a_restart(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        there = tries(await shop.another(), shop)
        here = tries(shop, shop)
        assert await here.take("ada", HOME) == 0
        await here.note_success("ada", HOME)
        await taken([here, there], "ada", 20)
        assert await there.take("ada", HOME) == 0
        await shop.reopen()
        again = tries(shop, shop)
        left = [await again.take("ada", HOME) for _ in range(OF_ACCOUNT.at_once)]
        assert [wait > 0 for wait in left] == [False] * (OF_ACCOUNT.at_once - 1) + [True]
        assert await again.take("ada", "192.0.2.99") > 0

    play(scenario)


def test_what_no_longer_counts_is_removed(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        desk = tries(shop, shop)
        await desk.take("ada", HOME)
        await desk.know("ada", HOME)
        assert len(await kept(shop, "ada", HOME)) == 3
        shop.now += OF_ACCOUNT.every
        await desk.take("bob", "192.0.2.2")
        assert len(await kept(shop, "ada", HOME)) == 1, "from where she signed in is remembered"
        shop.now += KNOWN_FOR
        await desk.take("bob", "192.0.2.2")
        assert await kept(shop, "ada", HOME) == {}

    play(scenario)
