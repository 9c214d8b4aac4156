"""The exporter of spans, with the real sender and a collector on loopback: batches, bounds, collectors that fail."""

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from gateway.tests.captured_log import captured_log
from gateway.tests.collector import Collector, collecting
from gateway.tests.patience import PATIENCE

from signalpost.domain import spans
from signalpost.domain.endpoint import parse_url
from signalpost.domain.trace_context import NO_SPAN
from signalpost.engine.tracing import exporter as exporting
from signalpost.engine.tracing.exporter import MAX_BATCH, MAX_WAITING, SpanExporter
from signalpost.sender.addresses import AllowedTarget, Guard
from signalpost.sender.sender import Sender, SenderSettings

TRACE = bytes(range(16))


def span(number: int) -> bytes:
    made = spans.span(f"span {number}", spans.SpanKind.INTERNAL, TRACE, number.to_bytes(8, "big"), NO_SPAN, 1, 2)
    return spans.encode(made)


def play(url: str, scenario: Callable[[SpanExporter], Awaitable[None]], **headers: str) -> SpanExporter:
    """Start an exporter to a collector, have it go through a scenario, and close it."""

    async def main() -> SpanExporter:
        target = parse_url(url).target
        sender = Sender(
            SenderSettings(guard=Guard((AllowedTarget(target.scheme, target.host, None, target.port),))),
            loop=asyncio.get_running_loop(),
            wall=lambda: time.time_ns() // 1000,
        )
        collector = exporting.Collector(f"{url}/v1/traces", headers, {"service.name": "tried"})
        exporter = SpanExporter(collector, sender)
        exporter.start()
        await scenario(exporter)
        await exporter.close()
        return exporter

    return asyncio.run(main())


def messages(log: list[dict[str, Any]]) -> list[str]:
    return [line["message"] for line in log]


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0.01)


def test_spans_come_in_batches_in_their_order_with_the_service_and_the_headers() -> None:
    with collecting() as collector:

        async def scenario(exporter: SpanExporter) -> None:
            for number in range(1, 2 * MAX_BATCH + 11):
                exporter.add(span(number))
            await until(lambda: len(collector.spans) == 2 * MAX_BATCH + 10)

        exporter = play(collector.url, scenario, **{"x-key": "a secret"})
        assert [each.name for each in collector.spans] == [f"span {n}" for n in range(1, 2 * MAX_BATCH + 11)]
        assert len(collector.requests) == 3
        assert {headers["x-key"] for headers in collector.requests} == {"a secret"}
        assert collector.spans[0].resource == {"service.name": "tried"}
        assert exporter.dropped == 0


def test_a_stop_hands_over_what_waits() -> None:
    with collecting() as collector:

        async def scenario(exporter: SpanExporter) -> None:
            exporter.add(span(1))

        assert play(collector.url, scenario).dropped == 0
        assert [each.name for each in collector.spans] == ["span 1"]


def test_without_a_collector_a_queue_of_spans_waits_and_the_rest_is_dropped_and_counted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"

    async def scenario(exporter: SpanExporter) -> None:
        for number in range(1, MAX_WAITING + 101):
            exporter.add(span(number))
        assert exporter.dropped == 100
        await until(lambda: messages(log).count("spans cannot be exported"))
        began = time.monotonic()
        await exporter.close()
        assert time.monotonic() - began < PATIENCE

    with captured_log() as log:
        exporter = play(url, scenario)
    assert exporter.dropped == MAX_WAITING + 100
    assert messages(log).count("spans cannot be exported") == 1


@pytest.mark.parametrize("status", [429, 503])
def test_what_a_collector_cannot_take_now_is_sent_again(status: int) -> None:
    with collecting() as collector, captured_log() as log:
        answers = iter([(status, b""), (status, b"")])
        collector.answer = lambda: next(answers, (200, b""))

        async def scenario(exporter: SpanExporter) -> None:
            exporter.add(span(1))
            await until(lambda: len(collector.requests) == 1)
            exporter.add(span(2))
            await until(lambda: "spans are exported again" in messages(log))

        assert play(collector.url, scenario).dropped == 0
        assert [each.name for each in collector.spans] == ["span 1", "span 2"]


@pytest.mark.parametrize("status", [301, 400, 401, 404, 500])
def test_what_a_collector_refuses_is_dropped_and_what_follows_is_sent(status: int) -> None:
    with collecting() as collector, captured_log() as log:
        answers = iter([(status, b"")])
        collector.answer = lambda: next(answers, (200, b""))

        async def scenario(exporter: SpanExporter) -> None:
            exporter.add(span(1))
            await until(lambda: exporter.dropped == 1)
            exporter.add(span(2))
            await until(lambda: "spans are exported again" in messages(log))

        assert play(collector.url, scenario).dropped == 1
        assert [each.name for each in collector.spans] == ["span 2"]
        assert "spans are exported again" in messages(log)


def test_spans_that_a_collector_left_out_of_a_batch_are_counted() -> None:
    with collecting() as collector:
        collector.answer = lambda: (200, b'{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}')

        async def scenario(exporter: SpanExporter) -> None:
            for number in range(1, 4):
                exporter.add(span(number))
            await until(lambda: exporter.dropped)

        assert play(collector.url, scenario).dropped == 2


@pytest.mark.parametrize(
    "said", [b"", b"{}", b"[]", b"<html>", b'{"partialSuccess":{"rejectedSpans":"x"}}', b"\xff" * 99]
)
def test_whatever_a_collector_says_with_its_200_is_no_error(said: bytes) -> None:
    with collecting() as collector:
        collector.answer = lambda: (200, said)

        async def scenario(exporter: SpanExporter) -> None:
            exporter.add(span(1))
            await until(lambda: collector.spans)

        assert play(collector.url, scenario).dropped == 0


def test_a_collector_that_does_not_answer_holds_up_nothing_and_a_stop_does_not_wait_for_it() -> None:
    with collecting() as collector:
        may_answer = threading.Event()

        def answer() -> tuple[int, bytes]:
            may_answer.wait(PATIENCE)
            return 200, b""

        collector.answer = answer
        closing = 0.0

        async def scenario(exporter: SpanExporter) -> None:
            nonlocal closing
            exporter.add(span(1))
            await until(lambda: _is_sending(exporter))
            for number in range(2, MAX_WAITING + 3):
                exporter.add(span(number))
            assert exporter.dropped == 2
            closing = asyncio.get_running_loop().time()
            await exporter.close()
            closing = asyncio.get_running_loop().time() - closing

        exporter = play(collector.url, scenario)
        may_answer.set()
        assert exporter.dropped == MAX_WAITING + 2
        assert closing < PATIENCE / 2


def _is_sending(exporter: SpanExporter) -> bool:
    sender = exporter._transport
    assert isinstance(sender, Sender)
    return sender._is_running


def test_a_collector_that_comes_back_gets_what_waited() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with captured_log() as log:

        async def scenario(exporter: SpanExporter) -> None:
            exporter.add(span(1))
            await until(lambda: messages(log).count("spans cannot be exported"))
            collector = await asyncio.to_thread(Collector, port)
            exporter.add(span(2))
            await until(lambda: len(collector.spans) == 2)
            await asyncio.to_thread(collector.stop)

        assert play(f"http://127.0.0.1:{port}", scenario).dropped == 0


def test_its_headers_are_shown_nowhere() -> None:
    collector = exporting.Collector("http://c.example/v1/traces", {"x-key": "canary"}, {})
    assert "canary" not in repr(collector)
