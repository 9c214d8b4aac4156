"""Pages call the API within the process."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from gateway.tests.listener.applications import a_request

from signalpost.api.http.response import Response
from signalpost.console.calls import MADE_AT_ONCE, Calls

AWAY = "away"


@pytest.mark.parametrize(("size", "is_away"), [(MADE_AT_ONCE, False), (MADE_AT_ONCE + 1, True)])
def test_a_large_answer_is_read_away_from_the_loop(size: int, is_away: bool) -> None:
    """Fifty events may have 4 MiB: to decode them kept every delivery waiting for ten milliseconds and more."""

    async def answer(*_: Any) -> Response:
        return Response(200, b"x" * size)

    def made(content: bytes) -> tuple[int, bool]:
        return len(content), threading.current_thread().name.startswith(AWAY)

    with ThreadPoolExecutor(1, AWAY) as off_loop:
        route = SimpleNamespace(method="GET", path="/v1/events")
        api: Any = SimpleNamespace(services=SimpleNamespace(off_loop=off_loop), route=lambda _: route, call=answer)
        calls = Calls(api, a_request(), SimpleNamespace(), "default")  # type: ignore[arg-type]
        assert asyncio.run(calls.read_as("list_events", made)) == (size, is_away)
