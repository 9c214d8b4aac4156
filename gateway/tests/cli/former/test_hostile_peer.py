"""`signalpost subscriptions import` from a system that means harm: it costs bounded memory and time, and ends in a
sentence."""

import gzip
import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateway.tests.cli.former.test_import import READERS

from signalpost.cli.client import CommandError, Misuse
from signalpost.cli.commands.imported import svix
from signalpost.cli.commands.imported.answers import (
    MAX_ALL_BYTES,
    MAX_ANSWER_BYTES,
    MAX_DEPTH,
    MAX_PAGES,
    Answers,
    from_api,
    from_file,
)

LIST = "/api/v1/app?limit=250"


def peer(answer: Callable[[httpx.Request], httpx.Response], sleep: Callable[[float], None] = lambda _: None) -> Answers:
    """The answers of a system, none of which needs a socket."""
    client = httpx.Client(transport=httpx.MockTransport(answer))
    return Answers(from_api("https://peer.example", "key", client, sleep))


def streamed(content: bytes, **headers: str) -> httpx.Response:
    """An answer that is read as one from a socket is."""
    return httpx.Response(200, stream=httpx.ByteStream(content), headers=headers)


def answering(content: bytes) -> Answers:
    return peer(lambda _: streamed(content))


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


class Endless(httpx.SyncByteStream):
    """A body that does not end."""

    def __init__(self) -> None:
        self.given = 0

    def __iter__(self) -> Iterator[bytes]:
        while True:
            self.given += 65_536
            yield b" " * 65_536


def test_compressed_answers_are_neither_asked_for_nor_unpacked() -> None:
    asked = list[str]()

    def bomb(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["accept-encoding"])
        content = gzip.compress(b" " * (MAX_ANSWER_BYTES + 1))
        return streamed(content, **{"content-encoding": "gzip"})

    with pytest.raises(CommandError, match="was answered compressed"):
        [*svix.endpoints(peer(bomb))]
    assert asked == ["identity"]


def test_an_answer_is_read_no_further_than_its_bound() -> None:
    body = Endless()
    with pytest.raises(CommandError, match="more than 8 MiB"):
        [*svix.endpoints(peer(lambda _: httpx.Response(200, stream=body)))]
    assert body.given <= MAX_ANSWER_BYTES + 65_536


def test_the_body_of_a_refusal_is_not_read() -> None:
    body = Endless()
    with pytest.raises(CommandError, match="was answered 500"):
        [*svix.endpoints(peer(lambda _: httpx.Response(500, stream=body)))]
    assert body.given <= 65_536


def test_all_answers_together_are_bounded() -> None:
    numbers = count()

    def large(_: httpx.Request) -> httpx.Response:
        page = {"data": [], "iterator": str(next(numbers)), "done": False, "more": "x" * (MAX_ANSWER_BYTES - 100)}
        return streamed(json.dumps(page).encode())

    with pytest.raises(CommandError, match="more than 64 MiB"):
        [*svix.endpoints(peer(large))]
    assert next(numbers) <= MAX_ALL_BYTES // (MAX_ANSWER_BYTES - 100) + 1


@pytest.mark.parametrize("depth", [MAX_DEPTH + 2, 900, 100_000])
def test_an_answer_that_is_nested_too_deeply_is_refused(depth: int, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="nested too deeply"):
        answering(b'{"data":' + nested(depth) + b"}").get(dict[str, Any], LIST)
    file = tmp_path / "saved.json"
    file.write_bytes(b'{"/api/v1/app?limit=250":' + nested(depth) + b"}")
    with pytest.raises((CommandError, Misuse), match="nested too deeply"):
        Answers(from_file(file)).get(list[Any], LIST)


def test_an_answer_at_the_bound_of_depth_is_taken() -> None:
    assert answering(nested(MAX_DEPTH)).get(list[Any], LIST)


PAGES: dict[str, Callable[[int], Any]] = {
    "svix": lambda number: {"data": [], "iterator": str(number), "done": False},
    "convoy": lambda number: {
        "data": {"content": [], "pagination": {"has_next_page": True, "next_page_cursor": str(number)}}
    },
    "outpost": lambda number: {"models": [], "pagination": {"next": str(number)}},
}


@pytest.mark.parametrize("name", PAGES)
def test_a_cursor_that_never_ends_is_given_up(name: str) -> None:
    numbers = count(1)
    found = peer(lambda _: streamed(json.dumps(PAGES[name](next(numbers))).encode()))
    with pytest.raises(CommandError, match=f"more than {MAX_PAGES:,} pages"):
        [*READERS[name](found)]
    assert next(numbers) <= MAX_PAGES + 3


@pytest.mark.parametrize("name", PAGES)
def test_cursors_that_come_again_are_given_up(name: str) -> None:
    numbers = count()
    found = peer(lambda _: streamed(json.dumps(PAGES[name](next(numbers) % 3 + 1)).encode()))
    with pytest.raises(CommandError, match="same pages"):
        [*READERS[name](found)]
    assert next(numbers) < 10


@pytest.mark.parametrize("said", ["9" * 5_000, "9" * 10, "٣", "-1", "soon"])
def test_no_wait_that_is_asked_for_is_longer_than_a_minute(said: str) -> None:
    waits = list[float]()
    headers = [(b"retry-after", said.encode())]
    found = peer(lambda _: httpx.Response(429, headers=headers), waits.append)
    with pytest.raises(CommandError, match="again and again"):
        [*svix.endpoints(found)]
    assert waits
    assert all(0 <= each <= 60 for each in waits)


@pytest.mark.parametrize("number", ["1e400", "-1", "9" * 400, "9" * 5_000])
def test_a_number_that_nobody_means_is_refused(number: str) -> None:
    endpoint = f'{{"uid": "e", "url": "https://a.example", "rate_limit": {number}, "rate_limit_duration": 1}}'
    pages = {"/endpoints": f'{{"data": {{"content": [{endpoint}]}}}}', "/subscriptions": '{"data": {}}'}

    def answer(request: httpx.Request) -> httpx.Response:
        found = next((page for end, page in pages.items() if request.url.path.endswith(end)), '{"data": {}}')
        return streamed(found.encode())

    with pytest.raises(CommandError, match=r"rate_limit|not answered with JSON"):
        [*READERS["convoy"](peer(answer))]
    application = f'{{"data": [{{"id": "a", "name": "A", "rateLimit": {number}}}]}}'
    with pytest.raises(CommandError, match=r"rateLimit|not answered with JSON"):
        [*svix.endpoints(answering(application.encode()))]


def test_what_is_saved_of_the_answers_can_be_read_again(tmp_path: Path) -> None:
    file = tmp_path / "saved.json"
    file.write_text(json.dumps({LIST: {"data": []}}))
    assert [*svix.endpoints(Answers(from_file(file)))] == []
