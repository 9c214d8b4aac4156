"""Whatever is sent, the answer is never a 5xx, and unless it is a 2xx nothing was changed."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signalpost.sender.addresses import parse_allow_targets

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

NAMES = [
    "type", "title", "ownerEmail", "authorEmail", "startDate", "expiryDate", "referenceId", "contractValue",
    "counterpartyName", "additionalFacts", "sourceApp", "status", "createdAt", "executedAt", "externalId",
    "latestVersion", "publishedVersion", "name", "url", "eventTypes", "headers", "ordering", "rateLimit",
    "retryDelays", "secret", "skipBacklog", "number", "downloadUrl", "overlapHours", "eventType", "role",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, 0, -1, 1.5, 2**64, 10**30, 1e300, "", "x", "x" * 600, "2021-11-25", "2021-11-27T13:00:00+00:00", "a@b",
    "http://127.0.0.1:9/", "https://10.0.0.1/", "https://[::1", "active", "paused", "created", "strict",
    "documentCreated",
    ["documentCreated"], [10], {"x": "y"}, {"number": "1.0", "downloadUrl": "https://x"}, "\ud800", "\x00", "12345678",
]  # fmt: skip
ROUTES = [
    "POST /v1/documents",
    "PATCH document",
    "PUT document",
    "POST /v1/subscriptions",
    "PATCH subscription",
    "POST retry",
    "POST rotate",
    "POST test",
    "POST /v1/keys",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(VALUES),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner, max_size=6),
    max_leaves=12,
)
OBJECT = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES) | JSON, max_size=8)
bounded = settings(
    max_examples=30, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def world(make_world: Callable[..., "World"]) -> "World":
    """What is made active by chance sends to a port on which nothing listens."""
    made = make_world(allow_targets=parse_allow_targets("http://127.0.0.1:9"))
    made.create_document()
    return made


@pytest.fixture(scope="module")
def subscription(world: "World") -> str:
    return f"/v1/subscriptions/{world.create_subscription(url='http://127.0.0.1:9/')['id']}"


@pytest.fixture(params=ROUTES)
def call(request: pytest.FixtureRequest, world: "World", document: str, subscription: str) -> tuple[str, str]:
    method, _, what = request.param.partition(" ")
    event = world.events()[0]["event"]["id"]
    paths = {
        "document": document,
        "subscription": subscription,
        "retry": f"{subscription}/deliveries/{event}/retry",
        "rotate": f"{subscription}/secret/rotate",
        "test": f"{subscription}/test",
    }
    return method, paths.get(what, what)


def check(world: "World", method: str, path: str, body: bytes) -> None:
    before = world.state()
    answer = world.send(method, path, body)
    assert answer.status < 500, answer.body
    if answer.status >= 300:
        assert answer.headers["content-type"] == "application/problem+json"
        problem = json.loads(answer.body)
        assert problem["status"] == answer.status
        assert problem["requestId"]
        if answer.status in (400, 422):
            assert problem["errors"]
        assert world.state() == before


@bounded
@given(value=JSON)
def test_any_json_is_answered(world: "World", call: tuple[str, str], value: Any) -> None:
    check(world, *call, json.dumps(value).encode("utf-8", "surrogatepass"))


@bounded
@given(value=OBJECT)
def test_any_object_of_known_fields_is_answered(world: "World", call: tuple[str, str], value: Any) -> None:
    check(world, *call, json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))


@bounded
@given(body=st.binary(max_size=200))
def test_any_bytes_are_answered(world: "World", call: tuple[str, str], body: bytes) -> None:
    check(world, *call, body)


@bounded
@given(value=OBJECT, at=st.integers(0, 400), inserted=st.binary(max_size=4), removed=st.integers(0, 4))
def test_any_damaged_json_is_answered(
    world: "World", call: tuple[str, str], value: Any, at: int, inserted: bytes, removed: int
) -> None:
    body = json.dumps(value).encode()
    at = min(at, len(body))
    check(world, *call, body[:at] + inserted + body[at + removed :])


HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40)


@bounded
@given(headers=st.dictionaries(
    st.sampled_from(["idempotency-key", "if-match", "signalpost-tenant", "authorization", "content-type", "accept",
    "host"]),
    HEADER, max_size=4,
))  # fmt: skip
def test_any_headers_are_answered(world: "World", call: tuple[str, str], headers: dict[str, str]) -> None:
    before = world.state()
    answer = world.send(*call, b"{}", {name: value.strip() for name, value in headers.items()})
    assert answer.status < 500, answer.body
    if answer.status >= 300:
        assert world.state() == before


@bounded
@given(
    path=st.sampled_from(["/v1/events", "/v1/subscriptions", "{subscription}/deliveries", "{document}"]),
    query=st.lists(
        st.tuples(
            st.sampled_from(["after", "limit", "cursor", "eventType", "externalId", "status", "from",
            "to"]) | st.text(max_size=3),
            st.sampled_from(["", "1", "-1", "250", "documentCreated", "failed", "2021-11-27T13:00:00+00:00", "MQ",
            str(2**62),
                             "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"]) | st.text(max_size=6),
        ),
        max_size=4,
    ),
)  # fmt: skip
def test_any_query_is_answered(
    world: "World", document: str, subscription: str, path: str, query: list[tuple[str, str]]
) -> None:
    encoded = "&".join(f"{quoted(name)}={quoted(value)}" for name, value in query)
    answer = world.get(path.format(document=document, subscription=subscription) + "?" + encoded)
    assert answer.status in (200, 422), answer.body


def quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))
