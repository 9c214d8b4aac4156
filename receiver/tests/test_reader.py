"""The reader of a subscription, against a gateway on loopback that is as small as it can be."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from receiver.tests.requests import NOW, SECRET, event_body, signed

from signalpost_receiver import ConfigError, FeedError, HandlerError, Mismatch, Outcome, Receiver
from signalpost_receiver.reader import Reader
from signalpost_receiver.sign import reader_key

ID = "01a20e92-1d5f-76d4-985f-8a63b2c66f94"


class Gateway:
    """Hands out what is not acknowledged, and answers with other statuses first if it is told to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[int, bytes]] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.keys: set[str | None] = set()
        self.secret = SECRET
        self.answers: list[tuple[int, bytes]] = []
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                said = json.loads(self.rfile.read(int(self.headers["content-length"])))
                gateway.keys.add(self.headers["authorization"])
                status, answer = gateway.answer(self.path, said)
                self.send_response(status)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, path: str, said: dict[str, Any]) -> tuple[int, bytes]:
        name = path.removeprefix(f"/v1/subscriptions/{ID}/")
        self.asked.append((name, said))
        if self.answers:
            return self.answers.pop(0)
        if name == "acknowledge":
            self.waiting = [each for each in self.waiting if each[0] > said["through"]]
            return 200, b'{"acknowledged":1}'
        handed = [
            {"sequence": sequence, "headers": dict(signed(body, secret=self.secret)), "body": body.decode()}
            for sequence, body in self.waiting[: said["limit"]]
        ]
        return 200, json.dumps({"data": handed, "receipt": "a receipt" if handed else None}).encode()

    @property
    def acknowledged(self) -> list[int]:
        return [said["through"] for name, said in self.asked if name == "acknowledge"]


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    made = Gateway()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def reader_of(gateway: Gateway, handle: Callable[[str], object], **options: Any) -> Reader:
    receiver = Receiver(secrets=SECRET, clock=lambda: NOW + 100.0)
    receiver.on()(lambda event: handle(event.id))
    return Reader(gateway.url, ID, SECRET, receiver, timeout_s=180, **options)


def test_events_are_verified_handled_once_and_acknowledged(gateway: Gateway) -> None:
    got: list[str] = []
    reader = reader_of(gateway, got.append, limit=2, wait_s=0, lease_s=30)
    gateway.waiting = [(number, event_body(number)) for number in (1, 2, 3)]
    assert [each.outcome for each in reader.read()] == [Outcome.HANDLED] * 2
    gateway.waiting.insert(0, (2, event_body(2)))  # its acknowledgement was lost
    assert [each.outcome for each in reader.read()] == [Outcome.DUPLICATE, Outcome.HANDLED]
    assert reader.read() == []
    assert got == ["event-1", "event-2", "event-3"]
    assert gateway.acknowledged == [2, 3]
    assert gateway.asked[0] == ("poll", {"limit": 2, "wait": 0, "lease": 30})
    assert gateway.keys == {f"Bearer {reader_key(SECRET)}"}


def test_what_cannot_be_handled_is_tried_again_and_what_was_is_acknowledged(gateway: Gateway) -> None:
    got: list[str] = []
    failing = {"event-2"}

    def handle(event_id: str) -> None:
        if event_id in failing:
            raise RuntimeError("not now")
        got.append(event_id)

    pauses: list[float] = []
    reader = reader_of(gateway, handle, wait_s=0, sleep=pauses.append)
    gateway.waiting = [(number, event_body(number)) for number in (1, 2, 3)]
    with pytest.raises(HandlerError):
        reader.read()
    assert gateway.acknowledged == [1]
    errors: list[type] = []
    gateway.answers = [(503, b"")]

    def on_error(error: Exception) -> None:
        errors.append(type(error))
        if len(errors) == 2:
            failing.clear()

    reader.run(until=lambda: not gateway.waiting, on_error=on_error)
    assert errors == [FeedError, HandlerError]
    assert pauses == [1.0, 2.0]
    assert got == ["event-1", "event-2", "event-3"]


@pytest.mark.parametrize(("wait_s", "paused"), [(0, [1.0, 1.0]), (1, [])])
def test_a_reader_whose_calls_do_not_wait_pauses_if_nothing_came(
    gateway: Gateway, wait_s: int, paused: list[float]
) -> None:
    pauses: list[float] = []
    reader = reader_of(gateway, str, wait_s=wait_s, limit=1, sleep=pauses.append)
    gateway.waiting = [(number, event_body(number)) for number in (1, 2)]
    left = iter([False] * 4)
    reader.run(until=lambda: next(left, True))
    assert gateway.acknowledged == [1, 2]
    assert pauses == paused


def test_a_forged_event_is_refused_and_nothing_after_it_is_acknowledged(gateway: Gateway) -> None:
    got: list[str] = []
    reader = reader_of(gateway, got.append, wait_s=0)
    gateway.waiting, gateway.secret = [(1, event_body())], "another secret"
    with pytest.raises(Mismatch):
        reader.run()
    assert got == []
    assert gateway.acknowledged == [0]


def test_an_acknowledgement_that_failed_is_repeated_before_anything_is_asked_for(gateway: Gateway) -> None:
    """Else the reader waits for the end of its own lease."""
    reader = reader_of(gateway, str, wait_s=0)
    body = event_body()
    handed = {"sequence": 1, "headers": dict(signed(body)), "body": body.decode()}
    gateway.answers = [(200, json.dumps({"data": [handed], "receipt": "r"}).encode()), (503, b""), (503, b"")]
    for _ in range(2):
        with pytest.raises(FeedError):
            reader.read()
    assert reader.read() == []
    assert reader.read() == []
    assert [name for name, _ in gateway.asked] == ["poll", *["acknowledge"] * 3, "poll", "poll"]
    assert {said["receipt"] for name, said in gateway.asked if name == "acknowledge"} == {"r"}


def test_a_lease_that_is_over_is_no_error_since_the_events_come_again(gateway: Gateway) -> None:
    reader = reader_of(gateway, str, wait_s=0)
    gateway.waiting = [(1, event_body())]
    body = event_body()
    handed = {"sequence": 1, "headers": dict(signed(body)), "body": body.decode()}
    gateway.answers = [(200, json.dumps({"data": [handed], "receipt": "r"}).encode()), (409, b"{}")]
    assert [each.outcome for each in reader.read()] == [Outcome.HANDLED]
    assert [each.outcome for each in reader.read()] == [Outcome.DUPLICATE]


@pytest.mark.parametrize(
    ("status", "error"), [(401, ConfigError), (404, ConfigError), (302, FeedError), (500, FeedError)]
)
def test_what_the_gateway_answers_otherwise_is_said(gateway: Gateway, status: int, error: type[Exception]) -> None:
    gateway.answers = [(status, b"")]
    with pytest.raises(error, match=str(status)):
        reader_of(gateway, str).read()


@pytest.mark.parametrize(
    "answer", [b"[]", b"{}", b"no JSON", b'{"data":[{}]}', b'{"data":[{"sequence":1,"headers":3,"body":""}]}']
)
def test_an_answer_that_is_not_the_gateways_is_an_error(gateway: Gateway, answer: bytes) -> None:
    gateway.answers = [(200, answer)]
    with pytest.raises(FeedError):
        reader_of(gateway, str).read()


def test_what_can_never_work_is_refused_when_it_is_made() -> None:
    receiver = Receiver(secrets=SECRET)
    for url in ("", "gateway.example.com", "ftp://gateway.example.com"):
        with pytest.raises(ConfigError):
            Reader(url, ID, SECRET, receiver)
    with pytest.raises(ConfigError):
        Reader("https://gateway.example.com", ID, "", receiver)
