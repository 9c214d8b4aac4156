"""Rehearsals: what they say of a subscription as it is happens, and they end at their bounds."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any, cast

import pytest
from gateway.tests.bodies import subscription_patch
from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld
from msgspec.structs import replace

from signalpost.commands.replays import StartReplay
from signalpost.domain.delivery.replay import ReplayChoice, ReplayRange, ReplayState
from signalpost.domain.errors import Conflict, Stopping, TooMany
from signalpost.domain.event import title_of
from signalpost.domain.subscription import Subscription
from signalpost.domain.subscription_patch import as_patched
from signalpost.domain.wishes import why_passed_over
from signalpost.engine.lanes.erased import ErasedEvents
from signalpost.engine.rehearsing.log_walks import LogWalks
from signalpost.engine.rehearsing.question import Question, RehearsalBounds
from signalpost.engine.rehearsing.rehearsals import RehearsalResult, Rehearsals
from signalpost.engine.rehearsing.side import Side
from signalpost.sharing.resting_turns import RestingTurns
from signalpost.store.nouns.deliveries import DeliveryFilter
from signalpost.store.nouns.log import LogStore, PastPage

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

HOUR = 3_600
OF_TWO_PAGES = RehearsalBounds(page_of_types=1_000)
"""Bounds with which 1,200 events are two pages."""
STILL = {"field": "document.title", "contains": "1"}
CHANGED = {"field": "document.title", "changed": True}
CONDITIONS: tuple[Mapping[str, Any] | None, ...] = (
    None,
    CHANGED,
    {"not": CHANGED},
    STILL,
)


async def question(gateway: RunningGateway, now: Subscription, then: Subscription) -> Question:
    last = (await gateway.log())[-1].sequence
    return Question(
        tenant_id=TENANT, caller=1, from_at=0, to_at=0, first=now.starts_after + 1, last=last, ahead=last,
        now=Side(now, None), then=Side(then, None),
    )  # fmt: skip


async def rehearsed(gateway: RunningGateway, host: str, **change: Any) -> RehearsalResult:
    now = gateway.of(host)
    return await gateway.engine.rehearsals.run(
        await question(gateway, now, as_patched(now, subscription_patch(**change)))
    )


def bounded(gateway: RunningGateway, bounds: RehearsalBounds, log: LogStore | None = None) -> Rehearsals:
    store, clock, erased = gateway.store, gateway.clock, ErasedEvents()
    work = ThreadPoolExecutor(1), RestingTurns()
    walks = LogWalks(log or store.log, store.connections.made, *work, clock, erased, bounds)
    return Rehearsals(store, walks, *work, clock, erased)


@pytest.mark.parametrize("seed", range(12))
def test_a_rehearsal_of_a_subscription_as_it_is_says_what_was_sent(world: ScriptedWorld, seed: int) -> None:
    """C14, with conditions, delays whose condition ends meanwhile, and types that change."""
    random, endpoint = Random(seed), world.endpoint("a.example")

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.create("older")
        delay = {"seconds": HOUR, "if": random.choice((STILL, {"not": STILL}))}
        await gateway.subscribe(
            "a.example",
            types=random.choice((1, 2, 3)),
            when=random.choice(CONDITIONS),
            after=random.choice((None, {"seconds": HOUR}, delay)),
        )
        for step in range(60):
            if step < 10:
                await gateway.create(f"d{step}")
            else:
                await gateway.update(f"d{random.randrange(10)}")
            if step == 40:
                await gateway.change("a.example", eventTypes=random.choice((1, 2)))
            await asyncio.sleep(random.choice((0.0, 60.0, 1_000.0)))
        await asyncio.sleep(2 * HOUR)
        await gateway.until_recorded()
        answer = await rehearsed(gateway, "a.example")
        counts = answer.tally.counts
        sent = sorted(endpoint.sequences, reverse=True)
        assert len(sent) == len({*sent})
        assert (counts["both"], counts["more"], counts["less"]) == (len(sent), 0, 0)
        assert [each.sequence for each in answer.examples["both"]] == sent[:20]

    world.run(scenario)


def test_a_change_sends_from_then_on_what_its_rehearsal_said_of_events_like_it(world: ScriptedWorld) -> None:
    endpoint = world.endpoint("a.example")
    change = {"when": {"field": "document.title", "contains": "7"}, "eventTypes": 2}

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a.example", types=1)
        await gateway.create("a")
        await gateway.update("a", 40)
        foretold = (await rehearsed(gateway, "a.example", **change)).tally
        await gateway.change("a.example", **change)
        assert foretold.counts["less"] == 1
        assert 0 < foretold.then < 40
        endpoint.calls.clear()
        last = (await gateway.log())[-1].sequence
        await gateway.update("a", 40)
        await gateway.until_recorded()
        titled = [event.sequence for event in await gateway.log() if "7" in str(title_of(event.body))]
        assert endpoint.sequences == [each for each in titled if each > last]

    world.run(scenario)


def test_a_walk_ends_at_its_bounds_and_says_how_far_back_it_came(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a.example")
        await gateway.create(*(f"d{each}" for each in range(1_200)))
        await gateway.until_recorded()
        now = gateway.of("a.example")
        whole = await gateway.engine.rehearsals.run(await question(gateway, now, now))
        assert (whole.reached, whole.reached_at, whole.tally.then) == (1, None, 1_200)
        part = await bounded(gateway, RehearsalBounds(events=400, page_of_types=500)).run(
            await question(gateway, now, now)
        )
        assert (part.reached, part.tally.then) == (201, 1_000), "with the page that was being read"
        [event] = await gateway.store.log.events(TENANT, [201])
        assert part.reached_at == event.at
        assert (
            await bounded(gateway, RehearsalBounds(seconds=0, page_of_types=500)).run(await question(gateway, now, now))
        ).tally.then == 500
        still = as_patched(now, subscription_patch(after={"seconds": HOUR, "if": {"not": STILL}}))
        full = await bounded(gateway, RehearsalBounds(documents=400, page=500)).run(await question(gateway, now, still))
        assert full.reached == 201

    world.run(scenario)


def test_one_caller_of_a_tenant_rehearses_at_a_time_and_the_newest_counts(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a.example")
        await gateway.create(*(f"d{each}" for each in range(1_200)))
        await gateway.until_recorded()
        now, run = gateway.of("a.example"), bounded(gateway, OF_TWO_PAGES).run
        asked = await question(gateway, now, now)
        first = asyncio.ensure_future(run(asked))
        await asyncio.sleep(0)
        with pytest.raises(TooMany):
            await run(replace(asked, caller=2))
        second = asyncio.ensure_future(run(asked))
        with pytest.raises(Conflict):
            await first
        assert (await second).tally.then == 1_200
        assert (await run(replace(asked, caller=2))).tally.then == 1_200

    world.run(scenario)


class HeldLog:
    """The log, of which the first page that is asked for comes only once it is let go."""

    def __init__(self, log: LogStore) -> None:
        self._log = log
        self._is_first = True
        self.is_let_go = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def past(self, *asked: Any, with_content: bool) -> PastPage:
        is_first, self._is_first = self._is_first, False
        if is_first:
            await self.is_let_go.wait()
        return await self._log.past(*asked, with_content=with_content)


def test_a_rehearsal_that_ends_after_the_newer_one_says_that_this_took_its_place(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a.example")
        await gateway.create(*(f"d{each}" for each in range(1_200)))
        await gateway.until_recorded()
        log = HeldLog(gateway.store.log)
        rehearsals = bounded(gateway, OF_TWO_PAGES, cast("LogStore", log))
        now = gateway.of("a.example")
        asked = await question(gateway, now, now)
        first = asyncio.ensure_future(rehearsals.run(asked))
        await asyncio.sleep(0)
        assert (await rehearsals.run(asked)).tally.then == 1_200
        log.is_let_go.set()
        with pytest.raises(Conflict):
            await first
        assert (await rehearsals.run(replace(asked, caller=2))).tally.then == 1_200

    world.run(scenario)


def test_a_rehearsal_ends_when_the_gateway_stops(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a.example")
        await gateway.create("a")
        await gateway.until_recorded()
        rehearsals = bounded(gateway, OF_TWO_PAGES, cast("LogStore", HeldLog(gateway.store.log)))
        now = gateway.of("a.example")
        under_way = asyncio.ensure_future(rehearsals.run(await question(gateway, now, now)))
        await asyncio.sleep(0)
        await rehearsals.close()
        with pytest.raises(Stopping):
            await under_way

    world.run(scenario)


async def send_missing(gateway: RunningGateway, host: str, first: int, last: int, types: int | None = None) -> str:
    """Start the replay of what a rehearsal of these sequences found missing, as the API does, of the present types or
    of those that were present a moment ago."""
    subscription, identity = gateway.of(host), gateway.world.uuid(f"r{len(gateway.world.replays)}")
    gateway.world.replays.append(identity)
    await gateway.submit(
        StartReplay(
            tenant_id=TENANT,
            subscription_id=subscription.id,
            replay_id=identity,
            choice=ReplayChoice("unsent", types=types or subscription.filters[-1][1]),
            range=ReplayRange(from_at=0, to_at=gateway.clock.wall(), from_sequence=first, to_sequence=last),
            count=0,
            count_is_capped=True,
        )
    )
    return identity


@pytest.mark.parametrize("seed", range(8))
def test_a_replay_of_what_is_missing_sends_exactly_what_the_change_would_have_sent_more(
    world: ScriptedWorld, seed: int
) -> None:
    """C16, C18. Once it was sent, nothing of it is missing any more."""
    random, endpoint = Random(seed), world.endpoint("a.example")
    change = {"eventTypes": random.choice((1, 2, 3)), "when": random.choice(CONDITIONS)}

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a.example", types=random.choice((1, 2, 3)), when=random.choice(CONDITIONS))
        await gateway.create(*(f"d{each}" for each in range(10)))
        for _ in range(300):
            await gateway.update(f"d{random.randrange(10)}")
        await gateway.until_recorded()
        foretold = await rehearsed(gateway, "a.example", **change)
        more = foretold.tally.counts["more"]
        await gateway.change("a.example", **change)
        await gateway.until_recorded()
        endpoint.calls.clear()
        for sent in (more, 0):
            replay_id = await send_missing(gateway, "a.example", 1, 310)
            await asyncio.sleep(60)
            replay = await gateway.replay_of("a.example", replay_id)
            assert (replay.state, replay.queued, replay.delivered) == (ReplayState.FINISHED, sent, sent)
            assert len(endpoint.sequences) == more
        assert all(call.is_replay for call in endpoint.calls)
        newest = sorted({call.sequence for call in endpoint.calls}, reverse=True)
        assert [each.sequence for each in foretold.examples["more"]] == newest[:20]
        assert (await rehearsed(gateway, "a.example")).tally.counts["more"] == 0

    world.run(scenario)


def test_a_replay_of_what_is_missing_does_not_start_if_the_types_changed_after_it_was_counted(
    world: ScriptedWorld,
) -> None:
    """C14"""

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a.example", types=1)
        await gateway.create("a")
        await gateway.update("a", 5)
        with pytest.raises(Conflict) as refused:
            await send_missing(gateway, "a.example", 1, 6, types=3)
        assert refused.value.code == "not_as_rehearsed"
        await asyncio.sleep(60)
        assert world.endpoint("a.example").sequences == [1]

    world.run(scenario)


@pytest.mark.parametrize("ordering", ["loose", "strict"])
def test_what_was_skipped_is_not_missing_and_replays_beside_one_another_send_nothing_twice(
    world: ScriptedWorld, ordering: str
) -> None:
    """C16, C18. A skip says of a backlog that it is not to be sent, of whatever types its events are."""
    endpoint = world.endpoint("a.example")

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a.example", types=1, ordering=ordering)
        await gateway.create("a")
        await gateway.update("a", 20)
        await gateway.until_recorded()
        await gateway.change("a.example", status="paused")
        await gateway.update("a", 5)
        await gateway.change("a.example", status="active", skipBacklog=True)
        await gateway.until_recorded()
        assert (await rehearsed(gateway, "a.example", eventTypes=3)).tally.counts["more"] == 25
        await gateway.change("a.example", eventTypes=3)
        endpoint.calls.clear()
        replays = [await send_missing(gateway, "a.example", 1, 26) for _ in range(3)]
        await asyncio.sleep(60)
        queued = [(await gateway.replay_of("a.example", each)).queued for each in replays]
        assert queued == [20, 0, 0]
        assert endpoint.sequences == [*range(2, 22)]

    world.run(scenario)


def test_what_is_missing_is_told_from_what_was_sent_while_it_is_sent(world: ScriptedWorld) -> None:
    """The types count from the first event on, and what was not sent yet is not said to be delivered."""

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a.example", types=1)
        await gateway.create("a")
        await gateway.update("a", 5)
        await gateway.until_recorded()
        await gateway.change("a.example", eventTypes=3)
        replay_id = await send_missing(gateway, "a.example", 3, 6)
        await gateway.cancel("a.example", replay_id)
        await gateway.until_recorded()
        found = await gateway.store.deliveries.page(TENANT, [gateway.of("a.example")], DeliveryFilter(), None, 50)
        shown = {each.entry.sequence: each.status for each in found.data}
        sent = gateway.world.endpoint("a.example").sequences
        assert shown == {each: "delivered" if each in sent else "skipped" for each in (1, 3, 4, 5, 6)}
        why = why_passed_over(gateway.of("a.example"), 0, None)
        assert why == "Not sent: the event did not meet what the subscription asked for then."

    world.run(scenario)
