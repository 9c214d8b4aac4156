"""A service with an HTTP API: the request that an event becomes, and the ways to sign in."""

import base64
from typing import Any

import pytest
from gateway.tests.destinations.kinds import KEY, config, connection, context, pointers, reply
from msgspec import UNSET
from msgspec.structs import replace

from signalpost.destinations.access import Fixed, Grant
from signalpost.destinations.calls import Call, Skip
from signalpost.destinations.http import Http
from signalpost.destinations.rulings import Done, Reauthorise, Reject, Retry, Ruling, Throttle

HTTP = Http()
OPEN = connection("http", origin="https://api.example.com/", signIn={"with": "nothing"})
TOKENS = {
    "with": "clientCredentials", "tokenUrl": "https://login.example.com/token", "clientId": "me", "clientSecret": "s3",
    "scope": "write",
}  # fmt: skip


def prepared(on: Any = OPEN, **said: Any) -> Call:
    call = HTTP.prepare(on, config("http", on, **said), context())
    assert isinstance(call, Call)
    return call


def with_sign_in(**sign_in: Any) -> Any:
    return connection("http", origin="https://api.example.com", signIn=sign_in)


def test_without_a_body_of_its_own_the_event_goes_as_webhooks_receive_it() -> None:
    assert prepared(path="/events") == Call(
        method="POST",
        url="https://api.example.com/events",
        json=context().event,
        headers={"idempotency-key": KEY},
    )


def test_method_path_headers_and_body_are_the_subscriptions() -> None:
    call = prepared(method="PATCH", path="/deals/1?by=id", headers={"X-Source": " us "}, json={"won": [1, None]})
    assert call.method == "PATCH"
    assert call.url == "https://api.example.com/deals/1?by=id"
    assert call.headers == {"X-Source": "us", "idempotency-key": KEY}
    assert call.json == {"won": [1, None]}


@pytest.mark.parametrize("path", ["/a/../b", "/a/..", "/./a", "/..?x=1"])
def test_no_document_leads_to_another_path(path: str) -> None:
    assert isinstance(HTTP.prepare(OPEN, replace(config("http", OPEN, path="/"), path=path), context()), Skip)
    assert prepared(path="/a..b/c?../d").url.endswith("/a..b/c?../d")


def test_a_call_that_a_connection_allows_no_longer_is_not_made() -> None:
    """The config is read once more with each change of the connection, before anything is sent."""
    narrowed = connection("http", origin="https://api.example.com", signIn={"with": "nothing"}, calls=["POST /events"])
    assert prepared(narrowed, path="/events").url == "https://api.example.com/events"
    refused = pointers(lambda: config("http", narrowed, path="/events", method="PUT"))
    assert refused == {"/config/path": "call_not_allowed"}


@pytest.mark.parametrize("path", ["/a/%2e%2e/b", "/%2E/b", "/a/%2e%2E"])
def test_dots_lead_nowhere_else_in_disguise(path: str) -> None:
    assert pointers(lambda: config("http", OPEN, path=path)) == {"/config/path": "bad_path"}


def test_a_delete_has_no_body() -> None:
    call = prepared(method="DELETE", path="/deals/1")
    assert call.json is UNSET


def test_what_cannot_stand_in_a_path_or_a_header_is_percent_encoded() -> None:
    call = prepared(path="/a b/ä?x=%20#c", headers={"x-title": "Vertrag ü\r\nx-evil: 1"})
    assert call.url == "https://api.example.com/a%20b/%C3%A4?x=%20%23c"
    assert call.headers["x-title"] == "Vertrag %C3%BC%0D%0Ax-evil: 1"


@pytest.mark.parametrize(
    ("sign_in", "expected"),
    [
        ({"with": "nothing"}, None),
        ({"with": "bearer", "token": "t"}, Fixed("Bearer t")),
        (
            {"with": "basic", "username": "ü", "password": "p:w"},
            Fixed("Basic " + base64.b64encode("ü:p:w".encode()).decode()),
        ),
        ({"with": "apiKey", "header": "X-Api-Key", "key": "k"}, None),
        ({"with": "bodyKey", "member": "routing_key", "key": "k"}, None),
        (
            TOKENS,
            Grant(
                url="https://login.example.com/token",
                form={"grant_type": "client_credentials", "scope": "write"},
                basic=("me", "s3"),
            ),
        ),
        (
            {**TOKENS, "credentialsIn": "form"},
            Grant(
                url="https://login.example.com/token",
                form={
                    "grant_type": "client_credentials", "scope": "write", "client_id": "me", "client_secret": "s3"
                },
            ),
        ),
    ],
)  # fmt: skip
def test_the_ways_to_sign_in(sign_in: dict[str, Any], expected: object) -> None:
    assert HTTP.access(with_sign_in(**sign_in)) == expected


def test_an_api_key_goes_in_its_header() -> None:
    call = prepared(with_sign_in(**{"with": "apiKey", "header": "X-Api-Key", "key": "k"}), path="/")
    assert call.headers["X-Api-Key"] == "k"


BODY_KEY = with_sign_in(**{"with": "bodyKey", "member": "routing_key", "key": "k"})


def test_a_key_of_the_body_goes_beside_what_the_subscription_says_or_beside_the_event() -> None:
    assert prepared(BODY_KEY, path="/", json={"a": 1}).json == {"a": 1, "routing_key": "k"}
    assert prepared(BODY_KEY, path="/").json == {**context().event, "routing_key": "k"}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"json": [1]}, {"/config/json": "wrong_type"}),
        ({"json": "{{ document.title }}"}, {"/config/json": "wrong_type"}),
        ({"json": {"routing_key": "another"}}, {"/config/json/routing_key": "not_allowed"}),
        ({"method": "DELETE"}, {"/config/method": "not_allowed"}),
    ],
)
def test_a_body_that_has_no_place_for_its_key_is_refused(said: dict[str, Any], expected: dict[str, str]) -> None:
    assert pointers(lambda: config("http", BODY_KEY, path="/", **said)) == expected


def test_calls_may_go_to_the_service_and_to_where_its_tokens_come_from() -> None:
    assert HTTP.origins(OPEN) == ("https://api.example.com",)
    assert HTTP.origins(with_sign_in(**TOKENS)) == ("https://api.example.com", "https://login.example.com")
    same = {**TOKENS, "tokenUrl": "https://api.example.com:443/token"}
    assert HTTP.origins(with_sign_in(**same)) == ("https://api.example.com",)


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (200, {}, Done()),
        (204, {}, Done()),
        (301, {}, Reject("301", "The vendor answered 301.")),
        (400, {}, Reject("400", "The vendor answered 400.")),
        (401, {}, Reauthorise("The vendor answered 401.")),
        (408, {}, Retry("The vendor answered 408.")),
        (429, {"retry_after": "9"}, Throttle("The vendor answered 429.", 9.0)),
        (429, {"retry_after": "Wed, 21 Oct 2026 07:28:00 GMT"}, Throttle("The vendor answered 429.", 60.0)),
        (429, {"retry_after": "99999999"}, Throttle("The vendor answered 429.", 60.0)),
        (503, {"retry_after": "5"}, Retry("The vendor answered 503.", 5.0)),
    ],
)
def test_the_status_alone_counts(status: int, headers: dict[str, str], expected: Ruling) -> None:
    said, here = config("http", OPEN, path="/"), context()
    call = HTTP.prepare(OPEN, said, here)
    assert isinstance(call, Call)
    assert HTTP.classify(OPEN, said, here, call, reply(status, b"<html>", **headers)) == expected


def test_a_bad_connection_is_named_by_pointers() -> None:
    def refused(**given: Any) -> dict[str, str]:
        return pointers(lambda: connection("http", **given))

    assert refused() == {"/config/origin": "required", "/config/signIn": "required"}
    assert refused(origin="https://a/path", signIn={"with": "nothing"}) == {"/config/origin": "bad_url"}
    assert refused(origin="ftp://a", signIn={"with": "nothing", "token": "x"}) == {
        "/config/origin": "not_https",
        "/config/signIn/token": "unknown_field",
    }
    assert refused(origin="https://a", signIn={"with": "apiKey", "header": "Host", "key": "a\nb"}) == {
        "/config/signIn/header": "reserved_header",
        "/config/signIn/key": "wrong_form",
    }
    assert refused(origin="https://a", signIn={**TOKENS, "tokenUrl": 1}) == {"/config/signIn/tokenUrl": "wrong_type"}


def test_a_bad_config_is_named_by_pointers() -> None:
    keyed = with_sign_in(**{"with": "apiKey", "header": "X-Api-Key", "key": "k"})
    headers = {"Host": "a", "b c": "d", "ok": 1}
    assert pointers(lambda: config("http", keyed, method="TRACE", path="", headers=headers)) == {
        "/config/method": "not_allowed",
        "/config/path": "wrong_length",
        "/config/headers/Host": "reserved_header",
        "/config/headers/b c": "wrong_form",
        "/config/headers/ok": "wrong_type",
    }
    headers = {"x-access-token": "a", "Cookie": "b", "x-apikey": "c", "x-key-date": "{{ event.createdAt }}"}
    assert pointers(lambda: config("http", keyed, path="/a/../b", headers=headers)) == {
        "/config/path": "bad_path",
        "/config/headers/x-access-token": "secret_header",
        "/config/headers/Cookie": "secret_header",
        "/config/headers/x-apikey": "secret_header",
    }
    headers = {"Authorization": "a", "x-api-key": "b", "Idempotency-Key": "c"}
    assert pointers(lambda: config("http", keyed, method="DELETE", path="//evil", headers=headers, json={})) == {
        "/config/path": "bad_path",
        "/config/headers/Authorization": "reserved_header",
        "/config/headers/x-api-key": "reserved_header",
        "/config/headers/Idempotency-Key": "reserved_header",
        "/config/json": "not_allowed",
    }
