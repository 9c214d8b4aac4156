"""What a gateway answers while it starts, which takes seconds if there is much to load or the database is away.

It is live, and says what it waits for. All other requests wait, too: after most starts they are answered a moment
later, as if they had come then.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from signalpost.api.http.problems import problem
from signalpost.api.http.request import Request
from signalpost.api.http.response import Response, answer_to
from signalpost.api.routing.shapes.service import Liveness, Readiness
from signalpost.domain.errors import Unavailable
from signalpost.listener.application import App, ArrivingBody, Head, Steps

WAIT_SECONDS: Final = 10.0
"""How long a request waits for the start before it is answered 503."""


class StartingApp:
    """The application of a server until the gateway's own takes its place."""

    def __init__(self, waits_for: Callable[[], str], wait_seconds: float = WAIT_SECONDS) -> None:
        """`waits_for` tells what the start waits for, in a sentence for an operator."""
        self._waits_for = waits_for
        self._wait_seconds = wait_seconds
        self._app: asyncio.Future[App] = asyncio.get_running_loop().create_future()

    def end(self, app: App) -> None:
        """Let the application that has started answer all that has waited for it."""
        self._app.set_result(app)

    def __call__(self, head: Head, body: ArrivingBody) -> Steps:
        request = Request(head, body)
        if (answer := self._health(request)) is not None:
            return answer_to(answer, request.id)
        try:
            app: App = yield asyncio.wait_for(asyncio.shield(self._app), self._wait_seconds)
        except TimeoutError:
            starts = Unavailable(f"{self._waits_for()} Repeat the request.")
            return answer_to(problem(starts, request.id), request.id)
        return (yield from app(head, body))

    def _health(self, request: Request) -> Response | None:
        """The answer to a question about the gateway's health; None for any other request."""
        if request.path == "/health/live":
            return Response(200, msgspec.json.encode(Liveness(status="live")))
        if request.path == "/health/ready":
            readiness = Readiness(status="not ready", trouble=self._waits_for(), warnings=[])
            return Response(503, msgspec.json.encode(readiness))
        return None
