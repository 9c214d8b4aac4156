"""Calls a running gateway on behalf of the commands, and says what to do next when a call fails."""

import json
import os
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlsplit

from signalpost.cli.command_table import CLIENT_COMMANDS
from signalpost.domain.errors import SignalpostError
from signalpost.local.user_folder import emulator_folder
from signalpost.sender.tls_context import HTTP, tls_context

if TYPE_CHECKING:
    from signalpost.cli.gateway_client import GatewayClient
    from signalpost_client.forms import File

ADDRESS_FILE = "address"
"""The file in the data directory to which `serve` writes its URL."""
OPERATOR_KEY_FILE = "operator-key"
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
    """Calls the API. What it does that with is loaded by the first call: to load it takes longer than most commands."""

    def __init__(self, url: str, key: str, tenant: str | None, certificate: Path | None = None) -> None:
        """`certificate` is that of a gateway on this machine: see `_of_this_machine`. Raises CommandError."""
        self.url = url
        self._key = key
        self._tenant = tenant
        self._trusted = _trusted(url, certificate)

    @cached_property
    def _gateway(self) -> "GatewayClient":
        from signalpost.cli.gateway_client import GatewayClient

        return GatewayClient(self.url, self._key, self._tenant, self._trusted)

    def call(self, method: str, path: str, query: Mapping[str, object] | None = None, body: object = None) -> ApiAnswer:
        """Make one call, again if need be. Raises CallRefused for any status but 2xx, and NoAnswer."""
        status, headers, content = self._gateway.call(method, path, query or {}, body)
        try:
            return ApiAnswer(status, headers, json.loads(content) if content else None)
        except ValueError:
            raise self._no_gateway(status) from None

    def readiness(self) -> dict[str, Any]:
        """What `/health/ready` answers, also if the gateway is not ready. Raises NoAnswer."""
        try:
            found = json.loads(self._gateway.readiness())
        except ValueError:
            found = None
        if not isinstance(found, dict) or "trouble" not in found:
            raise self._no_gateway(200)
        return found

    def import_lines(self, lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        """Import lines, and yield the answer to each as it arrives. Raises as `call` does."""
        return self._gateway.import_lines(lines)

    def upload(self, external_id: str, file: "File", *, publish: bool) -> Any:
        """Upload a file as the next version of a document, and return what is answered. Raises as `call` does."""
        return self._gateway.upload(external_id, file, publish=publish)

    @contextmanager
    def open(
        self, path: str, query: Mapping[str, object] | None = None
    ) -> Iterator[tuple[Mapping[str, str], Iterator[bytes]]]:
        """GET an answer that is not JSON: its headers, and its parts as they arrive. Raises as `call` does, also while
        it is read."""
        with self._gateway.open(path, query or {}) as answer:
            yield answer

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

    def _no_gateway(self, status: int) -> CommandError:
        return CommandError(
            f"{self.url} answered {status}, but not as a Signalpost gateway would. Is SIGNALPOST_URL right?"
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
    if not key and (url == own or _host(url) in _THIS_MACHINE):
        key = _kept(Path(os.environ.get("SIGNALPOST_OPERATOR_KEY_FILE") or data_dir / OPERATOR_KEY_FILE))
    if not key:
        raise CommandError(f"Calls to {url} need a key. Set SIGNALPOST_KEY.")
    tenant = os.environ.get("SIGNALPOST_TENANT")
    for name, value in (("SIGNALPOST_KEY", key), ("SIGNALPOST_TENANT", tenant or "")):
        if not (value.isascii() and value.isprintable()) or " " in value:
            raise CommandError(f"{name} must be printable ASCII characters only, without spaces.")
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


def _host(url: str) -> str:
    """The host of a URL. Raises CommandError if it is none of a gateway."""
    try:
        parts = urlsplit(url)
        _ = parts.port
        if not parts.hostname or parts.scheme not in ("http", "https") or parts.username or parts.query:
            raise ValueError
    except ValueError:
        shown = "one with a user name" if "@" in url else url
        raise CommandError(f"SIGNALPOST_URL must be http(s)://host:port, not {shown}") from None
    return parts.hostname


def _trusted(url: str, certificate: Path | None) -> ssl.SSLContext | None:
    """The certificates that a connection to a URL trusts; None without TLS."""
    _host(url)
    if urlsplit(url).scheme == "http":
        return None
    return _trusting_authorities() if certificate is None else _of_this_machine(certificate)


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
