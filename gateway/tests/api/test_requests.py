"""Who calls what: keys, tenants, paths, methods, query parameters, and bytes that are hardly HTTP."""

import asyncio
import json
import socket
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from gateway.tests.patience import PATIENCE

from signalpost.api.guards.principals import Principals
from signalpost.domain.access.sign_in import Ground
from signalpost.domain.errors import Unauthenticated, Unavailable
from signalpost.engine.fleet.lookout import Lookout
from signalpost.store.nouns.fleet import ALONE

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

ABSENT = "01a20e98-25ba-7b43-8f2d-f3d7f20c1d84"
PATHS = {
    "/v1/documents": "GET, HEAD, POST",
    f"/v1/documents/{ABSENT}": "DELETE, GET, HEAD, PATCH, PUT",
    "/v1/subscriptions": "GET, HEAD, POST",
    f"/v1/subscriptions/{ABSENT}": "DELETE, GET, HEAD, PATCH",
    f"/v1/subscriptions/{ABSENT}/deliveries": "GET, HEAD",
    f"/v1/subscriptions/{ABSENT}/deliveries/{ABSENT}": "GET, HEAD",
    f"/v1/subscriptions/{ABSENT}/deliveries/{ABSENT}/retry": "POST",
    "/v1/events": "GET, HEAD",
    f"/v1/events/{ABSENT}": "GET, HEAD",
    "/health/live": "GET, HEAD",
    "/health/ready": "GET, HEAD",
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "PURGE")


# --- Keys and tenants -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "no_key"),
        ("", "no_key"),
        ("Basic dXNlcjpwYXNzd29yZA==", "no_key"),
        ("Token {key}", "no_key"),
        ("{key}", "no_key"),
        ("Bearer{key}", "no_key"),
        ("Bearer", "no_key"),
        ("Bearer ", "no_key"),
        ("Bearer sp_" + "A" * 43, "unknown_key"),
        ("Bearer {key}x", "unknown_key"),
        ("Bearer {key} x", "unknown_key"),
        ("Bearer {key},{key}", "unknown_key"),
        ("Bearer sp_", "unknown_key"),
        ("Bearer \xe9\xff\x80", "unknown_key"),
        ("Bearer " + "x" * 20_000, "unknown_key"),
    ],
)
def test_without_a_valid_key_nothing_is_done(world: "World", authorization: str | None, code: str) -> None:
    given = None if authorization is None else authorization.replace("{key}", world.key)
    for method, path, body in (
        ("GET", "/v1/events", None),
        ("POST", "/v1/documents", dict(world.document)),
        ("POST", "/v1/documents", b"no JSON"),
        ("DELETE", f"/v1/documents/{ABSENT}", None),
    ):
        before = world.state()
        answer = world.send(method, path, body, {"authorization": given})
        problem = answer.refused(401, code=code)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert world.key not in json.dumps(problem)
        assert world.state() == before


async def is_recent() -> None:
    """What is known counts."""


def principals_of_no_one(lookout: Lookout) -> Principals:
    """Principals of a gateway without keys, members and links, whose operator's key was lost."""

    async def no_one(_id: str) -> None:
        return None

    return Principals(
        "", lambda _: None, lambda: 0, lambda _: None, lookout, no_one, no_one, lambda *_: None, is_recent
    )


@pytest.mark.parametrize("authorization", ["Bearer", "Bearer ", "Bearer  "])
def test_no_key_is_nobody_s_key_even_if_the_operator_s_was_lost(authorization: str) -> None:
    """A key that was cut to nothing must not open the gateway to a caller who sends nothing."""

    lookout = Lookout(cast(Any, SimpleNamespace(terms=ALONE)), lambda: 0, lambda _changes: None)
    with pytest.raises(Unauthenticated) as refused:
        asyncio.run(principals_of_no_one(lookout).of(authorization))
    assert refused.value.code == "no_key"


def test_a_key_that_could_not_be_looked_for_is_not_called_wrong() -> None:
    """Another node may have made the key a moment ago."""

    async def fail() -> None:
        raise Unavailable("The database does not answer.")

    principals = principals_of_no_one(cast(Lookout, SimpleNamespace(be_recent=is_recent, next_look=fail)))
    with pytest.raises(Unavailable):
        asyncio.run(principals.of("Bearer sp_new"))
    with pytest.raises(Unavailable):
        asyncio.run(principals.on(Ground("key", "k", b"proof")))


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
def test_the_scheme_ignores_case(world: "World", scheme: str) -> None:
    world.send("GET", "/v1/events", headers={"authorization": scheme + world.key}).ok()


@pytest.mark.parametrize(
    "tenant", ["nobody", "", " ", "Default", "default,default", "\xe9", "x" * 10_000, "1", "../default"]
)
def test_an_unknown_tenant_is_not_there(world: "World", tenant: str) -> None:
    body = dict(world.document)
    headers = {"signalpost-tenant": tenant}
    world.refuses("POST", "/v1/documents", body, status=404, headers=headers, code="tenant_not_found")
    world.send("GET", "/v1/events", headers=headers).refused(404, code="tenant_not_found")


def test_the_default_tenant_can_be_named(world: "World") -> None:
    assert world.send("GET", "/v1/events", headers={"signalpost-tenant": "default"}).ok()["last"] >= 1


# --- Paths and methods ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/", "/v1", "/v1/", "/v2/documents", "/V1/documents", "/v1/Documents", "//v1/documents", "/v1//documents",
        "/v1/documents/", "/v1/subscriptions/", "/v1/events/", "/health/live/", f"/v1/documents/{ABSENT}/",
        f"/v1/documents/{ABSENT}/x", f"/v1/subscriptions/{ABSENT}/delivery", "/health", "/v1/documents.json",
        "/v1/documents;x", "/%2e%2e/etc/passwd", "/v1/%00", "/v1/%ff", "/admin", "/" + "x" * 5_000,
    ],
)  # fmt: skip
def test_an_unknown_path_is_a_problem_and_no_redirect(world: "World", path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        for key in (f"Bearer {world.key}", None):
            problem = world.send(method, path, headers={"authorization": key}).refused(404, code="no_such_path")
            assert problem["detail"].startswith("The API has no path /")


def test_an_escaped_slash_divides_no_path(world: "World", document: str, subscription: str) -> None:
    """A program that escapes an id that it was given asks for nothing but what has that id."""
    for path in (f"{document}%2Fversions", f"{subscription}%2fdeliveries", "/v1%2Fdocuments", "/health%2flive"):
        world.get(path).refused(404, code="no_such_path")
    assert world.get("/v1/%64ocuments?ownerEmail=a%2Fb@example.com").status == 200


@pytest.mark.parametrize("path", PATHS)
def test_each_path_says_which_methods_it_takes(world: "World", path: str) -> None:
    for method in METHODS:
        if method in PATHS[path].split(", "):
            continue
        answer = world.send(method, path)
        assert answer.headers["allow"] == PATHS[path]
        if method == "HEAD":
            assert (answer.status, answer.body) == (405, b"")
        else:
            problem = answer.refused(405, code="method_not_allowed")
            assert problem["detail"] == f"This path takes {PATHS[path]}."
            assert problem["allow"] == PATHS[path].split(", ")


def test_head_answers_as_get_does_without_the_body(world: "World", document: str, subscription: str) -> None:
    event = world.events()[0]["event"]["id"]
    for path in (document, subscription, "/v1/subscriptions", "/v1/events", f"/v1/events/{event}", "/health/live",
                 "/health/ready", subscription + "/deliveries", f"/v1/documents/{ABSENT}", "/v1/events?limit=0",
                 "/x"):  # fmt: skip
        got, head = world.get(path), world.send("HEAD", path)
        assert (head.status, head.body) == (got.status, b"")
        for name in ("content-type", "content-length", "etag"):
            assert head.headers.get(name) == got.headers.get(name)


@pytest.mark.parametrize(
    "name", ["x", "1", "null", "%00", "d24c0644-1d31-47fa-960e", "%F0%9F%A6%84", "{id}", ABSENT, "a" * 3000]
)
def test_what_has_no_such_id_is_not_there(world: "World", subscription: str, name: str) -> None:
    for method, path, body, code in (
        ("GET", f"/v1/documents/{name}", None, "document_not_found"),
        ("PATCH", f"/v1/documents/{name}", {}, "document_not_found"),
        ("DELETE", f"/v1/documents/{name}", None, "document_not_found"),
        ("GET", f"/v1/subscriptions/{name}", None, "subscription_not_found"),
        ("PATCH", f"/v1/subscriptions/{name}", {}, "subscription_not_found"),
        ("DELETE", f"/v1/subscriptions/{name}", None, "subscription_not_found"),
        ("GET", f"/v1/subscriptions/{name}/deliveries", None, "subscription_not_found"),
        ("GET", f"/v1/subscriptions/{name}/deliveries/{name}", None, "subscription_not_found"),
        ("POST", f"/v1/subscriptions/{name}/deliveries/{name}/retry", None, "subscription_not_found"),
        ("GET", f"{subscription}/deliveries/{name}", None, "delivery_not_found"),
        ("POST", f"{subscription}/deliveries/{name}/retry", None, "delivery_not_found"),
        ("GET", f"/v1/events/{name}", None, "event_not_found"),
    ):
        world.refuses(method, path, body, status=404, code=code)


def test_an_import_needs_a_uuid_in_the_path(world: "World") -> None:
    world.refuses("PUT", "/v1/documents/7?sourceVersion=1", {}, at=("externalId",))


def test_ids_ignore_case(world: "World", document: str, subscription: str) -> None:
    assert world.get("/v1/documents/" + document[14:].upper()).ok() == world.get(document).ok()
    assert world.get("/v1/subscriptions/" + subscription[18:].upper()).ok() == world.get(subscription).ok()


def test_health_needs_no_key(world: "World") -> None:
    for path, status in (("/health/live", "live"), ("/health/ready", "ready")):
        assert world.send("GET", path, headers={"authorization": None}).ok()["status"] == status


def test_every_answer_has_a_request_id_of_its_own(world: "World", document: str) -> None:
    answers = [world.get(path) for path in (document, "/v1/events", "/x", "/health/live", "/v1/events?x=1")]
    assert len({answer.headers["request-id"] for answer in answers}) == len(answers)


# --- Query parameters -------------------------------------------------------------------------------------------------

LIMIT = "This must be a whole number from 1 to 250."


@pytest.mark.parametrize(
    "value", ["0", "251", "-1", "", "1.0", "1e2", "ten", "%2B5", "%201", "0x10", "%D9%A5", "9" * 30, "null"]
)
def test_a_bad_limit_is_named(world: "World", subscription: str, value: str) -> None:
    for path in ("/v1/events", "/v1/subscriptions", subscription + "/deliveries"):
        (error,) = world.get(f"{path}?limit={value}").refused(422, "?limit")["errors"]
        assert error["detail"] == LIMIT


@pytest.mark.parametrize("value", ["1", "250", "007"])
def test_a_good_limit_is_taken(world: "World", subscription: str, value: str) -> None:
    for path in ("/v1/events", "/v1/subscriptions", subscription + "/deliveries"):
        world.get(f"{path}?limit={value}").ok()


@pytest.mark.parametrize(
    "value",
    ["", "x", "1", "MQ=", "MQ==", "MQ==MQ", "M Q", "MQ%00", "MTI@@", "!MQ", "M.Q", "LTE", "MS41LjY", "MDE", "é",
    "A" * 5000,
     "MTExMTExMTExMTExMTExMTExMTE", "_w", "bnVsbA", "4pmg"],
)  # fmt: skip
def test_a_cursor_that_was_not_given_is_refused(world: "World", subscription: str, value: str) -> None:
    encoded = value.replace(" ", "%20").replace("é", "%C3%A9")
    for path in ("/v1/subscriptions", subscription + "/deliveries"):
        problem = world.get(f"{path}?cursor={encoded}").refused(422, "?cursor")
        assert problem["errors"][0]["detail"] == "This must be the `next` of an earlier page, unchanged."


@pytest.mark.parametrize(
    ("query", "at"),
    [
        ("after=-1", ["?after"]),
        ("after=x", ["?after"]),
        ("after=", ["?after"]),
        (f"after={2**63}", ["?after"]),
        ("eventType=created", ["?eventType"]),
        ("eventType=documentCreated,documentDeleted", ["?eventType"]),
        ("eventType=", ["?eventType"]),
        ("externalId=7", ["?externalId"]),
        ("externalId=", ["?externalId"]),
        ("limit=1&limit=1", ["?limit"]),
        ("after=0&after=x", ["?after", "?after"]),
        ("x=1", ["?x"]),
        ("x=1&x=2", ["?x"]),
        ("Limit=1", ["?Limit"]),
        ("cursor=MQ", ["?cursor"]),
        ("limit[]=1", ["?limit[]"]),
        ("%00=1", ["?\x00"]),
        ("%FF=1", ["?\ufffd"]),
        ("=1", ["?"]),
        ("after=x&eventType=y&externalId=z&limit=0&more=1", ["?after", "?eventType", "?externalId", "?limit", "?more"]),
    ],
)
def test_every_bad_parameter_of_the_feed_is_named(world: "World", query: str, at: list[str]) -> None:
    world.get(f"/v1/events?{query}").refused(422, *at)


@pytest.mark.parametrize(
    ("query", "at"),
    [
        ("status=done", ["?status"]),
        ("status=", ["?status"]),
        ("status=failed,pending", ["?status"]),
        ("eventType=x", ["?eventType"]),
        ("externalId=x", ["?externalId"]),
        ("from=2021-01-01", ["?from"]),
        ("from=yesterday&to=2021-02-30T00:00:00Z", ["?from", "?to"]),
        ("to=2021-01-01T00:00:00", ["?to"]),
        ("subscriptionId=" + ABSENT, ["?subscriptionId"]),
        ("from=1&to=2&status=3&eventType=4&externalId=5&limit=6x&cursor=7&x=8",
         ["?from", "?to", "?status", "?eventType", "?externalId", "?limit", "?cursor", "?x"]),
    ],
)  # fmt: skip
def test_every_bad_parameter_of_deliveries_is_named(
    world: "World", subscription: str, query: str, at: list[str]
) -> None:
    world.get(f"{subscription}/deliveries?{query}").refused(422, *at)


def test_a_parameter_that_a_call_does_not_know_is_refused_and_nothing_is_done(
    world: "World", document: str, subscription: str
) -> None:
    """A client that thinks it asks for a dry run must not get a wet one."""
    event = world.events()[0]["event"]["id"]
    calls: list[tuple[str, str, Any]] = [
        ("POST", "/v1/documents", dict(world.document)),
        ("GET", document, None),
        ("PATCH", document, {"title": "changed"}),
        ("PUT", document, {}),
        ("DELETE", document, None),
        ("POST", "/v1/subscriptions", dict(world.subscription)),
        ("GET", "/v1/subscriptions", None),
        ("GET", subscription, None),
        ("PATCH", subscription, {"name": "changed"}),
        ("DELETE", subscription, None),
        ("GET", subscription + "/deliveries", None),
        ("GET", f"{subscription}/deliveries/{event}", None),
        ("POST", f"{subscription}/deliveries/{event}/retry", None),
        ("GET", "/v1/events", None),
        ("GET", f"/v1/events/{event}", None),
    ]
    for method, path, body in calls:
        before = world.state()
        answer = world.send(method, path + "?dryRun=true", body)
        assert answer.status == 422, (method, path)
        assert "?dryRun" in [error["pointer"] for error in answer.json["errors"]]
        assert world.state() == before


@pytest.mark.parametrize("value", ["-1", "x", "", "1.5", str(2**63), "9" * 40])
def test_a_bad_source_version_is_named(world: "World", document: str, value: str) -> None:
    answer = world.send("PUT", f"{document}?sourceVersion={value}", {})
    assert answer.status == 422
    assert answer.json["errors"][0]["pointer"] == "?sourceVersion"


def test_very_many_parameters_hold_nobody_up(world: "World") -> None:
    query = "&".join(f"x{number}" for number in range(9_000))
    answer = world.get("/v1/events?" + query)
    assert answer.status == 422
    assert len(answer.json["errors"]) == 100, "as many as a person can read"
    with socket.create_connection(("127.0.0.1", world.port), timeout=PATIENCE):
        pass


# --- Bytes that are hardly HTTP ---------------------------------------------------------------------------------------

POST = b"POST /v1/documents HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer KEY\r\n"
GET = b"GET /v1/events HTTP/1.1\r\nconnection: close\r\nauthorization: Bearer KEY\r\n"


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n\r\n",
        b"\x00" * 1000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GARBAGE\r\n\r\n",
        b"get /v1/events HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /v1/events\r\n\r\n",
        b"GET  /v1/events HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /v1/events HTTP/9.9\r\nhost: x\r\n\r\n",
        b"GET /v1/ev\xffents HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /v1/events?a=\xff HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /v1/ev ents HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET v1/events HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET http:// HTTP/1.1\r\nhost: x\r\n\r\n",
        b"CONNECT x:443 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        POST + b"content-length: abc\r\n\r\n{}",
        POST + b"content-length: -1\r\n\r\n{}",
        POST + b"content-length: +2\r\n\r\n{}",
        POST + b"content-length: 2, 2\r\n\r\n{}",
        POST + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        POST + b"content-length: " + b"9" * 40 + b"\r\n\r\n{}",
        POST + b"content-length: \xb2\r\n\r\n{}",
        POST + b"content-length:\r\n\r\n{}",
        POST + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"transfer-encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n",
        POST + b"transfer-encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
        POST + b"transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}",
        POST + b"transfer-encoding: chunked\r\n\r\n2\r\n{}{}{}\r\n0\r\n\r\n",
        POST + b"transfer-encoding: chunked\r\n\r\n2;x=\x00\r\n{}\r\n0\r\n\r\n",
        POST + b"transfer-encoding: gzip\r\n\r\n{}",
        POST + b"transfer-encoding: chunked, identity\r\n\r\n{}",
        POST + b"no colon here\r\n\r\n",
        POST + b" folded: x\r\n\r\n",
        POST + b"bad name: x\r\n\r\n",
        POST + b"x: a\x00b\r\n\r\n",
        POST + b"content-type: application/json\x01\r\ncontent-length: 2\r\n\r\n{}",
        POST + b"idempotency-key: a\xffb\r\ncontent-length: 2\r\n\r\n{}",
        POST + b"if-match: \xff\r\ncontent-length: 2\r\n\r\n{}",
        POST + b"signalpost-tenant: \xff\r\ncontent-length: 2\r\n\r\n{}",
        POST + b"content-type: \xff\r\ncontent-length: 2\r\n\r\n{}",
        POST + b"authorization: \xff\xfe\r\ncontent-length: 2\r\n\r\n{}",
    ],
)
def test_bytes_that_are_hardly_http_are_refused_and_the_server_goes_on(world: "World", data: bytes) -> None:
    before = world.state()
    answer = world.raw(data.replace(b"KEY", world.key.encode()), 0.3)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:200]
    assert world.state() == before
    world.get("/v1/events").ok()


@pytest.mark.parametrize(
    "host", [b"[", b"]", b"[::1", b"a b", b"a/b?c#d", b"\\", b"a:99999999", b"a:b", b"@", b"", b"\xff", b"%00"]
)
def test_whatever_host_is_named_the_answer_is_a_whole_one(world: "World", host: bytes) -> None:
    """Error answers and log lines are whole ones too."""
    good = world.raw(GET.replace(b"KEY", world.key.encode()) + b"host: " + host + b"\r\n\r\n")
    bad = world.raw(GET.replace(b"events", b"event") + b"host: " + host + b"\r\n\r\n")
    assert good.startswith(b"HTTP/1.1 200 ")
    assert bad.startswith(b"HTTP/1.1 404 ")
    assert b"application/problem+json" in bad
    write = POST.replace(b"host: x", b"host: " + host).replace(b"KEY", world.key.encode())
    body = json.dumps(dict(world.document)).encode()
    head = write + b"idempotency-key: " + host.hex().encode() + b"-host\r\ncontent-length: %d\r\n\r\n" % len(body)
    assert world.raw(head + body).startswith(b"HTTP/1.1 201 ")


def test_a_client_that_goes_away_in_the_middle_leaves_nothing(world: "World") -> None:
    before = world.state()
    body = json.dumps(dict(world.document)).encode()
    whole = POST.replace(b"KEY", world.key.encode()) + b"content-length: %d\r\n\r\n%b" % (len(body), body)
    for length in range(0, len(whole), 17):
        with socket.create_connection(("127.0.0.1", world.port), timeout=PATIENCE) as connection:
            connection.sendall(whole[:length])
    world.get("/v1/events").ok()
    assert world.state() == before


def test_requests_in_one_packet_are_answered_one_after_the_other(world: "World") -> None:
    one = GET.replace(b"KEY", world.key.encode()).replace(b"connection: close\r\n", b"") + b"host: x\r\n\r\n"
    last = GET.replace(b"events", b"events?limit=0").replace(b"KEY", world.key.encode()) + b"host: x\r\n\r\n"
    answer = world.raw(one + one + last)
    assert [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"200", b"200", b"422"]
