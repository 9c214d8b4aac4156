"""FastAPI: `app.post("/webhooks")(webhook(receiver))`, or `event: Annotated[Event, Depends(verified(receiver))]`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import HTTPException
from starlette.requests import Request

from signalpost_receiver.adapters.answers import read_stream, refused
from signalpost_receiver.adapters.starlette import webhook
from signalpost_receiver.errors import Refusal
from signalpost_receiver.event import Event
from signalpost_receiver.receiver import Receiver

__all__ = ["verified", "webhook"]


def verified(receiver: Receiver) -> Callable[[Request], Awaitable[Event]]:
    """A dependency that is the event of a genuine request. It calls no handler, and does not tell duplicates."""

    async def event_of(request: Request) -> Event:
        body = await read_stream(request.stream(), receiver.max_body_bytes)
        try:
            return receiver.verify(body, request.headers)
        except Refusal as refusal:
            answer = refused(refusal)
            raise HTTPException(answer.status, answer.body) from None

    return event_of
