"""What one key may hold of what all share: requests at work, large answers, the making of metrics."""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pytest
from gateway.tests.api.two_tenants import make_key, make_tenant
from gateway.tests.patience import PATIENCE
from hypothesis import given
from hypothesis import strategies as st

from signalpost.api.guards.callers import caller_of, stranger
from signalpost.api.guards.principals import Principal
from signalpost.api.http.shared_rendering import SharedRendering
from signalpost.asgi import Message
from signalpost.console.pages_beside_api import MAX_WAITING
from signalpost.domain.access.api_key import Role
from signalpost.domain.timestamps import SECOND
from signalpost.runtime.clock import SystemClock
from signalpost.sharing.loop_shares import LISTENING, REFUSAL, RESTS
from signalpost.sharing.refusals import STRANGERS_PER_SECOND
from signalpost.sharing.shares import Caller, Shares

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

FACTS = {f"fact {number}": "x" * 4_000 for number in range(60)}


def key_of(tenant_id: int, number: int, role: Role = Role.APP) -> Caller:
    return caller_of(Principal(number, f"{number}", "", role, None if role is Role.OPERATOR else tenant_id), tenant_id)


async def get(
    world: "World",
    path: str,
    told: list[int],
    *,
    query: bytes = b"",
    headers: Sequence[tuple[bytes, bytes]] = (),
    client: tuple[str, int] | None = None,
    reads: asyncio.Event | None = None,
) -> None:
    """Have the application answer, and keep the status in `told` as its answer begins. A client that is given `reads`
    reads the body of a good answer from then on."""

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            told.append(message["status"])
        elif reads is not None and told[-1] == 200:
            await reads.wait()

    scope = {"type": "http", "method": "GET", "path": path, "query_string": query, "headers": headers, "client": client}
    await world.app(scope, receive, send)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3), st.booleans()), max_size=200), st.integers(5, 40))
def test_no_tenant_gets_all_and_a_newcomer_finds_one_while_one_is_free(
    steps: list[tuple[int, int, bool]], most: int
) -> None:
    shares, held = Shares(most), Counter[tuple[int, int]]()
    for tenant, number, takes in steps:
        if takes:
            held[tenant, number] += shares.take(key_of(tenant, number))
        elif held[tenant, number]:
            shares.give_back(key_of(tenant, number))
            held[tenant, number] -= 1
        of_tenant = [sum(held[each, key] for key in range(1, 4)) for each in range(1, 4)]
        assert max(of_tenant) <= most * 4 // 5 + 1
        assert shares.taken == sum(of_tenant)
        for newcomer in (key_of(9, 1), key_of(1, 9, Role.OPERATOR), stranger("192.0.2.1")):
            finds_one = shares.take(newcomer)
            assert finds_one == (sum(of_tenant) < most)
            if finds_one:
                shares.give_back(newcomer)


def test_a_tenant_with_many_keys_has_no_more_than_one_with_one_and_its_keys_share_that() -> None:
    shares = Shares(1_000)
    while any(shares.take(key_of(1, number)) for number in range(1, 51)):
        pass
    assert 780 < shares.taken <= 800
    alone = 0
    while shares.take(key_of(2, 1)):
        alone += 1
    assert alone > 100, "another tenant has most of what is left"
    assert shares.take(key_of(2, 2)), "and its own keys find something of that"


def test_strangers_have_one_part_together_shared_by_address() -> None:
    shares = Shares(100)
    for address in ("192.0.2.1", "2001:db8::1"):
        while shares.take(stranger(address)):
            pass
    before = shares.taken
    assert not shares.take(stranger("2001:db8::ffff:1")), "the same customer's"
    assert shares.take(stranger("192.0.2.2"))
    for number in range(1_000):
        shares.take(stranger(f"198.51.100.{number}"))
    assert before < shares.taken == 80
    assert shares.take(key_of(1, 1))


@pytest.fixture
def small(make_world: Callable[..., "World"]) -> "World":
    return make_world(max_connections=10)


@contextlib.contextmanager
def unfinished(world: "World", key: str, count: int) -> Iterator[list[socket.socket]]:
    """Imports of which one byte was sent."""
    head = (
        f"POST /v1/documents/import HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
        "content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n"
    )
    with contextlib.ExitStack() as opened:
        connections = [
            opened.enter_context(socket.create_connection(("127.0.0.1", world.port), PATIENCE)) for _ in range(count)
        ]
        for each in connections:
            each.sendall(head.encode())
        yield connections


def test_one_key_leaves_requests_at_work_to_the_others(small: "World") -> None:
    """A thousand imports of one byte each had every place, for hours."""
    other = small.send("POST", "/v1/keys", {"name": "greedy", "role": "operator"}).ok(201)["key"]
    with unfinished(small, other, 9) as greedy:
        heads = [each.recv(17) for each in greedy]
        assert heads.count(b"HTTP/1.1 200 OK\r\n") == 8
        assert heads.count(b"HTTP/1.1 429 Too ") == 1
        assert small.get("/v1/documents").status == 200
        small.send("GET", "/v1/documents", None, {"authorization": f"Bearer {other}"}).refused(
            429, code="too_many_requests"
        )
    small.wait_until(lambda: small.send("GET", "/v1/keys", None, {"authorization": f"Bearer {other}"}).status == 200)


def test_a_key_whose_large_answers_are_not_read_gets_no_more_of_them(world: "World") -> None:
    for _ in range(2):
        world.send("POST", "/v1/documents", {**world.document, "additionalFacts": FACTS}).ok(201)
    read = asyncio.Event()
    statuses: list[int] = []

    async def ask() -> None:
        headers = [(b"authorization", f"Bearer {world.key}".encode())]
        await get(world, "/v1/documents", statuses, query=b"limit=2", headers=headers, reads=read)

    async def ask_all() -> None:
        asked = [asyncio.ensure_future(ask()) for _ in range(40)]
        while len(statuses) < len(asked):
            await asyncio.sleep(0)
        read.set()
        await asyncio.gather(*asked)
        await ask()

    asyncio.run_coroutine_threadsafe(ask_all(), world.loop).result(PATIENCE)
    assert statuses.count(200) == 26 + 1, "four fifths of 32, and one once they were read"
    assert statuses.count(429) == 40 - 26


@pytest.mark.parametrize("path", ["/v1/documents", "/nothing/here", "/metrics", "/v1/documents/x?y"])
def test_whoever_is_not_known_is_refused_at_once_only_so_often(make_world: Callable[..., "World"], path: str) -> None:
    """A refusal costs a third of an answer, and who gets one may ask again at once."""
    world = make_world()
    told: list[int] = []

    async def ask() -> None:
        await get(world, path, told, client=("192.0.2.1", 1))

    async def ask_all() -> float:
        begun = world.loop.time()
        await asyncio.gather(*(ask() for _ in range(STRANGERS_PER_SECOND + 20)))
        return world.loop.time() - begun

    took = asyncio.run_coroutine_threadsafe(ask_all(), world.loop).result(PATIENCE)
    assert took > 19 / STRANGERS_PER_SECOND, "after a second's worth, each waits for its distance to the one before"
    assert len(told) == STRANGERS_PER_SECOND + 20
    assert set(told) <= {401, 404}


def test_a_refused_change_counts_with_what_reading_its_body_took(world: "World") -> None:
    """However long it is to find out what is wrong, its tenant's next refusal waits for as long in proportion."""
    make_tenant(world, "acme")
    key, shares = make_key(world, "app", "acme"), world.gateway._services.limits.loop

    def costs(body: bytes) -> int:
        """What the next refusal of the tenant is expected to take; 0 if no other tenant calls beside it."""
        world.get("/v1/documents?limit=1").ok()
        world.send("POST", "/v1/documents", body, key).refused(400, "/0/0")
        return max((share.expected for group, share in shares._of.items() if isinstance(group, int)), default=0)

    usual = int((LISTENING + REFUSAL) * SECOND) * (1 + RESTS)
    world.wait_until(lambda: costs(b"[" * 16_000) > usual)


@pytest.mark.parametrize(
    ("what", "path", "body"),
    [
        ("check", "/v1/subscriptions/check", {"url": "https://example.com", "eventTypes": ["documentCreated"]}),
        ("test", "/v1/subscriptions/{id}/test", {}),
        ("rehearse", "/v1/subscriptions/{id}/rehearsals", {"change": {"eventTypes": ["documentUpdated"]}}),
        ("signature", "/v1/subscriptions/{id}/secret/check", {"signature": "0", "body": "{}"}),
        ("dry-run", "/v1/subscriptions/{id}/replays", {"fromSequence": 1, "status": "failed", "dryRun": True}),
        ("dry-runs", "/v1/replays", {"from": "2026-01-01T00:00:00Z", "status": "failed", "dryRun": True}),
    ],
)
def test_what_is_asked_with_a_body_and_changes_nothing_counts_in_its_tenants_share(
    world: "World", what: str, path: str, body: dict[str, Any]
) -> None:
    make_tenant(world, f"asks-{what}")
    key, services = make_key(world, "subscriber", f"asks-{what}"), world.gateway._services
    shares, tenant = services.limits.loop, services.directory.tenant_ids[-1]
    made = world.send("POST", "/v1/subscriptions", world.subscription, key).ok(201)

    def counts() -> bool:
        """False if no other tenant called at that moment."""
        world.get("/v1/documents?limit=1").ok()
        assert world.send("POST", path.format(id=made["id"]), body, key).status in (200, 204)
        return tenant in shares._of and shares._of[tenant].expected > 0

    world.wait_until(counts)


def test_few_wait_for_pages_that_are_being_loaded(make_world: Callable[..., "World"]) -> None:
    """A client that waits holds a connection, and the gateway does not know yet whose it is."""
    world = make_world()
    told: list[int] = []

    async def ask() -> None:
        await get(world, "/console/sign-in", told, headers=[(b"host", b"127.0.0.1")])

    async def ask_all() -> None:
        await asyncio.gather(*(ask() for _ in range(MAX_WAITING + 8)))
        await ask()

    asyncio.run_coroutine_threadsafe(ask_all(), world.loop).result(PATIENCE)
    assert told == [503] * 8 + [200] * (MAX_WAITING + 1)


@pytest.mark.parametrize(
    ("client", "headers", "status"),
    [
        (("127.0.0.1", 1), [], 200),
        (("::1", 1), [], 200),
        (None, [], 200),
        (("192.0.2.1", 1), [], 401),
        (("127.0.0.1", 1), [(b"x-forwarded-for", b"192.0.2.1")], 401),
        (("127.0.0.1", 1), [(b"forwarded", b"for=192.0.2.1")], 401),
        (("192.0.2.1", 1), [(b"authorization", b"Bearer KEY")], 200),
        (("192.0.2.1", 1), [(b"authorization", b"Bearer sp_wrong")], 401),
    ],
)
def test_metrics_on_the_port_of_the_api_are_for_keys_and_for_this_machine(
    world: "World", client: tuple[str, int] | None, headers: list[tuple[bytes, bytes]], status: int
) -> None:
    begun: list[int] = []
    given = [(name, value.replace(b"KEY", world.key.encode())) for name, value in headers]
    asked = get(world, "/metrics", begun, headers=given, client=client)
    asyncio.run_coroutine_threadsafe(asked, world.loop).result(PATIENCE)
    assert begun == [status]


def test_who_asks_at_the_same_time_gets_one_rendering_and_later_ones_a_later() -> None:
    made = 0

    async def render() -> bytes:
        nonlocal made
        made += 1
        await asyncio.sleep(0)
        return b"%d" % made

    async def ask() -> None:
        shared = SharedRendering(SystemClock())
        assert await asyncio.gather(*(shared.get(render) for _ in range(50))) == [b"1"] * 50
        assert await asyncio.gather(*(shared.get(render) for _ in range(50))) == [b"2"] * 50

    asyncio.run(ask())


def test_nobody_waits_for_long_because_the_last_rendering_took_long() -> None:
    """Nine times ten seconds, as it was, would be a minute and a half."""

    class HandMoved:
        now = 0

        def wall(self) -> int:
            return self.now

        def steady(self) -> int:
            return self.now

    clock = HandMoved()

    async def render() -> bytes:
        clock.now += 10 * SECOND
        return b"made"

    async def ask() -> None:
        shared = SharedRendering(clock)
        assert [await asyncio.wait_for(shared.get(render), 30) for _ in range(2)] == [b"made"] * 2

    asyncio.run(ask())
