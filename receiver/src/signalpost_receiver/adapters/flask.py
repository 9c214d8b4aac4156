"""Flask: `app.post("/webhooks")(webhook(receiver))`."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response, request

from signalpost_receiver.adapters.answers import accepted, read, refused
from signalpost_receiver.errors import Refusal
from signalpost_receiver.receiver import Receiver


def webhook(receiver: Receiver) -> Callable[[], Response]:
    """A view that receives webhooks."""

    def view() -> Response:
        body = read(request.stream.read, receiver.max_body_bytes)
        try:
            answer = accepted(receiver.receive(body, request.headers))
        except Refusal as refusal:
            answer = refused(refusal)
        return Response(answer.body, answer.status, answer.headers)

    view.__name__ = "signalpost_webhook"
    return view
