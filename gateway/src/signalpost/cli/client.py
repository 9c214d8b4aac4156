"""Calls a running gateway on behalf of the commands, and says what to do next when a call fails."""

import http.client
import json
import os
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit
from uuid import uuid4

from signalpost.cli.command_table import CLIENT_COMMANDS
from signalpost.domain.errors import SignalpostError
from signalpost.local.user_folder import emulator_folder
from signalpost.sender.tls_context import HTTP, tls_context

TIMEOUT = 30
ADDRESS_FILE = "address"
"""The file in the data directory to which `serve` writes its URL."""
OPERATOR_KEY_FILE = "operator-key"
SEND_BUFFER = 256 * 1024
"""Size of the socket's send buffer in bytes. A whole request of `exchange_lines` fits into it, except a single long
line, so that sending never waits for a gateway that answers first."""
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
"""Hosts to which the key in this machine's data directory may be sent. It is never sent to another machine."""
_CERTIFICATE_BEGIN, _CERTIFICATE_END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
ANY_MEMBER = "/*"
"""The pointer of an option that sets any member of the body: `--set name=value`."""
MAX_PAGE = 250
"""The maximum number of entries on one page of a list."""

_NEXT_STEPS = {
    "version_not_found": "List them: signalpost documents versions DOCUMENT",
    "delivery_not_found": "List them: signalpost deliveries list",
    "replay_not_found": "List them: signalpost replay list SUBSCRIPTION",
    "tenant_not_found": "List them: signalpost tenants list. SIGNALPOST_TENANT names the one to work in.",
    "unknown_kind": "List them: signalpost destinations list",
    "connection_in_use": "List them: signalpost subscriptions list",
    "subscription_not_active": "Resume it: signalpost subscriptions resume SUBSCRIPTION",
}
"""What to tell the user to do next, by the code of a problem, if it is more than to list what there is."""


class CommandError(SignalpostError):
    """The command failed. The message says what to do next. Exit code 1."""


class Misuse(CommandError):
    """The command was not understood. The message says how to write it. Exit code 2."""


class NoAnswer(CommandError):
    """The connection could not be made, or it ended before the answer did."""


class NoGateway(CommandError):
    """Nothing says where a gateway is."""


class ApiAnswer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    content: Any
    """The decoded JSON body, or None if the body is empty."""


class CallRefused(CommandError):
    """The gateway answered with an error status."""

    def __init__(self, answer: ApiAnswer) -> None:
        super().__init__(_refusal(answer, {}))
        self._answer = answer
        self.problem: Mapping[str, Any] = answer.content
        """The problem document that the gateway answered."""

    def naming(self, options: Mapping[str, str]) -> CommandError:
        """The same error, which names the option that set each faulty part of the request; `options` has them by
        pointer, such as `/ownerEmail`."""
        return CommandError(_refusal(self._answer, options))


def path(*parts: str) -> str:
    """A path of the API with these parts, each percent-encoded."""
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


class Client:
    """Calls the API over one connection, which is kept between calls."""

    def __init__(self, url: str, key: str, tenant: str | None, certificate: Path | None = None) -> None:
        """`certificate` is that of a gateway on this machine: see `_of_this_machine`."""
        self.url = url
        self._headers = {"authorization": f"Bearer {key}", "accept": "application/json"}
        if tenant is not None:
            self._headers["signalpost-tenant"] = tenant
        self._connection, self._prefix = _connection(url, certificate)

    def call(
        self, method: str, path: str, query: Mapping[str, object] | None = None, body: object = None, **headers: str
    ) -> ApiAnswer:
        """Make one request. Raises CallRefused for any status but 2xx, and NoAnswer."""
        given = {name: str(value) for name, value in (query or {}).items() if value is not None}
        target = f"{path}?{urlencode(given)}" if given else path
        content = None if body is None else json.dumps(body).encode()
        sent = {**headers, **({"content-type": "application/json"} if content else {})}
        try:
            response = self._request(method, target, content, sent)
            return self._answer(response, response.read())
        except (OSError, http.client.HTTPException) as error:
            raise self._no_answer(error) from None

    def readiness(self) -> dict[str, Any]:
        """What `/health/ready` answers, also if the gateway is not ready. Raises NoAnswer."""
        try:
            response = self._request("GET", "/health/ready", None, {})
            raw = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._no_answer(error) from None
        try:
            found = json.loads(raw)
        except ValueError:
            found = None
        if not isinstance(found, dict) or "trouble" not in found:
            raise self._no_gateway(response.status)
        return found

    def exchange_lines(self, path: str, media_type: str, content: bytes) -> Iterator[dict[str, Any]]:
        """POST lines, and yield the answer line by line as it arrives. Raises as `call` does.

        The answer is read only after everything was sent, while the gateway answers from the first line on. So
        `content` must fit into half of SEND_BUFFER, or be a single line.
        """
        try:
            response = self._request("POST", path, content, {"content-type": media_type})
            if response.status != 200:
                self._answer(response, response.read())
            for line in response:
                yield json.loads(line)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._no_answer(error) from None

    def send_parts(self, path: str, media_type: str, parts: Iterable[bytes], length: int) -> ApiAnswer:
        """POST a body of `length` bytes, part by part. Raises as `call` does."""
        try:
            if self._connection.sock is None:
                _open(self._connection)
            headers = {**self._headers, "content-type": media_type, "content-length": str(length)}
            self._connection.request("POST", self._prefix + path, parts, headers)
            response = self._connection.getresponse()
            return self._answer(response, response.read())
        except (OSError, http.client.HTTPException) as error:
            raise self._no_answer(error) from None

    @contextmanager
    def open(self, path: str) -> Iterator[http.client.HTTPResponse]:
        """GET a response that is not JSON, to be read while it arrives. Raises as `call` does, also during reading."""
        try:
            response = self._request("GET", path, None, {"accept": "*/*"})
            if response.status != 200:
                self._answer(response, response.read())
            yield response
        except (ConnectionError, TimeoutError, http.client.HTTPException) as error:
            raise self._no_answer(error) from None

    def pages(self, path: str, query: Mapping[str, object], limit: int) -> Iterator[dict[str, Any]]:
        """The first `limit` entries of a list, read page by page."""
        left, cursor = limit, None
        while left > 0:
            page = self.call("GET", path, {**query, "limit": min(left, MAX_PAGE), "cursor": cursor}).content
            yield from page["data"][:left]
            left -= len(page["data"])
            cursor = page["next"]
            if cursor is None:
                return

    def _request(
        self, method: str, target: str, content: bytes | None, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        reused = self._connection.sock is not None
        if method != "GET":
            headers = {"idempotency-key": str(uuid4()), **headers}
        try:
            return self._request_once(method, target, content, headers)
        except (ConnectionError, http.client.CannotSendRequest):
            self._connection.close()
            if not reused:
                raise
            # The gateway closes idle connections: most likely the request has not reached it. If it has, the gateway
            # knows its key, and does not carry it out twice.
            return self._request_once(method, target, content, headers)

    def _request_once(
        self, method: str, target: str, content: bytes | None, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        if self._connection.sock is None:
            _open(self._connection)
        self._connection.request(method, self._prefix + target, content, {**self._headers, **headers})
        return self._connection.getresponse()

    def _answer(self, response: http.client.HTTPResponse, raw: bytes) -> ApiAnswer:
        try:
            content = json.loads(raw) if raw else None
        except ValueError:
            raise self._no_gateway(response.status) from None
        answer = ApiAnswer(response.status, {name.lower(): value for name, value in response.getheaders()}, content)
        if 200 <= answer.status < 300:
            return answer
        if not (isinstance(content, dict) and "code" in content):
            raise self._no_gateway(answer.status)
        raise CallRefused(answer)

    def _no_gateway(self, status: int) -> CommandError:
        return CommandError(
            f"{self.url} answered {status}, but not as a Signalpost gateway would. Is SIGNALPOST_URL right?"
        )

    def _no_answer(self, error: Exception) -> NoAnswer:
        self._connection.close()
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return NoAnswer(
            f"No gateway answers at {self.url} ({reason}). Start one with `signalpost serve`, "
            "or set SIGNALPOST_URL to the address of one."
        )


def connect(data_dir: Path | None = None) -> Client:
    """A client of the gateway that SIGNALPOST_URL names, or else of the one that runs on the data directory, or else
    of the emulator that this person started. Raises NoGateway if there is none."""
    data_dir = data_dir or Path(os.environ.get("SIGNALPOST_DATA_DIR", "signalpost-data"))
    kept = _kept(data_dir / ADDRESS_FILE)
    if kept is None and not os.environ.get("SIGNALPOST_URL"):
        data_dir, kept = _emulator_or(data_dir)
    own, _, certificate = (kept or "").partition("\n")
    url = os.environ.get("SIGNALPOST_URL") or own
    if not url:
        raise NoGateway(
            f"No gateway found: none is running on {data_dir}. Start one with `signalpost serve`, or set "
            "SIGNALPOST_URL and SIGNALPOST_KEY (or SIGNALPOST_DATA_DIR, on the gateway's own machine)."
        )
    key = os.environ.get("SIGNALPOST_KEY") or os.environ.get("SIGNALPOST_OPERATOR_KEY")
    if not key and (url == own or _connection(url)[0].host in _THIS_MACHINE):
        key = _kept(Path(os.environ.get("SIGNALPOST_OPERATOR_KEY_FILE") or data_dir / OPERATOR_KEY_FILE))
    if not key:
        raise CommandError(f"Calls to {url} need a key. Set SIGNALPOST_KEY.")
    tenant = os.environ.get("SIGNALPOST_TENANT")
    for name, value in (("SIGNALPOST_KEY", key), ("SIGNALPOST_TENANT", tenant or "")):
        if not (value.isascii() and value.isprintable()):
            raise CommandError(f"{name} must be printable ASCII characters only.")
    return Client(url, key, tenant, Path(certificate) if certificate and url == own else None)


def readiness_here(data_dir: Path) -> dict[str, Any] | None:
    """What the gateway that runs on a folder of this machine answers to `/health/ready`; None if none does."""
    url, _, certificate = (_kept(data_dir / ADDRESS_FILE) or "").partition("\n")
    try:
        return Client(url, "", None, Path(certificate) if certificate else None).readiness() if url else None
    except CommandError:  # whatever is at the address that one left is not the gateway
        return None


def _emulator_or(data_dir: Path) -> tuple[Path, str | None]:
    """The folder of the emulator with its address, if one runs; otherwise the data directory."""
    kept = _kept(emulator_folder() / ADDRESS_FILE)
    return (data_dir, None) if kept is None else (emulator_folder(), kept)


def _connection(url: str, certificate: Path | None = None) -> tuple[http.client.HTTPConnection, str]:
    """A connection to the URL's host, and the path prefix of the API."""
    try:
        parts = urlsplit(url)
        if not parts.hostname or parts.scheme not in ("http", "https"):
            raise ValueError
        host, port, prefix = parts.hostname, parts.port, parts.path.rstrip("/")
    except ValueError:
        raise CommandError(f"SIGNALPOST_URL must be http(s)://host:port, not {url}") from None
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT), prefix
    context = _trusting_authorities() if certificate is None else _of_this_machine(certificate)
    return http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context), prefix


def _trusting_authorities() -> ssl.SSLContext:
    """Trusts what the system trusts, and what SIGNALPOST_CA_FILE has."""
    file = os.environ.get("SIGNALPOST_CA_FILE")
    try:
        return tls_context(Path(file) if file else None, HTTP)
    except (OSError, ssl.SSLError):
        raise CommandError(f"SIGNALPOST_CA_FILE must be a PEM file of certificates; {file} is not one.") from None


def _of_this_machine(file: Path) -> ssl.SSLContext:
    """Trust only the certificate in this file, and do not ask which host it names: the gateway on this machine is
    called by an address that no certificate names, and it said itself where its certificate is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        first, end, _ = file.read_text(encoding="ascii", errors="replace").partition(_CERTIFICATE_END)
        context.load_verify_locations(cadata=first[first.index(_CERTIFICATE_BEGIN) :] + end)
    except (OSError, ValueError):
        raise CommandError(
            f"The gateway's certificate cannot be read from {file}. Set SIGNALPOST_URL to its address."
        ) from None
    return context


def _open(connection: http.client.HTTPConnection) -> None:
    connection.connect()
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)


def _kept(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None


def _refusal(answer: ApiAnswer, options: Mapping[str, str]) -> str:
    problem = answer.content
    errors = problem.get("errors", [])
    what = problem["title" if errors else "detail"]
    lines = [f"{what}:" if errors else str(what)]
    lines += [f"  {_where(error['pointer'], options)}: {error['detail']}" for error in errors]
    if answer.status == 401:
        lines.append("Set SIGNALPOST_KEY to a key of this gateway.")
    if "retry-after" in answer.headers:
        lines.append(f"Try again in {answer.headers['retry-after']} s.")
    if answer.status == 500:
        lines.append(f"The request's id: {problem.get('requestId')}")
    step = _next_step(str(problem.get("code")))
    return "\n".join([*lines, step] if step else lines)


def _next_step(code: str) -> str | None:
    noun = code.removesuffix("_not_found")
    has_list = noun != code and f"signalpost.cli.commands.{noun}s:app" in CLIENT_COMMANDS
    return _NEXT_STEPS.get(code) or (f"List them: signalpost {noun.replace('_', '-')}s list" if has_list else None)


def _where(pointer: str, options: Mapping[str, str]) -> str:
    """The option that set what a pointer names, or the name itself, followed by the rest of the pointer."""
    if pointer.startswith("?") or pointer in options:
        return options.get(pointer, pointer[1:])
    field, *below = pointer[1:].split("/")
    if below and f"/{field}" not in options and f"/{field}/{below[0]}" in options:
        field, below = f"{field}/{below[0]}", below[1:]
    named = options.get(f"/{field}") or field or "the body"
    if field == named and ANY_MEMBER in options:
        named = f"{options[ANY_MEMBER]} {field}"
    if named == "--set" and below:
        return f"--set {'.'.join(below)}"
    return " ".join([named, *(f"entry {int(part) + 1}" if part.isdecimal() else part for part in below)])


def reasons(problem: Mapping[str, Any]) -> list[str]:
    """A sentence for each error that a problem reports."""
    errors = problem.get("errors") or [{"pointer": "", "detail": problem["detail"]}]
    return [f"{_where(e['pointer'], {})}: {e['detail']}" if e["pointer"] else str(e["detail"]) for e in errors]
