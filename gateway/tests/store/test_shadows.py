"""Shadows on every database: they follow their originals in the same commit, and what both were answered is found."""

from typing import TYPE_CHECKING, Any

from gateway.tests.bodies import subscription_patch
from msgspec.structs import replace

from signalpost.commands.command import CompletedCommand
from signalpost.commands.shadows import CreateShadow, PromoteShadow
from signalpost.commands.subscriptions import PatchSubscription
from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.shadow import ShadowRequest
from signalpost.store.nouns.deliveries import AttemptRow
from signalpost.store.nouns.log import END_OF_LOG

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

NEW = "https://new.example/hook"


def shadow(make: "type[Tools]", number: int, of: int, url: str = NEW) -> CreateShadow:
    return CreateShadow(
        tenant_id=1,
        subscription_id=make.subscription_id(number),
        new=ShadowRequest(shadow_of=make.subscription_id(of), url=url),
        secret="a secret of its own",
    )


def promote(make: "type[Tools]", number: int, of: int) -> PromoteShadow:
    return PromoteShadow(tenant_id=1, subscription_id=make.subscription_id(number), shadow_of=make.subscription_id(of))


def attempt(sequence: int, status: int, answer: bytes, **given: Any) -> AttemptRow:
    failed = None if status < 300 else Failure.STATUS
    row = AttemptRow(sequence, 1_000 + sequence, 500, 1, 0, True, status, failed, "", answer)
    return replace(row, **given)


def test_a_shadow_follows_its_original_in_one_batch_and_in_later_ones(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.subscribe(1, eventTypes=1)
        when = {"field": "document.title", "is": "x"}
        published = await shop.publish(shadow(make, 2, 1), make.change(1, eventTypes=2), shadow(make, 3, 1))
        assert [isinstance(each, CompletedCommand) for each in published.results] == [True, True, False]
        made = await shop.subscription(2)
        assert (made.shadow_of, made.event_types) == (make.subscription_id(1), ("documentUpdated",))
        await shop.reopen()
        await shop.do(make.change(1, when=when))
        assert (await shop.subscription(2)).when == when
        await shop.do(make.unsubscribe(2))
        await shop.do(shadow(make, 3, 1))
        await shop.publish(make.change(1, name="Another"), make.unsubscribe(1), make.change(3, name="Gone"))
        assert await shop.store.lists.every(type(made)) == []

    play(scenario)


def test_a_change_of_a_shadow_sees_its_original(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        original = await shop.subscribe(1, url="https://old.example/a", headers={"x-key": "1"})
        await shop.do(shadow(make, 2, 1, "https://old.example/b"))
        assert (await shop.subscription(2)).headers == {"x-key": "1"}
        patch = subscription_patch(url="https://new.example/", headers={})
        await shop.do(
            PatchSubscription(tenant_id=1, subscription_id=make.subscription_id(2), patch=patch, shadow_of=original.id)
        )
        assert (await shop.subscription(2)).headers == {}
        await shop.do(promote(make, 2, 1))
        one, other = await shop.subscription(1), await shop.subscription(2)
        assert (one.url, one.headers, one.secret) == ("https://new.example/", {}, "a secret of its own")
        assert (other.url, other.headers, other.secret) == (original.url, original.headers, original.secret)
        assert other.shadow_of == original.id

    play(scenario)


def test_the_last_attempts_of_events_that_both_got_are_found_in_parts(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.fill(2)
        await shop.subscribe(1, eventTypes=1)
        await shop.do(shadow(make, 2, 1))
        await shop.fill(6, documents=100)
        original, other = await shop.subscription(1), await shop.subscription(2)
        both = [attempt(each, 200, b"ok") for each in (3, 4, 6)]
        again = attempt(4, 503, b"busy", started_at=2_000, number=2)
        await shop.record(make.flush(original, 0, 8, attempts=[*both, again, attempt(7, 200, b"")]))
        await shop.record(make.flush(other, 0, 8, attempts=[attempt(each, 200, b"new") for each in (3, 4, 6, 8)]))
        deliveries = shop.store.deliveries
        part = await deliveries.pairs(original, other, END_OF_LOG, 4)
        assert ([(one.sequence, two.answer) for one, two in part.pairs], part.reached) == ([(6, b"new")], 5)
        rest = await deliveries.pairs(original, other, 5, 4)
        assert [(one.sequence, one.status, two.status) for one, two in rest.pairs] == [(4, 503, 200), (3, 200, 200)]
        assert rest.reached is None
        entries = await deliveries.entries(1, [3, 4, 99])
        assert sorted(entries) == [3, 4]

    play(scenario)
