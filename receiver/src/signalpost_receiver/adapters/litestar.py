"""Litestar: `Litestar([post("/webhooks")(webhook(receiver))])`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request, Response

from signalpost_receiver.adapters.answers import accepted, read_stream, refused
from signalpost_receiver.errors import Refusal
from signalpost_receiver.receiver import Receiver


def webhook(receiver: Receiver) -> Callable[[Request[Any, Any, Any]], Awaitable[Response[bytes]]]:
    """A handler that receives webhooks."""

    async def handler(request: Request[Any, Any, Any]) -> Response[bytes]:
        body = await read_stream(request.stream(), receiver.max_body_bytes)
        try:
            answer = accepted(await receiver.areceive(body, request.scope["headers"]))
        except Refusal as refusal:
            answer = refused(refusal)
        text = answer.headers.pop("content-type", None)
        return Response(answer.body.encode(), status_code=answer.status, headers=answer.headers, media_type=text)

    return handler
