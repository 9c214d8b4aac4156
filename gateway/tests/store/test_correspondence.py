"""Every store keeps what contacts were told, from the moment at which a mail is begun until its row is removed. The
contacts themselves are sealed with their subscription."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.tests.bodies import subscription_patch
from gateway.tests.store.test_members import TENANT

from signalpost.commands.command import CompletedCommand
from signalpost.commands.correspondence import BeginMail, EndMail, UnsubscribeContact
from signalpost.commands.subscriptions import DeleteSubscription, PatchSubscription
from signalpost.domain.contacts import ContactIds
from signalpost.domain.operations.correspondence import APART, Correspondence, Knowledge
from signalpost.domain.subscription import Subscription
from signalpost.store.nouns.data_keys import SIGNS_ON
from signalpost.store.vault import CONTACTS, UNSUBSCRIBING

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

ADA, BOB = "Ada@example.com", "bob@example.com"
A, B = map(ContactIds(b"key").of, (ADA, BOB))
SUBSCRIPTION = "d24c0644-1d31-47fa-960e-b0cc8b4f136c"
KNOWN = {SUBSCRIPTION: Knowledge(TENANT, "subscriptionFailing")}


async def rows(shop: "Shop") -> Sequence[Correspondence]:
    return await shop.store.lists.every(Correspondence)


async def begun(shop: "Shop", *contacts: str) -> list[bool]:
    """Whether each of these mails began."""
    results = (await shop.publish(*(BeginMail(contact=each, says={}) for each in contacts))).results
    return [isinstance(each, CompletedCommand) and each.result.row is not None for each in results]


def ending(contact: str, at: int, known: dict[str, Knowledge], *, was_told: bool = True) -> EndMail:
    return EndMail(contact=contact, begun_at=at, known=known, was_told=was_told)


async def subscription_of_bob(shop: "Shop", make: type["Tools"]) -> str:
    """A subscription with two contacts, of whom Ada unsubscribed."""
    await shop.do(make.subscribe(1))
    made = make.subscription_id(1)
    patch = subscription_patch(contacts=[ADA, BOB])
    await shop.do(PatchSubscription(tenant_id=TENANT, subscription_id=made, patch=patch))
    await shop.do(UnsubscribeContact(tenant_id=TENANT, subscription_id=made, address=ADA))
    return made


def test_of_mails_to_an_address_one_begins_in_fifteen_minutes_whoever_asks(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        other = await shop.another()
        assert await begun(shop, A, B, A) == [True, True, False]
        assert await begun(other, A) == [False]
        shop.now += APART - 1
        assert await begun(other, A) == [False]
        shop.now += 1
        assert await begun(other, A) == [True]
        await shop.reopen()
        assert [(row.id, row.opened_at, row.begun_at) for row in await rows(shop)] == [
            (A, shop.now - APART, shop.now),
            (B, shop.now - APART, shop.now - APART),
        ]

    play(scenario)


def test_what_was_told_is_known_after_a_restart_and_what_another_mail_overtook_is_not(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        began = shop.now
        await begun(shop, A)
        await shop.do(ending(A, began, KNOWN))
        await shop.reopen()
        [row] = await rows(shop)
        assert (row.known, row.told_at, row.tenant_id) == (KNOWN, began, -2)
        shop.now += APART
        await begun(shop, A)
        await shop.do(ending(A, began, {}))
        [row] = await rows(shop)
        assert (row.known, row.told_at, row.begun_at) == (KNOWN, began, shop.now)

    play(scenario)


def test_what_a_mail_says_is_perhaps_known_until_it_ended(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        began = shop.now
        await shop.do(BeginMail(contact=A, says=KNOWN))
        await shop.reopen()
        [row] = await rows(shop)
        assert row.known == {SUBSCRIPTION: Knowledge(TENANT, "", "subscriptionFailing")}
        await shop.do(ending(A, began, KNOWN))
        shop.now += APART
        worse = {SUBSCRIPTION: Knowledge(TENANT, "subscriptionDisabled")}
        result = await shop.do(BeginMail(contact=A, says=worse))
        assert isinstance(result, CompletedCommand)
        assert result.result.before == KNOWN
        [row] = await rows(shop)
        assert row.known == {SUBSCRIPTION: Knowledge(TENANT, "subscriptionFailing", "subscriptionDisabled")}

    play(scenario)


def test_a_row_that_says_nothing_goes_once_the_next_mail_may_begin(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        began = shop.now
        await begun(shop, A, B)
        await shop.publish(ending(A, began, {}), ending(B, began, KNOWN))
        assert len(await rows(shop)) == 2
        shop.now += APART
        await shop.publish(ending(A, began, {}, was_told=False), ending(B, began, KNOWN, was_told=False))
        assert [row.id for row in await rows(shop)] == [B]
        assert await begun(shop, A) == [True]

    play(scenario)


def test_contacts_and_what_stands_for_them_outlive_a_change_of_the_master_key(
    play: "Play", make: type["Tools"]
) -> None:
    new = bytes(range(1, 33))

    async def scenario(shop: "Shop") -> None:
        await subscription_of_bob(shop, make)
        [key] = (await shop.store.data_keys.signing())[CONTACTS]
        await shop.do(BeginMail(contact=ContactIds(key.secret).of(BOB), says=KNOWN))
        told = await rows(shop)
        shop.master_keys = [new, *shop.master_keys]
        await shop.reopen()
        await shop.store.data_keys.wrap_with_current()
        shop.master_keys = [new]
        await shop.reopen()
        [found] = await shop.store.lists.every(Subscription)
        assert (found.contacts, found.unsubscribed) == ((ADA, BOB), (ADA,))
        assert (await shop.store.data_keys.signing())[CONTACTS] == [key]
        assert await rows(shop) == told
        signs, signed = (await shop.store.data_keys.signing())[UNSUBSCRIBING]
        assert (signs.retired_at, signed.retired_at) == (None, shop.now + SIGNS_ON)

    play(scenario)


def test_contacts_are_kept_sealed_and_go_with_their_subscription(play: "Play", make: type["Tools"]) -> None:
    async def scenario(shop: "Shop") -> None:
        one = await subscription_of_bob(shop, make)
        await shop.reopen()
        [found] = await shop.store.lists.every(Subscription)
        assert (found.contacts, found.unsubscribed, found.told_contacts) == ((ADA, BOB), (ADA,), (BOB,))
        await shop.do(UnsubscribeContact(tenant_id=TENANT, subscription_id=one, address=BOB))
        patch = subscription_patch(contacts=[BOB, ADA])
        await shop.do(PatchSubscription(tenant_id=TENANT, subscription_id=one, patch=patch))
        await shop.do(PatchSubscription(tenant_id=TENANT, subscription_id=one, patch=patch))
        [found] = await shop.store.lists.every(Subscription)
        assert found.unsubscribed == (BOB, ADA)
        version = found.version
        await shop.do(UnsubscribeContact(tenant_id=TENANT, subscription_id=one, address=ADA))
        [found] = await shop.store.lists.every(Subscription)
        assert found.version == version
        result = await shop.do(DeleteSubscription(tenant_id=TENANT, subscription_id=one))
        assert isinstance(result, CompletedCommand)
        assert (result.result.subscription.contacts, result.result.subscription.unsubscribed) == ((), ())

    play(scenario)
