"""The contract of a store: what is to expire, and the history of documents."""

from itertools import product
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from signalpost.commands.command import CompletedCommand
from signalpost.commands.documents import DocumentImported, Effect
from signalpost.commands.keys import CreateKey, RevokeKey
from signalpost.domain.access.api_key import Role
from signalpost.domain.event import EventType
from signalpost.domain.timestamps import SECOND

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

HOUR = 3600 * SECOND
KEY_ID = "00000000-0000-7000-b000-000000000001"


def changed_nothing(result: object) -> bool:
    return isinstance(result, DocumentImported) and result.effect is Effect.UNCHANGED


async def ask_for_signature(shop: "Shop", make: "type[Tools]", number: int, expires_at: int) -> None:
    await shop.publish(make.create(number))
    await shop.do(make.act(number, "requestSignature", people=("a@x", "b@x"), expires_at=expires_at))


# --- What is to expire ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 250])
def test_signature_requests_are_found_by_the_time_at_which_they_expire(
    play: "Play", make: "type[Tools]", limit: int
) -> None:
    """Some share their time, and a restart changes nothing."""

    async def scenario(shop: "Shop") -> None:
        times = {number: shop.now + Random(number).randrange(1, 5) * HOUR for number in range(1, 9)}
        for number, at in times.items():
            await ask_for_signature(shop, make, number, at)
        await shop.reopen()
        found = await shop.expiring(limit)
        assert [expiry.at for expiry in found] == sorted(times.values())
        assert {expiry.document_id: expiry.at for expiry in found} == {
            make.document_id(number): at for number, at in times.items()
        }

    play(scenario)


@pytest.mark.parametrize("how", ["sign", "reject", "cancel", "delete", "import", "expire"])
def test_what_does_not_wait_any_more_is_not_to_expire(play: "Play", make: "type[Tools]", how: str) -> None:
    async def scenario(shop: "Shop") -> None:
        await ask_for_signature(shop, make, 1, shop.now + HOUR)
        await ask_for_signature(shop, make, 2, shop.now + 2 * HOUR)
        commands: dict[str, list[Any]] = {
            "sign": [make.act(1, "sign", by="a@x"), make.act(1, "sign", by="b@x")],
            "reject": [make.act(1, "rejectSignature", by="a@x", reason="no")],
            "cancel": [make.act(1, "pause"), make.act(1, "cancel", reason="over")],
            "delete": [make.delete(1)],
            "import": [make.put(1, 1, status="signedByClient")],
            "expire": [make.expire(1)],
        }
        shop.now += HOUR * (how == "expire")
        for command in commands[how]:
            await shop.do(command)
        assert [expiry.document_id for expiry in await shop.expiring()] == [make.document_id(2)]

    play(scenario)


def test_a_pause_and_a_first_signature_leave_the_deadline(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await ask_for_signature(shop, make, 1, shop.now + HOUR)
        before = await shop.expiring()
        await shop.do(make.act(1, "sign", by="a@x"))
        await shop.do(make.act(1, "pause"))
        await shop.do(make.patch(1, "other"))
        await shop.do(make.put(1, 1, status="paused"))
        assert await shop.expiring() == before

    play(scenario)


def test_a_commit_tells_what_expires_when(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.create(1), make.create(2))
        at = shop.now + HOUR
        published = await shop.publish(
            make.act(1, "requestSignature", people=("a@x",), expires_at=at), make.patch(2, "b")
        )
        assert published.expiries == (at,)

    play(scenario)


# --- History ----------------------------------------------------------------------------------------------------------


async def live(shop: "Shop", make: "type[Tools]", steps: int) -> dict[int, list[tuple[Any, ...]]]:
    """Let documents go through all sorts of things; gives what was done to each, newest first."""
    random = Random(steps)
    done: dict[int, list[tuple[Any, ...]]] = {number: [] for number in range(1, 5)}
    for n in range(steps):
        shop.now += random.choice([0, 0, SECOND])
        number = random.randrange(1, 5)
        people = ("a@x", "b@x", "c@x")
        word, by = random.choice(people), random.choice(people)
        commands: list[tuple[str, Any]] = [
            ("create", make.create(number)) if not done[number] else ("update", make.patch(number, f"{n}")),
            ("import", make.put(number, n, str(n), status=random.choice(["created", "awaitingReview", "approved"]))),
            *[("requestReview", make.act(number, "requestReview", people=people))] * 2,
            *[("approveReview", make.act(number, "approveReview", by=by, caller=0))] * 6,
            ("rejectReview", make.act(number, "rejectReview", by=by, reason=word)),
            ("pause", make.act(number, "pause")),
            *[("resume", make.act(number, "resume"))] * 2,
            ("delete", make.delete(number)),
        ]
        action, command = random.choice(commands)
        [answer] = (await shop.publish(command)).results
        if isinstance(answer, CompletedCommand) and not changed_nothing(answer.result):
            told = (by, None) if action == "approveReview" else (by, word) if action == "rejectReview" else (None, None)
            event = answer.event_id
            done[number].insert(0, (action, event, *told, "operator" if action == "approveReview" else None))
    return done


def test_the_history_tells_all_that_was_done_and_in_order(play: "Play", make: "type[Tools]") -> None:
    """Whatever a document went through, with the event of each step, page by page."""

    async def scenario(shop: "Shop") -> None:
        done = await live(shop, make, 400)
        assert all(done.values())
        assert {action for told in done.values() for action, *_ in told} >= {
            "approveReview",
            "delete",
            "import",
            "resume",
        }
        log = {event.id: event for event in (await shop.store.log.after(1, 0, 1000)).events}
        for (number, expected), limit in product(done.items(), (1, 3, 250)):
            found = await shop.history(number, limit)
            assert [(e.step.action, e.event_id, e.step.by, e.step.reason, e.caller) for e in found] == expected
            for entry in found:
                if entry.event_id is not None:
                    event = log[entry.event_id]
                    assert (entry.at, entry.event_type) == (event.at, event.type)
                    assert f'"status":"{entry.step.status}"' in event.body.decode()
            assert [entry.at for entry in found] == sorted((entry.at for entry in found), reverse=True)

    play(scenario)


def test_every_event_of_a_document_is_in_its_history(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await live(shop, make, 200)
        log = (await shop.store.log.after(1, 0, 1000)).events
        for number in range(1, 5):
            events = [event.id for event in reversed(log) if event.document_id == make.document_id(number)]
            assert [entry.event_id for entry in await shop.history(number) if entry.event_id] == events

    play(scenario)


def test_steps_without_an_event_stand_in_the_order_in_which_they_were_done(play: "Play", make: "type[Tools]") -> None:
    """Several of one batch have one time."""

    async def scenario(shop: "Shop") -> None:
        await shop.publish(
            make.create(1),
            make.act(1, "requestReview", people=("a@x", "b@x", "c@x", "d@x")),
            *(make.act(1, "approveReview", by=f"{who}@x") for who in "cab"),
        )
        found = await shop.history(1, 2)
        assert [entry.step.by for entry in found] == ["b@x", "a@x", "c@x", None, None]
        assert [entry.event_type for entry in found] == [None, None, None, EventType.UPDATED, EventType.CREATED]
        assert found[3].step.participants == ("a@x", "b@x", "c@x", "d@x")

    play(scenario)


def test_who_asked_is_named_also_once_the_key_is_revoked(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.do(
            CreateKey(tenant_id=1, tenant="default", key_id=KEY_ID, name="desk", role=Role.OPERATOR, key="sp_x")
        )
        await shop.do(make.create(1))
        for caller in (1, 0, None):
            await shop.do(make.act(1, "pause", caller=caller))
            await shop.do(make.act(1, "resume", caller=caller))
        await shop.do(RevokeKey(tenant_id=1, key_id=KEY_ID))
        assert [entry.caller for entry in await shop.history(1)] == [
            None,
            None,
            "operator",
            "operator",
            "desk",
            "desk",
            None,
        ]

    play(scenario)


def test_a_page_of_history_ends_near_4_mib_of_events_and_the_next_goes_on(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        facts = {f"fact {number}": "x" * 4_000 for number in range(60)}
        await shop.publish(make.create(1), make.edit(1, additionalFacts=facts))
        await shop.publish(*(make.edit(1, title=f"title {number}") for number in range(38)), make.act(1, "pause"))
        first = await shop.store.history.page(1, make.document_id(1), None, 250)
        assert first is not None
        assert len(first.data) == 18, "a step and 17 events of some 244 KB each; that of the step was read as well"
        assert first.next == first.data[-1].position
        found = await shop.history(1)
        assert [entry.step.action for entry in found] == ["pause", *["update"] * 39, "create"]
        assert len({entry.position for entry in found}) == len(found)

    play(scenario)


def test_there_is_no_history_of_what_never_was_or_is_anothers(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.create(1), make.act(1, "pause"))
        other = await shop.add_tenant()
        assert await shop.store.history.page(1, make.document_id(2), None, 10) is None
        assert await shop.store.history.page(other, make.document_id(1), None, 10) is None
        await shop.publish(make.create(1, tenant=other))
        assert [entry.step.action for entry in await shop.history(1, tenant=other)] == ["create"]

    play(scenario)


# --- Retention --------------------------------------------------------------------------------------------------------


def test_what_no_event_tells_stays_as_long_as_its_document(play: "Play", make: "type[Tools]") -> None:
    """Creations, changes and imports go with their events."""

    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.create(1), make.act(1, "pause"), make.act(1, "resume"), make.patch(1, "b"))
        asked = [entry.event_id for entry in await shop.history(1)][1:3]
        await shop.store.retention.prune_log(1, 5, 100)
        assert [(e.step.action, e.event_id) for e in await shop.history(1)] == list(
            zip(["resume", "pause"], asked, strict=True)
        )

    play(scenario)


def test_the_history_of_a_deleted_document_goes_with_the_event_of_its_deletion(
    play: "Play", make: "type[Tools]"
) -> None:
    """Where the document came again, what was done since stays."""

    async def scenario(shop: "Shop") -> None:
        await shop.publish(
            make.create(1), make.act(1, "pause"), make.act(1, "resume"), make.delete(1),
            make.put(1, 1), make.act(1, "pause"),
            make.create(2), make.act(2, "pause"), make.delete(2),
        )  # fmt: skip
        await shop.store.retention.prune_log(1, 4, 100)
        assert [entry.step.action for entry in await shop.history(1)] == [
            "pause",
            "import",
            "delete",
            "resume",
            "pause",
        ]
        await shop.store.retention.prune_log(1, 5, 100)
        assert [entry.step.action for entry in await shop.history(1)] == ["pause", "import"]
        assert len(await shop.history(2)) == 3
        await shop.store.retention.prune_log(1, 10, 100)
        assert [entry.step.action for entry in await shop.history(1)] == ["pause"]
        assert await shop.history(2) == []

    play(scenario)
