"""Small applications to put behind a listener."""

from collections.abc import Awaitable, Callable

from signalpost.api.http.request import Request
from signalpost.listener.application import Answer, App, ArrivingBody, BrokenBody, Head, Steps, WholeBody

NOTHING = Answer(204, ())


def waiting_for(answer: Callable[[Head, ArrivingBody], Awaitable[Answer]]) -> App:
    """An application that answers once it has waited for this."""

    def app(head: Head, body: ArrivingBody) -> Steps:
        answered: Answer = yield answer(head, body)
        return answered

    return app


def a_request(client: str | None = None) -> Request:
    """The request of some page."""
    head = Head(method="GET", path="/", raw_path=b"/", query=b"", headers=(), named={}, length=0, client=client)
    return Request(head, WholeBody(b""))


async def read(body: ArrivingBody) -> bytes:
    """All of a body. Raises BrokenBody."""
    content, more = body.whole(), True
    if content is not None:
        return content
    content = b""
    while more:
        part, more = await body.part()
        content += part
    return content


async def is_there(body: ArrivingBody) -> bool:
    """Wait for what the client does next. Returns whether it is still there."""
    try:
        await body.part()
    except BrokenBody:
        return False
    return True
