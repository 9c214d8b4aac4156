"""A cursor is the `next` of an earlier page. Anything else is refused or leads to a page; it never leads to a 500."""

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from signalpost.api.routes import ROUTES
from signalpost.api.routing.route import Route
from signalpost.domain.body import members_of_texts
from signalpost.sender.addresses import parse_allow_targets

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

LISTS = [route for route in ROUTES if "cursor" in members_of_texts(route.query)]
NOTHING_LISTENS = "http://127.0.0.1:9/"
bounded = settings(
    max_examples=60, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


EDGES = [0, 1, 2**31, 2**31 - 1, 2**32, 2**53, 2**62, 10**18 - 1, 10**18, 2**63 - 1, 2**63, 2**64, 10**30]
NUMBERS = st.sampled_from(EDGES) | st.integers(0, 10**20)
POSITIONS = st.lists(NUMBERS, min_size=1, max_size=3).map(lambda numbers: ".".join(map(str, numbers)))
CURSORS = st.text(max_size=20) | st.text(max_size=20).map(encoded) | POSITIONS.map(encoded)


@pytest.fixture(scope="module")
def world(make_world: Callable[..., "World"]) -> "World":
    return make_world(allow_targets=parse_allow_targets("http://127.0.0.1:9"))


@pytest.fixture(scope="module")
def paths(world: "World") -> dict[str, str]:
    """A path for every list, with something in it."""
    document = world.create_document()["externalId"]
    subscription = world.create_subscription(url=NOTHING_LISTENS, status="paused")["id"]
    of_shadow = {"shadowOf": subscription, "url": f"{NOTHING_LISTENS}/shadow", "status": "paused"}
    shadow = world.send("POST", "/v1/subscriptions", of_shadow).ok(201)["id"]
    world.create_document()
    form = b'--b\r\ncontent-disposition: form-data; name="file"\r\n\r\na text\r\n--b--\r\n'
    headers = {"content-type": "multipart/form-data; boundary=b"}
    world.send("POST", f"/v1/documents/{document}/versions", form, headers).ok(201)
    event = world.get("/v1/events?limit=1").ok()["data"][0]["event"]["id"]
    ids = {route.name: event if "/events/" in route.path else subscription for route in LISTS}
    ids["compare_shadow"] = shadow
    return {route.name: route.path.format(externalId=document, id=ids[route.name]) for route in LISTS}


def parameters(route: Route) -> st.SearchStrategy[dict[str, str]]:
    """Some of a list's other parameters, each with a value that is taken."""
    values = {
        "limit": "1",
        "deleted": "true",
        "updatedAfter": "2020-01-01T00:00:00Z",
        "from": "0001-01-01T00:00:00Z",
        "to": "9999-12-31T23:59:59Z",
        "ownerEmail": "owner@example.com",
        "type": "NDA",
        "eventType": "documentCreated",
    }
    known = {name: value for name, value in values.items() if name in members_of_texts(route.query)}
    return st.fixed_dictionaries({}, optional={name: st.just(value) for name, value in known.items()})


@pytest.mark.parametrize("route", LISTS, ids=lambda route: route.name)
@bounded
@given(data=st.data(), cursor=CURSORS)
@example(data=None, cursor=encoded("0.0"))
@example(data=None, cursor=encoded("0"))
def test_whatever_is_given_as_a_cursor_is_refused_or_leads_to_a_page(
    world: "World", paths: dict[str, str], route: Route, data: st.DataObject | None, cursor: str
) -> None:
    others = {} if data is None else data.draw(parameters(route))
    query = urlencode({**others, "cursor": cursor}, errors="surrogatepass")
    answer = world.get(f"{paths[route.name]}?{query}")
    assert answer.status in (200, 422), answer.body
    if answer.status == 422:
        answer.refused(422, "?cursor")


def test_a_cursor_of_the_last_changed_is_refused_where_they_are_not_asked_for(world: "World") -> None:
    """`MC4w` says 0.0: a place in the log, in which only `updatedAfter` walks."""
    answer = world.get("/v1/documents?cursor=MC4w")
    assert answer.refused(422, "?cursor")["errors"][0]["code"] == "bad_cursor"
