"""Starlette: `Route("/webhooks", webhook(receiver), methods=["POST"])`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from signalpost_receiver.adapters.answers import accepted, read_stream, refused
from signalpost_receiver.errors import Refusal
from signalpost_receiver.receiver import Receiver


def webhook(receiver: Receiver) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that receives webhooks."""

    async def endpoint(request: Request) -> Response:
        body = await read_stream(request.stream(), receiver.max_body_bytes)
        try:
            answer = accepted(await receiver.areceive(body, request.headers))
        except Refusal as refusal:
            answer = refused(refusal)
        return Response(answer.body, answer.status, answer.headers)

    return endpoint
