"""Django: `path("webhooks", webhook(receiver))`."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from signalpost_receiver.adapters.answers import Answer, accepted, read, refused
from signalpost_receiver.errors import Refusal
from signalpost_receiver.receiver import Receiver


def webhook(receiver: Receiver) -> Callable[[HttpRequest], HttpResponse]:
    """A view that receives webhooks; it needs no CSRF token, since the signature is proof enough."""

    def view(request: HttpRequest) -> HttpResponse:
        try:
            answer = accepted(receiver.receive(_body(request, receiver), request.headers))
        except Refusal as refusal:
            answer = refused(refusal)
        return _response(answer)

    return _posted(view)


def async_webhook(receiver: Receiver) -> Callable[[HttpRequest], HttpResponse]:
    """The same as an asynchronous view, which awaits handlers."""

    async def view(request: HttpRequest) -> HttpResponse:
        try:
            answer = accepted(await receiver.areceive(_body(request, receiver), request.headers))
        except Refusal as refusal:
            answer = refused(refusal)
        return _response(answer)

    return _posted(view)


def _posted(view: Callable[[HttpRequest], object]) -> Callable[[HttpRequest], HttpResponse]:
    only_post: Callable[[HttpRequest], HttpResponse] = csrf_exempt(require_POST(view))
    return only_post


def _body(request: HttpRequest, receiver: Receiver) -> bytes:
    return read(request.read, receiver.max_body_bytes)


def _response(answer: Answer) -> HttpResponse:
    return HttpResponse(answer.body, status=answer.status, headers=answer.headers)
