"""Calls a running gateway for the commands, and says what to do next where that fails."""

import http.client
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from signalpost.domain.errors import SignalpostError

TIMEOUT = 30
ADDRESS_FILE = "address"
"""Where `serve` writes its URL, inside the data directory."""


class CommandError(SignalpostError):
    """The command could not be done; the message says what to do next. Exit code 1."""


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    content: Any
    """The decoded JSON, or None."""


class Client:
    def __init__(self, url: str, key: str, tenant: str | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise CommandError(f"SIGNALPOST_URL must be http(s)://host:port, not {url}.")
        self.url = url
        self._parts = parts
        self._headers = {"authorization": f"Bearer {key}", "accept": "application/json"}
        if tenant is not None:
            self._headers["signalpost-tenant"] = tenant

    def call(
        self, method: str, path: str, query: Mapping[str, object] | None = None, body: object = None, **headers: str
    ) -> Answer:
        """One request. Raises CommandError for anything but a 2xx."""
        given = {name: str(value) for name, value in (query or {}).items() if value is not None}
        target = f"{path}?{urlencode(given)}" if given else path
        content = None if body is None else json.dumps(body).encode()
        sent = {**self._headers, **headers, **({"content-type": "application/json"} if content else {})}
        connection = self._connection()
        try:
            connection.request(method, target, content, sent)
            response = connection.getresponse()
            raw = response.read()
        except OSError as error:
            raise CommandError(
                f"No gateway answers at {self.url} ({error.strerror or error}). Start one with `signalpost serve`, "
                "or say where it is with SIGNALPOST_URL."
            ) from None
        finally:
            connection.close()
        answer = Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, _json(raw))
        if not 200 <= answer.status < 300:
            raise _refused(answer)
        return answer

    def pages(self, path: str, query: Mapping[str, object], limit: int) -> Iterator[dict[str, Any]]:
        """The first `limit` entries of a list, over as many pages as that takes."""
        left, cursor = limit, None
        while left > 0:
            page = self.call("GET", path, {**query, "limit": min(left, 250), "cursor": cursor}).content
            yield from page["data"][:left]
            left -= len(page["data"])
            cursor = page["next"]
            if cursor is None:
                return

    def _connection(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        return kind(self._parts.hostname or "", self._parts.port, timeout=TIMEOUT)


def connect() -> Client:
    """The gateway that the environment names, or else the one of the data directory on this machine."""
    data_dir = Path(os.environ.get("SIGNALPOST_DATA_DIR", "signalpost-data"))
    url = os.environ.get("SIGNALPOST_URL") or _kept(data_dir / ADDRESS_FILE)
    key = (
        os.environ.get("SIGNALPOST_KEY")
        or os.environ.get("SIGNALPOST_OPERATOR_KEY")
        or _kept(data_dir / "operator-key")
    )
    if url is None or key is None:
        raise CommandError(
            f"No gateway is known: there is none in {data_dir}. Start one with `signalpost serve`, or set "
            "SIGNALPOST_URL and SIGNALPOST_KEY (or SIGNALPOST_DATA_DIR, on the gateway's own machine)."
        )
    return Client(url, key, os.environ.get("SIGNALPOST_TENANT"))


def _kept(file: Path) -> str | None:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError:
        return None


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None


def _refused(answer: Answer) -> CommandError:
    problem = answer.content if isinstance(answer.content, dict) else {}
    errors = problem.get("errors", [])
    what = problem.get("title" if errors else "detail") or f"The gateway answered {answer.status}"
    lines = [f"{what}:" if errors else str(what)]
    lines += [f"  {error['pointer'] or 'the body'}: {error['detail']}" for error in errors]
    if answer.status == 401:
        lines.append("Set SIGNALPOST_KEY to a key of this gateway.")
    if answer.status == 503 and "retry-after" in answer.headers:
        lines.append(f"Try again in {answer.headers['retry-after']} s.")
    return CommandError("\n".join(lines))
