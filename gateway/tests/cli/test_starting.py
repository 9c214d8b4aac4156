"""A gateway that starts is live at once, says what it waits for, and keeps no client waiting for longer than it
must."""

import asyncio
from typing import Any

import msgspec
import pytest

from signalpost.cli.serving.starting import StartingApp
from signalpost.listener.application import Answer, App, ArrivingBody, Head, Steps, WholeBody, answer_of

WAITS = "The gateway starts: it waits for the database."


async def ask(app: App, path: str) -> tuple[int, dict[str, Any]]:
    head = Head(method="GET", path=path, raw_path=path.encode(), query=b"", headers=(), named={}, length=0)
    answer = await answer_of(app(head, WholeBody(b"")))
    return answer.status, msgspec.json.decode(answer.body)


def started(_head: Head, _body: ArrivingBody) -> Steps:
    yield from ()
    return Answer(200, (), b'{"answered": "by the gateway"}')


def test_while_it_starts_it_is_live_and_not_ready_and_says_why() -> None:
    async def scenario() -> None:
        starting = StartingApp(lambda: WAITS)
        assert await ask(starting, "/health/live") == (200, {"status": "live"})
        ready = {"status": "not ready", "trouble": WAITS, "warnings": []}
        assert await ask(starting, "/health/ready") == (503, ready)

    asyncio.run(scenario())


def test_what_is_asked_meanwhile_is_answered_once_it_has_started() -> None:
    async def scenario() -> None:
        starting = StartingApp(lambda: WAITS)
        asked = [asyncio.create_task(ask(starting, path)) for path in ("/v1/documents", "/console")]
        await asyncio.sleep(0)
        assert not any(each.done() for each in asked)
        starting.end(started)
        assert await asyncio.gather(*asked) == [(200, {"answered": "by the gateway"})] * 2
        assert await ask(starting, "/v1/events") == (200, {"answered": "by the gateway"})

    asyncio.run(scenario())


@pytest.mark.parametrize("path", ["/v1/documents", "/metrics"])
def test_what_has_waited_for_long_is_answered_503_with_what_it_waits_for(path: str) -> None:
    async def scenario() -> None:
        status, body = await ask(StartingApp(lambda: WAITS, wait_seconds=0.0), path)
        assert status == 503
        assert WAITS in body["detail"]

    asyncio.run(scenario())
