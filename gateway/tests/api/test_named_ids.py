"""Wherever a call lets its caller name something, in its path, query or body, what another tenant has is as unknown as
what no tenant has: the same answer, for the same work."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import msgspec
import pytest
from gateway.tests.api.moved_clock import MovedClock
from gateway.tests.api.two_tenants import ABSENT, Two, in_tenant, without_id

from signalpost.api.routes import ROUTES
from signalpost.api.routing.route import Route

if TYPE_CHECKING:
    from gateway.tests.api.conftest import Answer, World

NAMED_BY = {
    "eventId": "{eventId}",
    "externalId": "{externalId}",
    "subscriptionId": "/v1/subscriptions",
    "connection": "/v1/connections",
    "shadowOf": "/v1/subscriptions",
}
"""What a member of a query or a body names."""
NAMES_ITS_OWN = {"import_document", "import_documents"}
"""Calls whose caller says which id the document is to have: there, another tenant's is free."""
OPENS_ONE = {"poll_events", "acknowledge_events"}
"""Calls whose key opens one subscription alone: an id in their body is compared with what that has."""
CHANGES = {"eventTypes": ["documentCreated"], "config": {"text": "x"}}
BODIES: dict[tuple[str, str], Mapping[str, Any]] = {
    ("check_subscription", "connection"): {"kind": "slack", "status": "paused", **CHANGES},
    ("create_subscription", "connection"): {"kind": "slack", "status": "paused", **CHANGES},
    ("check_subscription", "shadowOf"): {"url": "https://new.example.com/"},
    ("create_subscription", "shadowOf"): {"url": "https://new.example.com/"},
    ("patch_subscription", "connection"): {},
    ("preview_subscription", "eventId"): {},
    ("preview_destination", "connection"): {"eventId": "{eventId}", "config": {"text": "x"}},
    ("preview_destination", "eventId"): {"connection": "/v1/connections", "config": {"text": "x"}},
}
"""The rest of a body in which this member names something. Where a value is a key of `NAMED_BY`'s, it is beta's."""
SPAN = {"from": "2020-01-01T00:00:00Z", "to": "2099-01-01T00:00:00Z", "status": "all", "dryRun": True}
CHOOSES = {("start_replay", "externalId"), ("start_replays", "externalId")}
"""Members that choose among what there is, as a query does: a document that no tenant has chooses nothing."""


def ids_in(kind: Any) -> set[str]:
    """The members of a struct, or of several, that take an id."""
    if (members := get_args(kind)) and not hasattr(kind, "__struct_fields__"):
        return set().union(*map(ids_in, members))
    if not hasattr(kind, "__struct_fields__"):
        return set()
    found = msgspec.inspect.type_info(kind)
    assert isinstance(found, msgspec.inspect.StructType)
    return {field.encode_name for field in found.fields if is_id(field.type)}


def is_id(found: msgspec.inspect.Type) -> bool:
    if isinstance(found, msgspec.inspect.UnionType):
        return any(map(is_id, found.types))
    if isinstance(found, msgspec.inspect.Metadata):
        return (found.extra_json_schema or {}).get("format") == "uuid" or is_id(found.type)
    return False


def body_ids(route: Route) -> set[str]:
    if route.body is None or route.name in NAMES_ITS_OWN | OPENS_ONE:
        return set()
    return ids_in(route.body.kind).union(*(ids_in(each.kind) for each in route.body.variants))


QUERIES = [(route, name) for route in ROUTES for name in sorted(ids_in(route.query))]
IN_BODIES = [(route, name) for route in ROUTES for name in sorted(body_ids(route)) if (route.name, name) not in CHOOSES]
CHOOSING = [(route, name) for route in ROUTES for name in sorted(body_ids(route)) if (route.name, name) in CHOOSES]
PARTS = [route for route in ROUTES if route.path.count("{") > 1 and "{number}" not in route.path]
"""Calls on something of something. A number is no name: every document may have a version 0.1."""
LISTS = [
    route
    for route in ROUTES
    if "cursor" in route.query.__struct_fields__
    and not route.path.startswith(("/v1/tenants", "/v1/keys"))
    and route.name != "compare_shadow"  # neither has a shadow here; its cursor is a number, as those of most lists
]


def name_of(value: Any) -> str | None:
    return value.name if isinstance(value, Route) else None


@pytest.fixture(scope="module")
def two(make_world: Callable[..., "World"]) -> Two:
    clock = MovedClock()
    return Two(make_world(clock=clock), clock)


TRIES = 5
"""How often the work is compared: now and then the gateway itself reads something, such as the end of the audit."""


@contextmanager
def statements(world: "World") -> Iterator[list[str]]:
    """The statements that are run for reading meanwhile."""
    found: list[str] = []

    def note(_cursor: object, sql: str, _bindings: object) -> bool:
        found.append(sql)
        return True

    readers = world.gateway._services.store.documents._readers.connections  # type: ignore[attr-defined]
    for connection in readers:
        connection.set_exec_trace(note)
    try:
        yield found
    finally:
        for connection in readers:
            connection.set_exec_trace(None)


def both_asked(world: "World", ask: Callable[[str], "Answer"], others: str) -> list[tuple["Answer", list[str]]]:
    """The answers about an id of another tenant and about one that is not there, each with the statements it took."""
    asked: list[tuple[Answer, list[str]]] = []
    for _ in range(TRIES):
        asked = []
        for identity in (others, ABSENT):
            with statements(world) as found:
                answer = ask(identity)
            asked.append((answer, found))
        if asked[0][1] == asked[1][1]:
            break
    return asked


def assert_alike(two: Two, route: Route, send: Callable[[Mapping[str, str], str], "Answer"], others: str) -> None:
    """`send` makes the call with a key and an id."""
    before = two.world.state()
    for role in route.roles:
        key = {**two.keys[role], **in_tenant("beta")}
        (about_others, theirs), (about_nobodys, nobodys) = both_asked(two.world, partial(send, key), others)
        if about_others.status >= 400:
            assert about_others.status in (404, 422)
            assert without_id(about_others) == without_id(about_nobodys)
        else:
            assert about_others.body == about_nobodys.body
            assert others.encode() not in about_others.body
        assert theirs == nobodys, "the same work"
    assert two.world.state() == before


@pytest.mark.parametrize(("route", "name"), QUERIES, ids=name_of)
def test_in_a_query(two: Two, route: Route, name: str) -> None:
    path = two.path(route, two.betas)

    def send(key: Mapping[str, str], identity: str) -> "Answer":
        return two.world.send(route.method, f"{path}?{name}={identity}", None, key)

    assert_alike(two, route, send, two.alphas[NAMED_BY[name]])


@pytest.mark.parametrize(("route", "name"), IN_BODIES, ids=name_of)
def test_in_a_body(two: Two, route: Route, name: str) -> None:
    path = two.path(route, two.betas)
    rest = {member: two.betas.get(str(value), value) for member, value in BODIES[route.name, name].items()}

    def send(key: Mapping[str, str], identity: str) -> "Answer":
        answer = two.world.send(route.method, path, {**rest, name: identity}, key)
        assert answer.status >= 400, "what is not there cannot be used"
        return answer

    assert_alike(two, route, send, two.alphas[NAMED_BY[name]])


@pytest.mark.parametrize(("route", "name"), CHOOSING, ids=name_of)
def test_in_a_body_that_chooses(two: Two, route: Route, name: str) -> None:
    path = two.path(route, two.betas)

    def send(key: Mapping[str, str], identity: str) -> "Answer":
        answer = two.world.send(route.method, path, SPAN | {name: identity}, key)
        assert answer.status != 200 or answer.json["count"] == 0
        return answer

    assert_alike(two, route, send, two.alphas[NAMED_BY[name]])


@pytest.mark.parametrize("route", PARTS, ids=name_of)
def test_in_a_path_behind_something_of_ones_own(two: Two, route: Route) -> None:
    last = route.path[route.path.rindex("{") : route.path.rindex("}") + 1]
    body = None if route.body is None else route.example.body

    def send(key: Mapping[str, str], identity: str) -> "Answer":
        return two.world.send(route.method, two.path(route, {**two.betas, last: identity}), body, key)

    assert_alike(two, route, send, two.alphas[last])


@pytest.mark.parametrize("route", LISTS, ids=name_of)
def test_a_cursor_of_another_tenants_list_leads_to_ones_own_things_alone(two: Two, route: Route) -> None:
    world = two.world
    theirs = world.send("GET", f"{two.path(route, two.alphas)}?limit=1", None, in_tenant("alpha"))
    cursor = theirs.ok()["next"]
    if cursor is None:
        return  # these lists have nothing here: all cursors of the kind are numbers
    for role in route.roles:
        key = {**two.keys[role], **in_tenant("beta")}
        found = world.send("GET", f"{two.path(route, two.betas)}?cursor={cursor}", None, key)
        assert found.status == 200
        assert not [each for each in two.alphas.values() if len(each) == len(ABSENT) and each != ABSENT
                    and each.encode() in found.body]  # fmt: skip


def test_what_the_tables_above_say_is_all_there_is() -> None:
    assert {(route.name, name) for route, name in IN_BODIES} == set(BODIES)
    assert {(route.name, name) for route, name in CHOOSING} == CHOOSES
    assert {name for _, name in QUERIES + IN_BODIES} == set(NAMED_BY)
    assert len([route for route in LISTS if route.path in ("/v1/documents", "/v1/subscriptions")]) == 2
