"""What the commands call a gateway with: `signalpost-client`, whose errors become those of the command line."""

import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpx
import msgspec

import signalpost_client
from signalpost.cli.client import ApiAnswer, CallRefused, CommandError, NoAnswer
from signalpost_client import Answer, Call, takes_key
from signalpost_client.forms import File

DEADLINE: Final = 90
"""Seconds that a call may take with its repeats. Each try has a third of it, as much as the slowest call needs."""


class GatewayClient:
    """Calls one gateway."""

    def __init__(self, url: str, key: str, tenant: str | None, trusted: ssl.SSLContext | None) -> None:
        self._url = url
        transport = _Transport(trusted or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        self._client = signalpost_client.Client(url, key, tenant=tenant, deadline=DEADLINE, transport=transport)

    def call(self, method: str, path: str, query: Mapping[str, object], body: object) -> Answer:
        """Make one call, again if need be."""
        given = msgspec.UNSET if body is None else body
        with self._told():
            return self._client.send(
                Call[Answer](method, path, {}, query=query, body=given, is_keyed=takes_key(method, path))
            )

    def readiness(self) -> bytes:
        """What `/health/ready` answers, whatever its status."""
        with self._told():
            return self._client.send(Call[bytes]("GET", "/health/ready", {200: bytes, 503: bytes}))

    def import_lines(self, lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        """The answer to each line of an import, as it arrives."""
        with self._told():
            for answer in self._client.documents.import_lines(lines):
                yield {**msgspec.to_builtins(answer), **answer.unknown_members}

    def upload(self, external_id: str, file: File, *, publish: bool) -> Any:
        """Upload a file as a new version."""
        with self._told():
            return msgspec.to_builtins(self._client.documents.upload_version(external_id, file, publish=publish))

    @contextmanager
    def open(self, path: str, query: Mapping[str, object]) -> Iterator[tuple[Mapping[str, str], Iterator[bytes]]]:
        """An answer that is read as it arrives."""
        with self._told(), self._client.open(Call[object]("GET", path, {}, query=query)) as answer:
            yield answer.headers, answer.parts

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors of the client, told as those of the command line."""
        try:
            yield
        except signalpost_client.Problem as problem:
            asked = {} if problem.retry_after is None else {"retry-after": f"{problem.retry_after:g}"}
            raise CallRefused(ApiAnswer(problem.status, asked, problem.members)) from None
        except signalpost_client.NoAnswer as error:
            raise no_answer(self._url, str(error).rstrip(".")) from None
        except _Refused as error:
            raise no_answer(self._url, str(error)) from None
        except signalpost_client.SignalpostError as error:
            raise CommandError(str(error).replace("the URL", "SIGNALPOST_URL")) from None


def no_answer(url: str, reason: str) -> NoAnswer:
    """The error that tells a person that no gateway answers, and what to do."""
    return NoAnswer(
        f"No gateway answers at {url} ({reason}). Start one with `signalpost serve`, or set SIGNALPOST_URL to the "
        "address of one."
    )


class _Refused(Exception):
    """No connection could be made."""


class _Transport(httpx.HTTPTransport):
    """Connections that are given up at once if nothing listens: a person waits, and the address is likely wrong."""

    def __init__(self, trusted: ssl.SSLContext) -> None:
        super().__init__(verify=trusted)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return super().handle_request(request)
        except httpx.ConnectError as error:
            raise _Refused(re.sub(r"^\[Errno -?\d+\] ", "", str(error))) from None
