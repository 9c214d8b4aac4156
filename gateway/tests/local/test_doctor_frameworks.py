"""The receiver kit passes the doctor in each framework, behind a real server.

What needs a framework imports it: together they take a second, and each process that runs tests loads this file.
"""

import asyncio
import contextlib
import json
import socket
import socketserver
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http import HTTPStatus
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import pytest
from gateway.tests.acceptance.client import until
from gateway.tests.http_server import LocalServer, QuietHandler
from gateway.tests.patience import ATTEMPT_TIMEOUT

from signalpost.local.doctor.exam import examine
from signalpost.local.doctor.finding import ExamFinding, RuleVerdict
from signalpost.local.doctor.patient import Patient
from signalpost.local.poster import Poster
from signalpost_receiver import Event, Receiver, SkipStale
from signalpost_receiver.adapters import aws_lambda

pytestmark = pytest.mark.slow
SECRET = "a secret of mine"


class Shop:
    """An application's data: which documents it knows, and how many of their events it handled."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self.receiver = Receiver(secrets=SECRET, order=SkipStale())
        self.receiver.on()(self.handle)

    def handle(self, event: Event) -> None:
        if event.document is not None:
            before = self.documents.get(event.document.external_id, {"handled": 0})
            self.documents[event.document.external_id] = {
                "handled": before["handled"] + 1,
                "title": event.document.title,
            }


def in_fastapi(receiver: Receiver) -> Any:
    from fastapi import FastAPI

    from signalpost_receiver.adapters.fastapi import webhook

    app = FastAPI()
    app.post("/webhooks")(webhook(receiver))
    return app


def in_starlette(receiver: Receiver) -> Any:
    from starlette.applications import Starlette
    from starlette.routing import Route

    from signalpost_receiver.adapters.starlette import webhook

    return Starlette(routes=[Route("/webhooks", webhook(receiver), methods=["POST"])])


def in_litestar(receiver: Receiver) -> Any:
    from litestar import Litestar, post

    from signalpost_receiver.adapters.litestar import webhook

    return Litestar([post("/webhooks")(webhook(receiver))], debug=False)


def in_flask(receiver: Receiver) -> Any:
    from flask import Flask

    from signalpost_receiver.adapters.flask import webhook

    app = Flask("an app")
    app.post("/webhooks")(webhook(receiver))
    return app


def in_django(receiver: Receiver) -> Any:
    import django
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler
    from django.urls import path

    from signalpost_receiver.adapters.django import webhook

    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"], USE_TZ=True, LOGGING_CONFIG=None)
        django.setup()
    settings.ROOT_URLCONF = (path("webhooks", webhook(receiver)),)
    return WSGIHandler()


def in_aws_lambda(receiver: Receiver) -> Any:
    handler = aws_lambda.webhook(receiver)

    def function_url(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        """Does what a function URL does: the request becomes an event, and what the function returns the answer."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        headers = {name[5:].lower().replace("_", "-"): text for name, text in environ.items() if name[:5] == "HTTP_"}
        event = {"version": "2.0", "headers": headers, "body": b64encode(body).decode(), "isBase64Encoded": True}
        answer = handler(event, None)
        start_response(
            f"{answer['statusCode']} {HTTPStatus(answer['statusCode']).phrase}", [*answer["headers"].items()]
        )
        return [answer["body"].encode()]

    return function_url


@contextlib.contextmanager
def served_by_uvicorn(app: Any) -> Iterator[str]:
    from uvicorn import Config, Server

    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(Config(app, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    until(lambda: server.started)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """No one reads it."""


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = LocalServer.request_queue_size

    def handle_error(self, *_: object) -> None:
        """A doctor that has seen enough hangs up."""


@contextlib.contextmanager
def served_by_wsgiref(app: Any) -> Iterator[str]:
    server = _Server(("127.0.0.1", 0), _QuietHandler)
    server.set_app(app)
    with closing_thread(server):
        yield f"http://127.0.0.1:{server.server_port}"


@contextlib.contextmanager
def closing_thread(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield
    server.shutdown()
    server.server_close()
    thread.join()


@contextlib.contextmanager
def asked(shops: dict[str, Shop]) -> Iterator[str]:
    """Says at `/FRAMEWORK/DOCUMENT` what an application did about a document."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            _, name, document = self.path.split("/")
            found = shops[name].documents.get(document)
            content = json.dumps(found).encode()
            self.reply(404 if found is None else 200, content)

    server = LocalServer(("127.0.0.1", 0), Handler)
    with closing_thread(server):
        yield f"http://127.0.0.1:{server.server_port}"


FRAMEWORKS: dict[str, tuple[Callable[[Receiver], Any], Callable[[Any], Any]]] = {
    "fastapi": (in_fastapi, served_by_uvicorn),
    "starlette": (in_starlette, served_by_uvicorn),
    "litestar": (in_litestar, served_by_uvicorn),
    "flask": (in_flask, served_by_wsgiref),
    "django": (in_django, served_by_wsgiref),
    "aws_lambda": (in_aws_lambda, served_by_wsgiref),
}


@pytest.fixture(scope="module")
def exams() -> Iterator[dict[str, list[ExamFinding]]]:
    """All exams, at the same time."""
    shops = {name: Shop() for name in FRAMEWORKS}
    with ExitStack() as running:
        urls = {
            name: f"{running.enter_context(serve(make(shops[name].receiver)))}/webhooks"
            for name, (make, serve) in FRAMEWORKS.items()
        }
        inspect = running.enter_context(asked(shops))

        async def examined(name: str, url: str) -> tuple[str, list[ExamFinding]]:
            async with Poster(external=False, attempt_timeout=ATTEMPT_TIMEOUT) as poster:
                patient = Patient(poster, url, SECRET, f"{inspect}/{name}/{{externalId}}", ATTEMPT_TIMEOUT)
                return name, [finding async for finding in examine(patient)]

        async def all_of_them() -> dict[str, list[ExamFinding]]:
            return dict(await asyncio.gather(*(examined(name, url) for name, url in urls.items())))

        yield asyncio.run(all_of_them())


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_receiver_kit_passes_the_doctor(framework: str, exams: dict[str, list[ExamFinding]]) -> None:
    assert [finding for finding in exams[framework] if finding.verdict is not RuleVerdict.KEPT] == []
