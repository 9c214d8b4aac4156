"""What another system's API answers to GET: asked now, or saved before into a file that has an answer for each path.

That system may mean harm: what is read of it has bounds, and beyond them the import ends with a sentence.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar
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
MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
MAX_ALL_BYTES: Final = 64 * 1024 * 1024
"""How many bytes all answers may have together."""
MAX_DEPTH: Final = 64
"""How many lists and objects of an answer may be within one another."""
MAX_PAGES: Final = 1_000
"""How many pages a list may have."""
_TIMEOUT: Final = 30
_TRIES: Final = 6
_LONGEST_WAIT: Final = 60
_DIGITS: Final = 9
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
        if _is_too_deep(answer):
            raise CommandError(f"The answer to GET {path} is nested too deeply.")
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
        for _ in range(MAX_PAGES):
            page = self.get(kind, path, **query, **{cursor: at})
            yield page
            at = after(page)
            if not at:
                return
            if at in seen:
                raise CommandError(f"GET {path} answers with the same pages again and again.")
            seen.add(at)
        raise CommandError(f"GET {path} has more than {MAX_PAGES:,} pages. Nobody has so many: is the address right?")


def _is_too_deep(answer: Any) -> bool:
    level = [answer]
    for _ in range(MAX_DEPTH + 1):
        level = [below for each in level for below in _members(each)]
        if not level:
            return False
    return True


def _members(part: Any) -> Iterable[Any]:
    if isinstance(part, dict):
        return part.values()
    return part if isinstance(part, list) else ()


def from_file(file: Path) -> Fetch:
    """Answers that were saved. Raises Misuse."""
    saved = read_json(file)
    if not isinstance(saved, dict):
        raise Misuse(f"{file} must be a JSON object that has an answer for each path, as --save writes it.")
    found: Mapping[str, Any] = saved
    return lambda path: found.get(path, NOT_FOUND)


class _Reply(NamedTuple):
    status: int
    retry_after: str
    content: bytes
    """Empty unless it is a success."""


def from_api(root: str, key: str, client: httpx.Client, sleep: Callable[[float], None]) -> Fetch:
    """What an API answers. A redirect is none: the key would go elsewhere. It is asked for answers that are not
    compressed, because what a few bytes unpack to has no bound."""
    headers = {"authorization": f"Bearer {key}", "accept": "application/json", "accept-encoding": "identity"}
    left = MAX_ALL_BYTES

    def fetch(path: str) -> Any:
        nonlocal left
        url = root.rstrip("/") + path
        shown = f"GET {url.partition('?')[0]}"
        for _ in range(_TRIES):
            reply = _asked(client, url, headers, shown)
            if reply.status not in _BUSY:
                left -= len(reply.content)
                if left < 0:
                    raise CommandError(f"All answers up to {shown} have more than {_mebibytes(MAX_ALL_BYTES)}.")
                return _read(reply, shown)
            sleep(_wait(reply))
        raise CommandError(f"{shown} was told to come later again and again. Try it when there is less to do.")

    return fetch


def client() -> httpx.Client:
    return httpx.Client(follow_redirects=False, timeout=_TIMEOUT, verify=tls_context())


def _asked(client: httpx.Client, url: str, headers: Mapping[str, str], shown: str) -> _Reply:
    try:
        with client.stream("GET", url, headers=headers) as reply:
            content = _content(reply, shown) if reply.is_success else b""
            return _Reply(reply.status_code, reply.headers.get("retry-after", ""), content)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CommandError(f"{shown} got no answer: {str(error) or type(error).__name__}.") from None


def _content(reply: httpx.Response, shown: str) -> bytes:
    """The bytes of an answer. Raises CommandError, and HTTPError if it breaks off."""
    if reply.headers.get("content-encoding", "identity") != "identity":
        raise CommandError(
            f"{shown} was answered compressed, which it was not asked for. Have its proxy leave that out."
        )
    content = bytearray()
    for part in reply.iter_raw():
        content += part
        if len(content) > MAX_ANSWER_BYTES:
            raise CommandError(f"The answer to {shown} has more than {_mebibytes(MAX_ANSWER_BYTES)}.")
    return bytes(content)


def _mebibytes(size: int) -> str:
    return f"{size >> 20} MiB"


def _wait(reply: _Reply) -> float:
    """The seconds until a call is repeated."""
    said = reply.retry_after[:_DIGITS]
    return min(int(said), _LONGEST_WAIT) if said.isdecimal() else 1


def _read(reply: _Reply, shown: str) -> Any:
    if reply.status == _MISSING:
        return NOT_FOUND
    if not 200 <= reply.status < 300:
        raise CommandError(f"{shown} was answered {reply.status}. {_what_to_do(reply.status)}")
    try:
        return json.loads(reply.content)
    except RecursionError:
        raise CommandError(f"The answer to {shown} is nested too deeply.") from None
    except ValueError:
        raise CommandError(f"{shown} was not answered with JSON. Is the address that of the API?") from None


def _what_to_do(status: int) -> str:
    if status in (401, 403):
        return "Is the key right, and may it read?"
    return "Is the address that of the API?"


def as_text(answers: Answers) -> str:
    """The file from which these answers can be read again."""
    return json.dumps(answers.all, indent=1, ensure_ascii=False) + "\n"
