"""The contract of a store: what a node reads of described tables when it starts."""

from typing import TYPE_CHECKING

from signalpost.domain.subscription import Subscription

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools


def test_a_start_finds_every_subscription_however_many_reads_that_takes(play: "Play", make: "Tools") -> None:
    count = 1_003  # a whole read, and one that goes on after it

    async def scenario(shop: "Shop") -> None:
        await shop.publish(*(make.subscribe(number) for number in range(1, count + 1)))
        deleted = {1, 1_000, count}
        await shop.publish(*(make.unsubscribe(number) for number in deleted))
        found = await shop.store.lists.every(Subscription)
        left = [number for number in range(1, count + 1) if number not in deleted]
        assert [each.id for each in found] == [make.subscription_id(number) for number in left]
        assert [each.number for each in found] == left
        assert len({each.secret for each in found}) == 1, "every one of them opens"

    play(scenario)
