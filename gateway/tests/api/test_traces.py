"""The trace context of a request that changes a document: which event keeps it."""

import json
from typing import TYPE_CHECKING, Any

import apsw
import pytest
from gateway.tests.api.stream import PATH, SNAPSHOT, external_id, line, read
from gateway.tests.sqlite_file import database_file
from gateway.tests.worker_on_loop import either_way

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

listening = either_way
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00"
SLACK = "https://hooks.slack.com/services/T0/B0/canary"
PDF = b'--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n%PDF-1.7\r\n--b--\r\n'


def kept(world: "World") -> list[str | None]:
    """The trace contexts of all events, in the order of the log."""
    connection = apsw.Connection(str(database_file(world.settings.data_dir)), flags=apsw.SQLITE_OPEN_READONLY)
    found = [row[0] for row in connection.execute("SELECT trace FROM event ORDER BY number")]
    connection.close()
    return [None if trace is None else trace.hex() for trace in found]


def span(number: int) -> str:
    return f"{number:016x}"


def traced(number: int) -> dict[str, str]:
    return {"traceparent": f"00-{TRACE}-{span(number)}-01"}


def test_every_way_to_change_a_document_keeps_its_trace(world: "World") -> None:
    before = len(kept(world))
    calls: list[tuple[str, str, Any, dict[str, str]]] = [
        ("PUT", f"/v1/documents/{external_id(1)}", SNAPSHOT, {}),
        ("PATCH", f"/v1/documents/{external_id(1)}", {"title": "Another"}, {}),
        ("POST", f"/v1/documents/{external_id(1)}/versions", PDF, {"content-type": "multipart/form-data; boundary=b"}),
        ("POST", f"/v1/documents/{external_id(1)}/versions/0.1/publish", None, {}),
        ("POST", f"/v1/documents/{external_id(1)}/actions", {"action": "cancel", "reason": "none"}, {}),
        ("DELETE", f"/v1/documents/{external_id(1)}", None, {}),
        ("POST", "/v1/documents", world.document, {}),
    ]
    for number, (method, path, body, headers) in enumerate(calls, 1):
        answer = world.send(method, path, body, {**headers, **traced(number)})
        assert answer.status < 300, answer.body
    assert kept(world)[before:] == [f"{TRACE}{span(number)}01" for number in range(1, len(calls) + 1)]


@pytest.mark.parametrize(
    "header",
    [
        None,
        UNSAMPLED,
        "",
        "00",
        SAMPLED.upper(),
        SAMPLED + "-x",
        f"ff{SAMPLED[2:]}",
        f"{SAMPLED}, {SAMPLED}",
        "\xe9" * 55,
    ],
)
def test_what_names_no_sampled_trace_is_ignored(world: "World", header: str | None) -> None:
    before = len(kept(world))
    answer = world.send("POST", "/v1/documents", world.document, {} if header is None else {"traceparent": header})
    assert answer.status == 201
    assert kept(world)[before:] == [None]


def test_a_repeat_of_a_call_keeps_the_first_trace(world: "World") -> None:
    before = len(kept(world))
    for number in (1, 2):
        world.send("POST", "/v1/documents", world.document, {"idempotency-key": "traced", **traced(number)}).ok(201)
    assert kept(world)[before:] == [f"{TRACE}{span(1)}01"]


def test_each_line_of_an_import_has_a_trace_of_its_own_or_none(world: "World") -> None:
    before = len(kept(world))
    gone = {"externalId": external_id(41), "sourceVersion": 9, "deleted": True, **traced(2)}
    body = b"".join(
        (
            line(41, **traced(1)),
            json.dumps(gone).encode() + b"\n",
            line(42, traceparent=UNSAMPLED),
            line(43, traceparent="nothing of the kind"),
            line(44, traceparent=None),
            line(45),
        )
    )
    answer = world.send("POST", PATH, body, {"content-type": "application/x-ndjson", **traced(7)})
    assert [each["status"] for each in read(answer.body)] == [201, 204, 201, 201, 201, 201]
    assert kept(world)[before:] == [f"{TRACE}{span(1)}01", f"{TRACE}{span(2)}01", None, None, None, None]


def test_a_trace_of_a_line_that_is_no_text_is_refused_as_any_member_is(world: "World") -> None:
    answer = world.send("POST", PATH, line(51, traceparent=5) + line(52), {"content-type": "application/x-ndjson"})
    refused, taken = read(answer.body)
    assert [error["pointer"] for error in refused["problem"]["errors"]] == ["/traceparent"]
    assert taken["status"] == 201


# --- What endpoints are told ------------------------------------------------------------------------------------------


def test_a_subscription_says_whether_its_endpoint_is_told_of_traces(world: "World") -> None:
    made = world.create_subscription(trace=True)
    path = f"/v1/subscriptions/{made['id']}"
    assert made["trace"] is True
    assert world.get(path).ok()["trace"] is True
    assert world.send("PATCH", path, {"trace": False}).ok()["trace"] is False
    assert world.create_subscription()["trace"] is False
    for wrong in (None, "yes", 1):
        world.refuses("PATCH", path, {"trace": wrong}, at=("/trace",))


def test_a_vendor_is_never_told_of_traces(world: "World") -> None:
    made = {"name": "m", "kind": "slack", "config": {"signIn": {"with": "webhook", "url": SLACK}}}
    connection = world.send("POST", "/v1/connections", made).ok(201)["id"]
    config = {"text": "{{ document.title }}"}
    wanted = {"kind": "slack", "connection": connection, "eventTypes": ["documentCreated"], "config": config}
    world.refuses("POST", "/v1/subscriptions", {**wanted, "trace": True}, at=("/trace",))
    found = world.send("POST", "/v1/subscriptions", wanted).ok(201)
    assert "trace" not in found
    world.refuses("PATCH", f"/v1/subscriptions/{found['id']}", {"trace": True}, at=("/trace",))


@pytest.mark.parametrize("name", ["traceparent", "TraceParent", "TRACEPARENT_"])
def test_no_additional_header_stands_in_the_place_of_the_gateways_own(world: "World", name: str) -> None:
    """C18"""
    world.refuses(
        "POST", "/v1/subscriptions", {**world.subscription, "headers": {name: SAMPLED}}, at=(f"/headers/{name}",)
    )
