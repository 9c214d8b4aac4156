"""What calls by itself, beside the sender, takes certificates of private authorities with every version of Python."""

import asyncio
import http.client
import json
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from gateway.tests import home_made
from gateway.tests.home_made import HOST, HomeMade
from gateway.tests.patience import PATIENCE

from signalpost.cli.commands.imported import answers
from signalpost.domain.documents.version import StoredFile
from signalpost.files.bucket import Bucket
from signalpost.files.folder import Folder
from signalpost.sender.tls_context import HTTP, tls_context
from signalpost_client import AsyncClient, Client, SignalpostError
from signalpost_client.transport import tls_context as tls_context_of_client
from signalpost_connect.rabbitmq.connection import tls_of
from signalpost_connect.tls import tls_context as tls_context_of_connectors
from signalpost_receiver import Receiver
from signalpost_receiver.http_feed import HttpFeed
from signalpost_receiver.reader import Reader

SECRET = "my secret token"
ANSWER = json.dumps({"data": [], "last": 0}).encode()


class Server(HTTPServer):
    """Notes every request, and answers all alike."""

    def __init__(self, certificate: HomeMade) -> None:
        super().__init__((HOST, 0), Handler)
        self.socket = certificate.serving.wrap_socket(self.socket, server_side=True)
        self.url = f"https://{HOST}:{self.server_port}"
        self.asked: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.asked.append(f"{self.command} {urlsplit(self.path).path}")
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    do_GET = do_PUT = do_POST = answer

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server whose authority this machine trusts."""
    certificate = home_made.make(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    with Server(certificate) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def with_the_client(url: str) -> None:
    with Client(url, "sp_key", deadline=PATIENCE) as client, suppress(SignalpostError):
        client.documents.read("a")


def with_the_client_on_a_loop(url: str) -> None:
    async def call() -> None:
        async with AsyncClient(url, "sp_key", deadline=PATIENCE) as client:
            with suppress(SignalpostError):
                await client.documents.read("a")

    asyncio.run(call())


def with_the_kits_feed(url: str) -> None:
    assert HttpFeed(url, "sp_key", timeout_s=PATIENCE).page(0).entries == []


def with_the_kits_reader(url: str) -> None:
    assert Reader(url, "a", SECRET, Receiver(secrets=SECRET), wait_s=0, timeout_s=PATIENCE).read() == []


def with_an_import(url: str) -> None:
    with answers.client() as client:
        assert answers.from_api(url, "key", client, lambda _seconds: None)("/endpoints") == json.loads(ANSWER)


def as_connectors_do(url: str) -> None:
    """With a file that their configuration names, and without."""
    file = os.environ["SSL_CERT_FILE"]
    for context in (tls_context_of_connectors(file), tls_context_of_connectors(), tls_of(f"amqps://x/?cafile={file}")):
        call_with(context, url)


def call_with(context: ssl.SSLContext, url: str) -> None:
    with closing(http.client.HTTPSConnection(urlsplit(url).netloc, timeout=PATIENCE, context=context)) as connection:
        connection.request("GET", "/")
        assert connection.getresponse().status == 200


@pytest.mark.parametrize(
    ("call", "asks"),
    [
        (with_the_client, ["GET /v1/documents/a"]),
        (with_the_client_on_a_loop, ["GET /v1/documents/a"]),
        (with_the_kits_feed, ["GET /v1/events"]),
        (with_the_kits_reader, ["POST /v1/subscriptions/a/poll"]),
        (with_an_import, ["GET /endpoints"]),
        (as_connectors_do, ["GET /"] * 3),
    ],
)
def test_a_server_with_a_home_made_certificate_is_called(
    server: Server, call: Callable[[str], None], asks: list[str]
) -> None:
    call(server.url)
    assert server.asked == asks


def test_a_bucket_with_a_home_made_certificate_is_written_to(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, "x")
    content = tmp_path / "content"
    content.write_bytes(b"%PDF")

    async def scenario() -> None:
        drafts = Folder(tmp_path / "drafts", ThreadPoolExecutor(1), os.urandom)
        bucket = Bucket("s3://any", drafts, ThreadPoolExecutor(1), tls_context(None, HTTP))
        await bucket.put(content, StoredFile("a" * 32, 4, b"", "application/pdf"), "a.pdf")
        await bucket.close()

    asyncio.run(scenario())
    assert server.asked == [f"PUT /any/{'a' * 32}"]


@pytest.mark.parametrize("trusting", [partial(tls_context, None), tls_context_of_client, tls_context_of_connectors])
def test_authority_and_host_are_checked_all_the_same(
    server: Server, trusting: Callable[[], ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        call_with(trusting(), server.url.replace(HOST, "127.0.0.1"))
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        call_with(trusting(), server.url)
    assert server.asked == []
