"""What `listen` does while the gateway is away, or has forgotten: it loses nothing, and says what it could not get."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from gateway.tests.http_server import QuietHandler

from signalpost.cli.client import CallRefused, Client, CommandError
from signalpost.cli.commands.listen.feed import EventFeed
from signalpost.local.emulator import RUN_HEADER

EVENTS = {number: b'{"id": "%d", "value":0.0,  "text":"\\u00fc"}' % number for number in range(1, 8)}
"""Bytes that no JSON library writes like this."""
Answer = Callable[[int], tuple[int, bytes] | tuple[int, bytes, str] | None]


def page(after: int, count: int = 2) -> tuple[int, bytes]:
    """The next `count` events after a sequence, as the gateway answers them."""
    found = [number for number in EVENTS if after < number <= after + count]
    entries = b",".join(b'{"sequence":%d,"event":%s}' % (number, EVENTS[number]) for number in found)
    return 200, b'{"data":[%s],"last":%d}' % (entries, found[-1] if found else after)


def problem(status: int, **members: object) -> tuple[int, bytes]:
    return status, json.dumps({"status": status, "code": "c", "detail": "No.", "title": "No", **members}).encode()


@contextmanager
def a_gateway_that(*script: Answer) -> Iterator[str]:
    """Answers each request as the next part of the script says: None hangs up. The last part answers all others."""
    parts = list(script)

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            after = int(parse_qs(urlsplit(self.path).query)["after"][0])
            answer = (parts.pop(0) if len(parts) > 1 else parts[0])(after)
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer[0])
            self.send_header("content-length", str(len(answer[1])))
            if len(answer) > 2:
                self.send_header(RUN_HEADER, answer[2])
            self.end_headers()
            self.wfile.write(answer[1])

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class NotedStates:
    def __init__(self) -> None:
        self.said: list[str] = []

    def lost(self, _reason: str) -> None:
        self.said.append("lost")

    def found(self) -> None:
        self.said.append("found")

    def missed(self, first: int, last: int) -> None:
        self.said.append(f"missed {first} to {last}")

    def began_anew(self) -> None:
        self.said.append("began anew")


def followed(url: str, until: int) -> tuple[list[int], list[bytes], list[str]]:
    """The sequences and bodies that are handed out up to one, and what was said meanwhile."""
    noted = NotedStates()

    async def follow() -> list[tuple[int, bytes]]:
        found = []
        async for entry in EventFeed(Client(url, "key", None), 0, noted, None, None).entries():
            found += [] if entry is None else [(entry.sequence, entry.body)]
            if found and found[-1][0] >= until:
                break
        return found

    entries = asyncio.run(follow())
    return [sequence for sequence, _ in entries], [body for _, body in entries], noted.said


def test_every_event_is_handed_out_once_as_its_very_bytes_although_the_gateway_goes_away() -> None:
    with a_gateway_that(page, lambda _after: None, lambda _after: None, lambda _after: problem(503), page) as url:
        sequences, bodies, said = followed(url, 7)
    assert sequences == list(EVENTS)
    assert bodies == list(EVENTS.values())
    assert said == ["lost", "found"]


def test_a_log_that_ends_before_what_was_read_is_another_one_and_is_read_from_its_beginning() -> None:
    shorter = (200, b'{"data":[],"last":1}')
    with a_gateway_that(page, lambda _after: page(2, 1), lambda _after: shorter, page) as url:
        sequences, _, said = followed(url, 5)
    assert (sequences, said) == ([1, 2, 3, 1, 2, 3, 4, 5], ["began anew"])


def test_an_emulator_that_was_reset_is_read_from_its_beginning_however_long_its_log_is_by_then() -> None:
    first, second = (lambda after, run=run: (*page(after), run) for run in ("a", "b"))
    with a_gateway_that(first, second) as url:
        sequences, _, said = followed(url, 4)
    assert (sequences, said) == ([1, 2, 1, 2, 3, 4], ["began anew"])


def test_an_event_counts_when_the_next_one_is_asked_for() -> None:
    """A program that goes on after an interruption loses none."""

    async def interrupted(feed: EventFeed) -> None:
        async for entry in feed.entries():
            if entry is not None and entry.sequence == 2:
                return

    with a_gateway_that(page) as url:
        feed = EventFeed(Client(url, "key", None), 0, NotedStates(), None, None)
        asyncio.run(interrupted(feed))
    assert feed.after == 1


def test_events_that_are_no_longer_kept_are_reported_and_the_rest_follows() -> None:
    with a_gateway_that(lambda _after: problem(410, oldest=5), page) as url:
        assert followed(url, 7)[::2] == ([5, 6, 7], ["missed 1 to 4"])


@pytest.mark.parametrize(
    ("answer", "error"), [(problem(403), CallRefused), ((200, b"<html>"), CommandError), ((200, b"{}"), CommandError)]
)
def test_what_does_not_pass_ends_it(answer: tuple[int, bytes], error: type[Exception]) -> None:
    with a_gateway_that(lambda _after: answer) as url, pytest.raises(error):
        followed(url, 7)
