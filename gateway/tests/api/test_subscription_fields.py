"""What each field of a subscription may be: what may not be is refused under its name by create and patch, and
nothing is changed."""

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

BIG = 10**400
NO_TEXT: list[Any] = [None, 1, 1.5, True, [], {}, ["x"]]

BAD_URLS = [
    "", " ", "receiver.example.com/hook", "//receiver.example.com/hook", "/hook", "https:", "https:/x.example",
    "https://",
    "https:///hook", "https://?x", "https://:443/", "https:\\\\x.example\\", " https://x.example/",
    "https://x.example/ ",
    "http://x.example/", "HTTP://x.example/", "http://127.0.0.1/", "ftp://x.example/", "ws://x.example/",
    "file:///etc/passwd",
    "javascript:alert(1)", "data:text/plain,x", "mailto:a@x.example", "https;//x.example/", "httpsx://x.example/",
    "https://user@x.example/", "https://user:password@x.example/", "https://@x.example/", "https://x.example@10.0.0.1/",
    "https://x.example/#fragment", "https://x.example/#", "https://x.example#", "https://x.example/?a#b",
    "https://x.example/a b", "https://x.example/?a b", "https://x example/", "https://x.example /",
    "https:// x.example/",
    "https://x.example/\n", "https://x.example/\r\nhost: y", "https://x.\nexample/", "https://x.\texample/",
    "https://x.example\r/",
    "https://x.example/\x00", "https://x.exa\x00mple/", "https://x.example/\x7f", "https://x.example\x01/",
    "https://x.example/é",
    "https://x.example:0/", "https://x.example:65536/", "https://x.example:99999/", "https://x.example:/",
    "https://x.example:-1/",
    "https://x.example:+443/", "https://x.example:44 3/", "https://x.example:٤٤٣/", "https://x.example:https/",
    "https://x.example:443:443/", "https://x.example:4_43/",
    "https://x.example\\@10.0.0.1/", "https://x.example\\hook", "https://10.0.0.1\\@x.example/",
    "https://[::1]/", "https://[::]/", "https://[fe80::1]/", "https://[fe80::1%25eth0]/", "https://[fe80::1%eth0]/",
    "https://[fc00::1]/", "https://[ff02::1]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/", "https://[2001:db8::1]/",
    "https://[::1", "https://::1]/", "https://::1/", "https://[::1]x/", "https://[2606:4700::1111]x/",
    "https://x[2606:4700::1111]/",
    "https://[2606:4700::1111]:0/", "https://[2606:4700::1111]:x/", "https://[2606:4700::zz]/", "https://[v1.x]/",
    "https://[]/",
    "https://[127.0.0.1]/", "https://[x.example]/",
    "https://127.0.0.1/", "https://127.1/", "https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.1.1:8443/x",
    "https://169.254.169.254/latest/meta-data/", "https://100.64.0.1/", "https://0.0.0.0/", "https://255.255.255.255/",
    "https://224.0.0.1/", "https://192.0.2.1/", "https://168.63.129.16/",
    "https://2130706433/", "https://0177.0.0.1/", "https://0x7f.0.0.1/", "https://0x7f000001/", "https://017700000001/",
    "https://127.0.0.1.:443/", "https://1.2.3/", "https://0/", "https://256.256.256.256/", "https://08.8.8.8/",
    "https://127。0。0。1/", "https://１２７.0.0.1/", "https://①②⑦.0.0.1/", "https://%31%32%37.0.0.1/",
    "https://localhost/", "https://LOCALHOST/", "https://localhost./", "https://a.localhost/",
    "https://localhost:8443/",
    "https://x..example/", "https://.x.example/", "https://-x.example/", "https://x.example-/",
    f"https://{'a' * 64}.example/",
    f"https://{'a.' * 127}aa/", "https://x_.*.example/", "https://*.example/", "https://x.example,y.example/",
    "https://x.example/" + "a" * 2031, "https://\u00ad/", "https://x\u2028y/",
    "https://a\u200bb\u200c.example\u3002\u3002/",
]  # fmt: skip

BAD_TYPES: list[Any] = [
    None, 1, True, "documentCreated", {}, {"documentCreated": True}, [], ["documentCreated"] * 11,
]  # fmt: skip
TYPES_WITH_A_BAD_ONE_AT_THE_END: list[list[Any]] = [
    ["created"], ["documentcreated"], [""], ["*"], [1], [None], [True], [["documentCreated"]], [{}],
    ["documentCreated", "nope"], ["documentDeleted", "documentCreated "],
]  # fmt: skip
BAD_HEADER_VALUES: list[Any] = [
    None, 1, True, [], {}, "a\r\nb: c", "a\nb", "a\rb", "a\r", "\n", "a\x00", "a\x01", "a\x1f", "a\x7f", "a\tb",
    "é", "a€", "\u0080",
    " a", "a ", " ", "x" * 4097,
]  # fmt: skip
BAD_DELAYS: list[Any] = [
    None, 10, "10", "10,60", True, {}, [1] * 11,
]  # fmt: skip
DELAYS_WITH_A_BAD_ONE_AT_THE_END: list[list[Any]] = [
    [0], [-1], [86_401], [1.5], [86_401.0], ["10"], [True], [None], [[10]], [BIG], [10, 60, 0],
]  # fmt: skip
BAD: list[tuple[str, Any, str]] = [
    *[("name", v, "") for v in [*NO_TEXT, "", "x" * 513, "a\x00b"]],
    *[("url", v, "") for v in [*NO_TEXT, *BAD_URLS]],
    *[("eventTypes", v, "") for v in BAD_TYPES],
    *[("eventTypes", v, f"/{len(v) - 1}") for v in TYPES_WITH_A_BAD_ONE_AT_THE_END],
    *[("headers", v, "") for v in [None, 1, True, "x: y", [], [["x", "y"]]]],
    *[("headers", {name: "v"}, f"/{name}".replace("/", "~1").replace("~1", "/", 1)) for name in [
        "", " ", "a b", "a:b", "a\r\nb", "a\n", "\na", "a\x00", "é", "ä-x", "a/b", "a(b)", "a\"b", "a\\b", "a\tb",
        "x" * 129, "🦄",
        "Content-Type", "content-length", "HOST", "Connection", "Transfer-Encoding", "TE", "Trailer", "Upgrade",
        "Keep-Alive",
        "Expect", "Date", "Via", "User-Agent", "Accept-Encoding", "Content-Encoding", "plexus-webhook-signature",
        "Plexus-Webhook-Anything", "webhook-id", "Webhook-Signature", "signalpost-sequence", "Signalpost-X",
        "Proxy-Authorization",
    ]],
    *[("headers", {"x-key": v}, "/x-key") for v in BAD_HEADER_VALUES],
    *[("secret", v, "") for v in [*NO_TEXT, "", "1234567", "x" * 257, "12345678\x00"]],
    *[("ordering", v, "") for v in [*NO_TEXT, "", "Strict", "fifo"]],
    *[("status", v, "") for v in [*NO_TEXT, "", "Active", "disabled", "deleted", "running"]],
    *[("rateLimit", v, "") for v in ["10", True, 1.5, [], {}, 0, 0.0, -1, 100_001, BIG]],
    *[("retryDelays", v, "") for v in BAD_DELAYS],
    *[("retryDelays", v, f"/{len(v) - 1}") for v in DELAYS_WITH_A_BAD_ONE_AT_THE_END],
    ("retrydelays", [10], ""), ("id", "x", ""), ("startsAfter", -1, ""), ("health", {}, ""), ("createdAt", None, ""),
    ("event_types", [], ""), ("standardWebhooksSecret", "x", ""),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value", "below"), BAD)
def test_a_bad_value_is_refused_by_create_and_patch(
    world: "World", subscription: str, field: str, value: Any, below: str
) -> None:
    at = (f"/{field}{below}",)
    world.refuses("POST", "/v1/subscriptions", {**world.subscription, field: value}, at=at)
    world.refuses("PATCH", subscription, {field: value}, at=at)


@pytest.mark.parametrize("value", [None, 1, "true", [], {}])
def test_skip_backlog_is_true_or_false(world: "World", subscription: str, value: Any) -> None:
    world.refuses("PATCH", subscription, {"skipBacklog": value, "status": "active"}, at=("/skipBacklog",))
    world.refuses("POST", "/v1/subscriptions", {**world.subscription, "skipBacklog": True}, at=("/skipBacklog",))


@pytest.mark.parametrize("patch", [{}, {"status": "paused"}, {"name": "x"}])
def test_the_backlog_is_skipped_with_a_resume_only(world: "World", subscription: str, patch: dict[str, Any]) -> None:
    world.refuses("PATCH", subscription, {"skipBacklog": True, **patch}, at=("/skipBacklog",))


def test_the_backlog_of_an_active_subscription_is_not_skipped(world: "World") -> None:
    path = f"/v1/subscriptions/{world.create_subscription(status='active', eventTypes=['documentDeleted'])['id']}"
    world.refuses("PATCH", path, {"skipBacklog": True, "status": "active"}, at=("/skipBacklog",))
    assert world.send("DELETE", path).status == 204


def test_every_missing_field_is_named(world: "World") -> None:
    world.refuses("POST", "/v1/subscriptions", {}, at=("/url", "/eventTypes"))


def test_everything_wrong_is_named_at_once(world: "World", subscription: str) -> None:
    """An address that is refused stands beside what else is wrong."""
    body = {
        "url": "https://10.0.0.1/", "name": "", "eventTypes": [], "rateLimit": 0, "retryDelays": [0], "ordering": "x",
        "headers": {"x": 1, "Host": "a", "ok": "ok", "a b": ""}, "nothing": 0, "status": "off",
    }  # fmt: skip
    at = (
        "/url", "/name", "/eventTypes", "/rateLimit", "/retryDelays/0", "/ordering", "/headers/x", "/headers/Host",
        "/headers/a b", "/nothing", "/status",
    )  # fmt: skip
    world.refuses("POST", "/v1/subscriptions", {**body, "secret": "short"}, at=(*at, "/secret"))
    world.refuses("PATCH", subscription + "?x=1", body, at=(*at, "?x"))


def test_a_check_refuses_what_create_would_and_keeps_nothing(world: "World") -> None:
    good = {"url": "https://example.com/hooks", "eventTypes": ["documentCreated"]}
    before = world.state()
    assert world.send("POST", "/v1/subscriptions/check", good).status == 204
    assert world.state() == before
    for body in (
        {},
        {**good, "url": "https://10.0.0.1/", "rateLimit": 0},
        {"kind": "slack"},
        {"kind": "none", "config": {}},
    ):
        said = [world.send("POST", path, body) for path in ("/v1/subscriptions", "/v1/subscriptions/check")]
        assert [each.status for each in said] == [422, 422]
        assert said[0].json["errors"] == said[1].json["errors"]
    assert world.state() == before


def test_a_header_that_is_given_twice_is_named(world: "World", subscription: str) -> None:
    problem = world.refuses("PATCH", subscription, {"headers": {"X-Key": "1", "x-key": "2"}}, at=("/headers/x-key",))
    assert problem["errors"][0]["code"] == "duplicate"


def test_more_than_20_headers_are_refused(world: "World") -> None:
    subscription = f"/v1/subscriptions/{world.create_subscription()['id']}"
    headers = {f"x-{number}": "v" for number in range(21)}
    world.refuses("PATCH", subscription, {"headers": headers}, at=("/headers",))
    headers.pop("x-20")
    assert len(world.send("PATCH", subscription, {"headers": headers}).ok()["headers"]) == 20


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "n" * 512),
        ("name", "Ünïcode 🦄\n"),
        ("url", "https://x.example"),
        ("url", "https://X.Example:8443/a/b;c=d"),
        ("url", "https://münchen.example/hook"),
        ("url", "https://8.8.8.8/"),
        ("url", "https://[2606:4700:4700::1111]:8443/"),
        ("url", "https://x.example/" + "a" * (2048 - 18)),
        ("eventTypes", ["documentCreated", "documentUpdated", "documentDeleted"]),
        ("ordering", "strict"),
        ("rateLimit", 1),
        ("rateLimit", 100_000),
        ("rateLimit", None),
        ("retryDelays", []),
        ("retryDelays", [1, 86_400, 1, 1, 1, 1, 1, 1, 1, 1]),
        ("status", "paused"),
    ],
)
def test_a_value_at_its_limit_is_kept_as_it_is(world: "World", subscription: str, field: str, value: Any) -> None:
    assert world.create_subscription(**{field: value})[field] == value
    assert world.send("PATCH", subscription, {field: value}).ok()[field] == value
    assert world.get(subscription).ok()[field] == value


def test_a_header_at_its_limits_is_taken(world: "World") -> None:
    headers = {"x" * 128: "v" * 4096, "!#$%&'*+.^_`|~-9Az": "", "authorization": "Basic dXNlcg==", "cookie": "a=b; c"}
    assert world.create_subscription(headers=headers)["headers"] == dict.fromkeys(headers)


def test_an_event_type_that_is_given_twice_counts_once(world: "World") -> None:
    made = world.create_subscription(eventTypes=["documentDeleted", "documentCreated", "documentDeleted"])
    assert made["eventTypes"] == ["documentCreated", "documentDeleted"]


@pytest.mark.parametrize("secret", ["12345678", "s" * 256, "🦄" * 8, "whsec_!!", "whsec_" + "A" * 250, "  \t\r\n   "])
def test_an_owners_secret_is_taken_as_it_is(world: "World", secret: str) -> None:
    made = world.create_subscription(secret=secret)
    assert made["secret"] == secret
    assert made["standardWebhooksSecret"].startswith("whsec_")
