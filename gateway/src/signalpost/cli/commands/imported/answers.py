"""What another system's API answers to GET: asked now, or saved before into a file that has an answer for each path."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

import httpx
import msgspec

from signalpost.cli.client import CommandError, Misuse
from signalpost.cli.terminal.assignments import read_json
from signalpost_client.transport import tls_context

NOT_FOUND: Final = None
"""In place of an answer: there is nothing at that path."""
Fetch = Callable[[str], Any]
"""Gets the answer at a path with its query. Raises CommandError."""
A = TypeVar("A")
P = TypeVar("P")
_TIMEOUT: Final = 30
_TRIES: Final = 6
_LONGEST_WAIT: Final = 60
_BUSY: Final = (429, 503)
_MISSING: Final = 404


def path_of(*parts: str) -> str:
    """A path with these parts, each percent-encoded."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


class Answers:
    """Reads answers as what they should be, and remembers them."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self.all: dict[str, Any] = {}
        """Every answer by its path."""

    def find(self, kind: type[A], path: str, **query: str | int | None) -> A | None:
        """The answer at a path; None if there is nothing there. Raises CommandError."""
        given = {name: value for name, value in query.items() if value is not None}
        full = f"{path}?{urlencode(given)}" if given else path
        answer = self._fetch(full)
        if answer is NOT_FOUND:
            return None
        self.all[full] = answer
        try:
            return msgspec.convert(answer, kind, strict=False)
        except msgspec.ValidationError as error:
            raise CommandError(f"The answer to GET {path} is not what was expected: {error}.") from None

    def get(self, kind: type[A], path: str, **query: str | int | None) -> A:
        """The answer at a path, which must be there. Raises CommandError."""
        found = self.find(kind, path, **query)
        if found is None:
            raise CommandError(f"There is nothing at {path}. Is the address right, and the id?")
        return found

    def pages(
        self, kind: type[P], path: str, cursor: str, after: Callable[[P], str | None], **query: str | int
    ) -> Iterator[P]:
        """The pages of a list. `after` says of a page what the parameter `cursor` must be for the next one."""
        at: str | None = None
        seen: set[str] = set()
        while True:
            page = self.get(kind, path, **query, **{cursor: at})
            yield page
            at = after(page)
            if not at:
                return
            if at in seen:
                raise CommandError(f"GET {path} answers with the same pages again and again.")
            seen.add(at)


def from_file(file: Path) -> Fetch:
    """Answers that were saved. Raises Misuse."""
    saved = read_json(file)
    if not isinstance(saved, dict):
        raise Misuse(f"{file} must be a JSON object that has an answer for each path, as --save writes it.")
    found: Mapping[str, Any] = saved
    return lambda path: found.get(path, NOT_FOUND)


def from_api(root: str, key: str, client: httpx.Client, sleep: Callable[[float], None]) -> Fetch:
    """What an API answers. A redirect is none: the key would go elsewhere."""
    headers = {"authorization": f"Bearer {key}", "accept": "application/json"}

    def fetch(path: str) -> Any:
        url = root.rstrip("/") + path
        shown = f"GET {url.partition('?')[0]}"
        for _ in range(_TRIES):
            reply = _asked(client, url, headers, shown)
            if reply.status_code not in _BUSY:
                return _read(reply, shown)
            sleep(_wait(reply))
        raise CommandError(f"{shown} was told to come later again and again. Try it when there is less to do.")

    return fetch


def client() -> httpx.Client:
    return httpx.Client(follow_redirects=False, timeout=_TIMEOUT, verify=tls_context())


def _asked(client: httpx.Client, url: str, headers: Mapping[str, str], shown: str) -> httpx.Response:
    try:
        return client.get(url, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CommandError(f"{shown} got no answer: {str(error) or type(error).__name__}.") from None


def _wait(reply: httpx.Response) -> float:
    """The seconds until a call is repeated."""
    said = reply.headers.get("retry-after", "")
    return min(int(said), _LONGEST_WAIT) if said.isdecimal() else 1


def _read(reply: httpx.Response, shown: str) -> Any:
    if reply.status_code == _MISSING:
        return NOT_FOUND
    if not reply.is_success:
        raise CommandError(f"{shown} was answered {reply.status_code}. {_what_to_do(reply.status_code)}")
    try:
        return reply.json()
    except ValueError:
        raise CommandError(f"{shown} was not answered with JSON. Is the address that of the API?") from None


def _what_to_do(status: int) -> str:
    if status in (401, 403):
        return "Is the key right, and may it read?"
    return "Is the address that of the API?"


def as_text(answers: Answers) -> str:
    """The file from which these answers can be read again."""
    return json.dumps(answers.all, indent=1, ensure_ascii=False) + "\n"
