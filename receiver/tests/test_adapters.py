"""The kit in each framework, by the framework's own test client, or as its server calls it.

What needs a framework imports it: together they take a second, and each process that runs tests loads this file.
"""

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple

import httpx
import pytest
from receiver.tests.requests import NOW, SECRET, event_body, signed

from signalpost_receiver import Event, HandlerError, Receiver
from signalpost_receiver.adapters import aws_lambda
from signalpost_receiver.adapters.answers import read, read_stream

CAP = 2000


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


Post = Callable[[bytes, dict[str, str]], Reply]


def in_starlette(receiver: Receiver) -> Post:
    from starlette.applications import Starlette
    from starlette.routing import Route

    from signalpost_receiver.adapters.starlette import webhook

    return _on_asgi(Starlette(routes=[Route("/webhooks", webhook(receiver), methods=["POST"])]))


def in_fastapi(receiver: Receiver) -> Post:
    from fastapi import FastAPI

    from signalpost_receiver.adapters.fastapi import webhook

    app = FastAPI()
    app.post("/webhooks")(webhook(receiver))
    return _on_asgi(app)


def in_litestar(receiver: Receiver) -> Post:
    from litestar import Litestar, post

    from signalpost_receiver.adapters.litestar import webhook

    return _on_asgi(Litestar([post("/webhooks")(webhook(receiver))], debug=False))


def _on_asgi(app: Any) -> Post:
    async def ask(body: bytes, headers: dict[str, str]) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
            return await client.post("/webhooks", content=body, headers=headers)

    def post(body: bytes, headers: dict[str, str]) -> Reply:
        reply = asyncio.run(ask(body, headers))
        if reply.status_code == 500:
            raise HandlerError(reply.text)
        return Reply(reply.status_code, dict(reply.headers), reply.content)

    return post


def in_flask(receiver: Receiver) -> Post:
    from flask import Flask

    from signalpost_receiver.adapters.flask import webhook

    app = Flask("an app")
    app.testing = True
    app.post("/webhooks")(webhook(receiver))

    def post(body: bytes, headers: dict[str, str]) -> Reply:
        reply = app.test_client().post("/webhooks", data=body, headers=headers)
        return Reply(reply.status_code, _lower(reply.headers), reply.data)

    return post


def in_django(receiver: Receiver) -> Post:
    from django.test import Client

    from signalpost_receiver.adapters.django import webhook

    return _by_django(webhook(receiver), Client(enforce_csrf_checks=True))


def in_asynchronous_django(receiver: Receiver) -> Post:
    from django.test import AsyncClient

    from signalpost_receiver.adapters.django import async_webhook

    client = AsyncClient(enforce_csrf_checks=True)

    class WaitingClient:
        def post(self, *arguments: Any, **named: Any) -> Any:
            return asyncio.run(client.post(*arguments, **named))

    return _by_django(async_webhook(receiver), WaitingClient())


def _by_django(view: Any, client: Any) -> Post:
    import django
    from django.conf import settings
    from django.urls import path

    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"], USE_TZ=True, LOGGING_CONFIG=None)
        django.setup()
    # Django has one configuration for a process, in which others may have set routes of their own.
    settings.ROOT_URLCONF = (path("webhooks", view),)

    def post(body: bytes, headers: dict[str, str]) -> Reply:
        reply = client.post("/webhooks", body, content_type="application/json", headers=headers)
        return Reply(reply.status_code, _lower(reply.headers), reply.content)

    return post


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def in_lambda(
    shape: Callable[[bytes, dict[str, str]], dict[str, Any]],
) -> Callable[[Receiver], Post]:
    def of(receiver: Receiver) -> Post:
        handler = aws_lambda.webhook(receiver)

        def post(body: bytes, headers: dict[str, str]) -> Reply:
            reply = json.loads(json.dumps(handler(json.loads(json.dumps(shape(body, headers))), object())))
            shown = reply.get("headers", {}) | {
                name: value[0] for name, value in reply.get("multiValueHeaders", {}).items()
            }
            return Reply(reply["statusCode"], shown, reply["body"].encode())

        return post

    return of


def function_url(body: bytes, headers: dict[str, str]) -> dict[str, Any]:
    return {"version": "2.0", "headers": headers, "body": body.decode("utf-8", "replace"), "isBase64Encoded": False}


def encoded(body: bytes, headers: dict[str, str]) -> dict[str, Any]:
    return {"version": "2.0", "headers": headers, "body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def rest_api(body: bytes, headers: dict[str, str]) -> dict[str, Any]:
    several = {name: [value] for name, value in headers.items()}
    return {**encoded(body, headers), "multiValueHeaders": several}


FRAMEWORKS = {
    "starlette": in_starlette,
    "fastapi": in_fastapi,
    "litestar": in_litestar,
    "flask": in_flask,
    "django": in_django,
    "asynchronous django": in_asynchronous_django,
    "lambda": in_lambda(function_url),
    "lambda, base64": in_lambda(encoded),
    "lambda, several values": in_lambda(rest_api),
}


class App:
    """A receiver in a framework; `meanwhile` is done by the handler."""

    def __init__(self, framework: str) -> None:
        receiver = Receiver(secrets=SECRET, clock=lambda: NOW, max_body_bytes=CAP)
        receiver.on("documentUpdated")(self.handle)
        receiver.on("documentDeleted")(lambda _event: 1 // 0)
        self.post = FRAMEWORKS[framework](receiver)
        self.got: list[str] = []
        self.meanwhile: Callable[[], object] = int

    def handle(self, event: Event) -> None:
        self.meanwhile()
        self.got.append(event.id)


@pytest.fixture(params=FRAMEWORKS)
def app(request: pytest.FixtureRequest) -> App:
    return App(request.param)


def test_an_event_is_handled_once_and_answered_with_204(app: App) -> None:
    body = event_body()
    for _ in range(2):
        reply = app.post(body, signed(body))
        assert (reply.status, reply.body) == (204, b"")
    assert app.got == ["event-1"]


def test_c13_a_body_beyond_ascii_arrives_as_it_was_sent(app: App) -> None:
    body = event_body().replace(b"state 1", "Señor ü 🌕".encode())
    assert app.post(body, signed(body)).status == 204


def test_a_forged_request_is_answered_with_401_and_why(app: App) -> None:
    body = event_body()
    reply = app.post(body, signed(body, secret="somebody else's"))
    assert (reply.status, app.got) == (401, [])
    assert b"no signature fits" in reply.body
    assert reply.headers["content-type"].startswith("text/plain")
    assert app.post(body + b" ", signed(body)).status == 401
    assert app.post(body, {}).status == 401


def test_a_body_over_the_cap_is_answered_with_413(app: App) -> None:
    body = event_body() + b" " * CAP
    assert app.post(body, signed(body[:-1])).status == 413


def test_an_old_request_is_answered_with_400(app: App) -> None:
    body = event_body()
    assert app.post(body, signed(body, at=NOW - 4000)).status == 400


def test_an_event_in_progress_is_answered_with_503_and_when_to_try_again(app: App) -> None:
    body = event_body()
    replies: list[Reply] = []
    app.meanwhile = lambda: replies.append(app.post(body, signed(body)))
    assert app.post(body, signed(body)).status == 204
    assert (replies[0].status, replies[0].headers["retry-after"]) == (503, "30")


def test_a_handler_that_fails_is_the_frameworks_business(app: App) -> None:
    body = event_body(event_type="documentDeleted")
    with pytest.raises(HandlerError):
        app.post(body, signed(body))


def test_fastapi_depends_on_a_verified_event() -> None:
    from fastapi import Depends, FastAPI

    from signalpost_receiver.adapters.fastapi import verified

    receiver = Receiver(secrets=SECRET, clock=lambda: NOW)
    app = FastAPI()

    @app.post("/webhooks")
    def webhook(event: Annotated[Event, Depends(verified(receiver))]) -> str:
        return event.id

    post = _on_asgi(app)
    body = event_body()
    assert post(body, signed(body)).body == b'"event-1"'
    refused = post(body + b" ", signed(body))
    assert (refused.status, json.loads(refused.body)["detail"][:17]) == (401, "no signature fits")


def test_no_more_of_a_body_is_read_than_is_allowed() -> None:
    asked: list[int] = []

    def endless(size: int) -> bytes:
        asked.append(size)
        return b"x" * min(size, 10)

    assert len(read(endless, 25)) == 26
    assert asked == [26, 16, 6]

    async def stream() -> Any:
        for _ in range(3):
            yield b"x" * 10
        pytest.fail("it reads on")

    assert len(asyncio.run(read_stream(stream(), 25))) == 30
