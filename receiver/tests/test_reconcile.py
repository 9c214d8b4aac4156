"""Finding what was missed, against a log in memory, and `HttpFeed` against a server on loopback."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from receiver.tests.requests import NOW, SECRET, event_body, signed

from signalpost_receiver import (
    Buffer,
    ConfigError,
    Event,
    FeedError,
    HandlerError,
    Json,
    Outcome,
    Receiver,
    Reconciliation,
    Result,
    Schema,
    SkipStale,
)
from signalpost_receiver.decoding import decode, encode
from signalpost_receiver.feed import Page
from signalpost_receiver.http_feed import HttpFeed

ERASED = (
    b'{"id":"event-2","type":"documentUpdated","createdAt":"2026-05-28T20:26:38.250174+00:00","data":{"document":null}}'
)
Answers = dict[str, tuple[int, bytes]]


class Log:
    """A log of events that are numbered 1, 2, …; pages have two of them."""

    def __init__(self, *bodies: bytes) -> None:
        self.events: list[Json] = [decode(body) for body in bodies]
        self.asked: list[int] = []

    def page(self, after: int) -> Page:
        self.asked.append(after)
        entries = list(enumerate(self.events, 1))[after : after + 2]
        return Page(entries, entries[-1][0] if entries else after)


class Shop:
    """A receiver that keeps what it handled."""

    def __init__(self, **options: Any) -> None:
        self.now = float(NOW + 100)
        self.got: list[str] = []
        self.failing: set[str] = set()
        self.meanwhile: Callable[[], object] = int
        self.receiver = Receiver(secrets=SECRET, clock=lambda: self.now, **options)
        self.receiver.on("documentUpdated")(self.handle)

    def handle(self, event: Event) -> None:
        self.meanwhile()
        if event.id in self.failing:
            raise RuntimeError(event.id)
        self.got.append(event.id)

    def post(self, number: int) -> Outcome:
        body = event_body(number)
        return self.receiver.receive(body, signed(body, at=self.now)).outcome


def test_an_event_whose_document_was_erased_is_settled_without_a_handler() -> None:
    shop, log = Shop(), Log(event_body(1), ERASED, event_body(3))
    found = shop.receiver.reconcile(log, 0)
    assert (shop.got, found.resume_from, found.failed) == (["event-1", "event-3"], 3, [])


def test_what_was_missed_is_handled_and_what_arrived_is_not_again() -> None:
    shop, log = Shop(), Log(*(event_body(number) for number in range(1, 6)))
    for number in (1, 3, 5):
        shop.post(number)
    found = shop.receiver.reconcile(log, 0)
    assert [(event.id, event.sequence) for event in found.missed] == [("event-2", 2), ("event-4", 4)]
    assert (shop.got, found.resume_from) == (["event-1", "event-3", "event-5", "event-2", "event-4"], 5)
    assert [found.failed, found.in_progress, found.too_old, found.lost] == [[], [], [], 0]
    assert shop.post(4) is Outcome.DUPLICATE


def test_the_next_pass_begins_where_the_last_one_ended() -> None:
    shop, log = Shop(), Log(event_body(1))
    found = shop.receiver.reconcile(log, 0)
    log.events.append(decode(event_body(2)))
    log.asked.clear()
    assert [event.id for event in shop.receiver.reconcile(log, found.resume_from).missed] == ["event-2"]
    assert log.asked == [1, 2]


def test_an_event_that_fails_is_tried_again_by_the_next_pass_and_stops_no_other() -> None:
    shop, log = Shop(), Log(*(event_body(number) for number in (1, 2, 3)))
    shop.failing = {"event-2"}
    found = shop.receiver.reconcile(log, 0)
    assert [event.id for event in found.missed] == ["event-1", "event-3"]
    ((sequence, error),) = found.failed
    assert (sequence, type(error), found.resume_from) == (2, HandlerError, 1)
    shop.failing = set()
    assert [event.id for event in shop.receiver.reconcile(log, 1).missed] == ["event-2"]


def test_an_event_in_progress_is_looked_at_again() -> None:
    shop, log = Shop(), Log(event_body(1), event_body(2))
    inner: list[Reconciliation] = []

    def reconcile_once() -> None:
        shop.meanwhile = int
        inner.append(shop.receiver.reconcile(log, 0))

    shop.meanwhile = reconcile_once
    shop.post(1)
    (found,) = inner
    assert (found.in_progress, found.resume_from, [event.id for event in found.missed]) == ([1], 0, ["event-2"])


def test_events_that_the_store_may_have_forgotten_are_left_alone() -> None:
    shop, log = Shop(remember=timedelta(days=1)), Log(event_body(1), event_body(90_000))
    shop.now += 90_000
    found = shop.receiver.reconcile(log, 0)
    assert (found.too_old, [event.id for event in found.missed], found.resume_from) == ([1], ["event-90000"], 2)


def test_types_without_a_handler_are_passed_over() -> None:
    shop, log = Shop(), Log(event_body(1, event_type="documentCreated"))
    found = shop.receiver.reconcile(log, 0)
    assert (found.missed, found.resume_from) == ([], 1)


def test_what_is_no_event_fails() -> None:
    shop, log = Shop(), Log(b"{}", event_body(2))
    found = shop.receiver.reconcile(log, 0)
    assert (type(found.failed[0][1]), found.resume_from, shop.got) == (Schema, 0, ["event-2"])


def test_c17_a_missed_event_that_a_later_one_replaced_is_stale() -> None:
    shop, log = Shop(order=SkipStale()), Log(event_body(1), event_body(2))
    shop.post(2)
    found = shop.receiver.reconcile(log, 0)
    assert (found.missed, found.resume_from, shop.got) == ([], 2, ["event-2"])


def test_c17_a_missed_event_is_held_in_its_place() -> None:
    shop, log = Shop(order=Buffer(hold=timedelta(0))), Log(event_body(1), event_body(2))
    shop.post(2)
    assert len(shop.receiver.reconcile(log, 0).missed) == 1
    results = shop.receiver.drain()
    assert all(isinstance(result, Result) for result in results)
    assert shop.got == ["event-1", "event-2"]


def test_c8_an_event_is_encoded_with_every_digit() -> None:
    text = '{"a":[9999999999999.99,0.10,1E+3,-2,true,null,"Señor \\" 🌕"],"b":{}}'
    assert encode(decode(text.encode())) == text.encode()


@contextmanager
def gateway(answers: Answers) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A server that answers paths with these; its address, and what it was asked with which key."""
    asked: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["authorization"]))
            status, body = answers[self.path]
            self.send_response(status)
            if status == 302:
                self.send_header("location", "/elsewhere")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", asked
        finally:
            server.shutdown()
            thread.join()


def test_the_feed_is_read_with_the_key() -> None:
    body = json.dumps({"data": [{"sequence": 8, "event": {"id": "a"}}], "last": 8}).encode()
    with gateway({"/v1/events?after=7&limit=100": (200, body)}) as (url, asked):
        assert HttpFeed(url, "sp_key").page(7) == Page([(8, {"id": "a"})], 8)
    assert asked == [("/v1/events?after=7&limit=100", "Bearer sp_key")]


def test_the_feed_goes_on_where_the_retention_begins_and_says_what_is_lost() -> None:
    gone = json.dumps({"status": 410, "oldest": 5}).encode()
    body = json.dumps({"data": [], "last": 4}).encode()
    answers = {"/v1/events?after=1&limit=100": (410, gone), "/v1/events?after=4&limit=100": (200, body)}
    with gateway(answers) as (url, _):
        assert HttpFeed(url, "sp_key").page(1) == Page([], 4, lost=3)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, b"{}"),
        (500, b"oh"),
        (302, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"data": 5}'),
        (200, b'{"data": []}'),
        (200, b'{"data": [5], "last": 9}'),
        (410, b"{}"),
        (410, b"gone"),
    ],
)
def test_what_is_no_feed_is_an_error_without_the_key(status: int, body: bytes) -> None:
    with gateway({"/v1/events?after=0&limit=100": (status, body)}) as (url, asked):
        with pytest.raises(FeedError) as caught:
            HttpFeed(url, "sp_key").page(0)
        assert len(asked) == 1, "a redirect is not followed"
    assert (caught.value.status, "sp_key" in str(caught.value)) == (503, False)


def test_a_gateway_that_is_not_there_is_an_error() -> None:
    with gateway({}) as (url, _):
        pass
    with pytest.raises(FeedError):
        HttpFeed(url, "sp_key").page(0)


@pytest.mark.parametrize("url", ["", "gateway.example.com", "file:///etc/passwd", "ftp://a"])
def test_only_web_addresses_are_gateways(url: str) -> None:
    with pytest.raises(ConfigError):
        HttpFeed(url, "sp_key")
