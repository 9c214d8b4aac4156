"""The contract of a store: sessions and links are found by their hashes, on every node, until they end."""

from itertools import count
from typing import TYPE_CHECKING

from signalpost.api.guards.sessions import BrowserSessions
from signalpost.domain.access.sign_in import (
    IDLE,
    LIFETIME,
    LINK_LIFETIME,
    MAX_OF_GROUND,
    USE_NOTED_EVERY,
    Ground,
    Purpose,
)
from signalpost.domain.timestamps import SECOND

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop

KEY = Ground("key", "0192a3b4-0000-7000-8000-000000000001", b"hash of a key")
OTHER = Ground("key", "operator", b"hash of another key")
CONSOLE, PORTAL = Purpose.CONSOLE, Purpose.PORTAL
_made = count(1)


def sessions(shop: "Shop") -> BrowserSessions:
    return BrowserSessions(shop.store.sign_ins, lambda: shop.now, lambda length: next(_made).to_bytes(length, "big"))


def test_a_session_holds_on_every_node_and_over_a_restart_and_is_kept_as_a_hash(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        token = await sessions(shop).begin(CONSOLE, KEY)
        on_another_node = await sessions(await shop.another()).find(token, CONSOLE)
        assert on_another_node is not None
        assert on_another_node.ground == KEY
        assert token.encode() not in shop.content
        await shop.reopen()
        assert await sessions(shop).find(token, CONSOLE) == on_another_node
        assert await sessions(shop).find(token[:-1] + "x", CONSOLE) is None

    play(scenario)


def test_a_session_that_was_ended_has_ended_on_every_node(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        here, there = sessions(shop), sessions(await shop.another())
        first, second, of_other = [await here.begin(CONSOLE, ground) for ground in (KEY, KEY, OTHER)]
        await there.end(first)
        assert await here.find(first, CONSOLE) is None
        assert await here.find(second, CONSOLE)
        link = await here.make_link(CONSOLE, KEY)
        assert await there.end_all(KEY) == 1
        assert await here.find(second, CONSOLE) is None
        assert await here.use_link(link, CONSOLE) is None
        assert await there.find(of_other, CONSOLE)

    play(scenario)


def test_whoever_has_a_session_sees_the_others_of_the_same_ground_and_ends_one(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        here, there = sessions(shop), sessions(await shop.another())
        mine = await here.find(await here.begin(CONSOLE, KEY), CONSOLE)
        tokens = [await there.begin(CONSOLE, KEY), await there.begin(PORTAL, KEY), await there.begin(CONSOLE, OTHER)]
        former = await there.begin(CONSOLE, KEY._replace(proof=b"hash of before"))
        assert mine is not None
        [beside] = await here.beside(mine)
        assert beside == await there.find(tokens[0], CONSOLE)
        foreign = await there.find(tokens[2], CONSOLE)
        assert foreign is not None
        assert not await here.end_one_beside(mine, foreign.hash)
        assert not await here.end_one_beside(mine, mine.hash)
        assert await here.end_one_beside(mine, beside.hash)
        assert not await here.end_one_beside(mine, beside.hash)
        assert await here.beside(mine) == []
        assert [await there.find(tokens[0], CONSOLE), await there.find(tokens[2], CONSOLE)] == [None, foreign]
        assert await there.find(former, CONSOLE)
        await here.begin(CONSOLE, KEY)
        shop.now += IDLE
        assert await here.beside(mine) == [], "one that has ended is not shown"

    play(scenario)


def test_a_session_ends_when_it_is_not_used_and_at_the_latest_after_its_lifetime(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        desk = sessions(shop)
        idle = await desk.begin(CONSOLE, KEY)
        shop.now += IDLE - SECOND
        assert await desk.find(idle, CONSOLE)
        shop.now += IDLE
        assert await desk.find(idle, CONSOLE) is None
        busy, began = await desk.begin(CONSOLE, KEY), shop.now
        while shop.now < began + LIFETIME - IDLE:
            shop.now += IDLE // 2
            assert await desk.find(busy, CONSOLE)
        shop.now = began + LIFETIME
        assert await desk.find(busy, CONSOLE) is None

    play(scenario)


def test_opening_pages_writes_once_a_minute(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        desk, began = sessions(shop), shop.now
        token = await desk.begin(CONSOLE, KEY)
        noted = []
        for _ in range(5):
            shop.now += USE_NOTED_EVERY // 2
            await desk.find(token, CONSOLE)
            session = await desk.find(token, CONSOLE)
            assert session is not None
            noted.append(session.used_at - began)
        assert noted == [0, USE_NOTED_EVERY, USE_NOTED_EVERY, 2 * USE_NOTED_EVERY, 2 * USE_NOTED_EVERY]

    play(scenario)


def test_a_link_is_used_once_on_whichever_node_and_not_after_it_expired(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        here, there = sessions(shop), sessions(await shop.another())
        link = await here.make_link(CONSOLE, KEY)
        used = await there.use_link(link, CONSOLE)
        assert used is not None
        assert used.ground == KEY
        assert await here.use_link(link, CONSOLE) is None
        late = await here.make_link(CONSOLE, KEY)
        shop.now += LINK_LIFETIME
        assert await here.use_link(late, CONSOLE) is None

    play(scenario)


def test_what_serves_one_purpose_is_worth_nothing_for_another_and_is_not_used_up_by_trying(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        desk = sessions(shop)
        session, link = await desk.begin(PORTAL, KEY), await desk.make_link(PORTAL, KEY)
        assert await desk.find(session, CONSOLE) is None
        assert await desk.use_link(link, CONSOLE) is None
        assert await desk.use_link(session, PORTAL) is None
        assert await desk.find(link, PORTAL) is None
        assert await desk.find(session, PORTAL)
        assert await desk.use_link(link, PORTAL)

    play(scenario)


def test_one_ground_has_so_many_sessions_and_links_and_its_oldest_make_room(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        desk = sessions(shop)
        other = await desk.begin(CONSOLE, OTHER), await desk.make_link(CONSOLE, OTHER)
        begun, links = [], []
        for _ in range(MAX_OF_GROUND + 1):
            shop.now += 1
            begun.append(await desk.begin(CONSOLE, KEY))
            links.append(await desk.make_link(CONSOLE, KEY))
        assert await desk.find(begun[0], CONSOLE) is None
        assert await desk.find(begun[1], CONSOLE)
        assert await desk.find(begun[-1], CONSOLE)
        assert await desk.use_link(links[0], CONSOLE) is None
        assert await desk.use_link(links[1], CONSOLE)
        assert await desk.find(other[0], CONSOLE)
        assert await desk.use_link(other[1], CONSOLE)

    play(scenario)


def test_what_has_ended_is_removed_by_what_begins(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        desk = sessions(shop)
        await desk.begin(CONSOLE, KEY)
        await desk.make_link(CONSOLE, KEY)
        shop.now += IDLE
        await desk.begin(CONSOLE, OTHER)
        await desk.make_link(CONSOLE, OTHER)
        assert await desk.end_all(KEY) == 0
        assert await desk.end_all(OTHER) == 1

    play(scenario)
