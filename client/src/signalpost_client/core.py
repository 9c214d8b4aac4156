"""A call from its arguments to its answer, without any I/O.

An `OngoingCall` is one call with its repeats. It says which request to send, and is told of the answer, or that there
is none. Then it has the result, raises what is wrong, or says how long to wait before the same request is sent once
more. All repeats of a change share one `Idempotency-Key`, so that it is made once. A call without a key is repeated
only if it changes nothing, or if the gateway said that nothing was done.
"""

from __future__ import annotations

import random
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from msgspec import UNSET

from signalpost_client.errors import DeadlinePassed, NoAnswer, Problem, SignalpostError, UnexpectedAnswer, problem_of
from signalpost_client.keyed import KEYED
from signalpost_client.shape import read
from signalpost_client.version import VERSION

T = TypeVar("T")
DEADLINE: Final = 30.0
"""Seconds that a call may take, repeats and waits included."""
TRIES: Final = 3
"""No try may take more than this part of the time that a call has, so that there is time for as many."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds between repeats if the gateway does not say how long; each is up to twice as long as the one before."""
_NOT_NOW: Final = {429, 502, 503, 504}
"""Statuses after which a repeat may fare better. 502 and 504 are of proxies, and so may 503 be."""
_UNKNOWN: Final = "outcome_unknown"
"""The code of a refusal after which the change may have been made."""


class Content(Protocol):
    """A body that is sent in parts, again if need be."""

    length: int

    def parts(self) -> Iterator[bytes]:
        """All of it, from its beginning."""


@dataclass(frozen=True)
class Call(Generic[T]):
    """One call of the API."""

    method: str
    path: str
    replies: Mapping[int, Any]
    """The type that each status answers: a shape, `bytes`, or None for nothing. If it is empty, the result is the
    `Answer` itself, of any status below 300."""
    query: Mapping[str, object] = field(default_factory=dict)
    body: object = UNSET
    """What is sent as JSON. Members that are UNSET are left out."""
    content: bytes | Content | None = None
    """What is sent as it is, in place of `body`."""
    media_type: str = "application/json"
    if_match: str | None = None
    is_keyed: bool = False
    """Whether the call takes an `Idempotency-Key` (`takes_key`)."""
    idempotency_key: str | None = None


class Request(NamedTuple):
    """What is to be sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | Content | None


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """The headers, by name in lower case."""
    content: bytes


@dataclass(frozen=True)
class StreamedAnswer(Generic[T]):
    """What comes back part by part."""

    headers: Mapping[str, str]
    """The headers, by name in lower case."""
    parts: T


class Address:
    """Where a gateway is, and who calls it."""

    def __init__(self, url: str, key: str, tenant: str | None) -> None:
        """Raises ValueError, which never shows the key."""
        if not _is_address(url):
            raise ValueError("The URL of a gateway is http(s)://host:port, without a user name and a query.")
        for name, value in (("key", key), ("tenant", tenant or "")):
            if not re.fullmatch("[!-~]*", value):
                raise ValueError(f"The {name} must be printable ASCII characters only, without spaces.")
        self.url = url.rstrip("/")
        self._headers = {"user-agent": f"signalpost-client/{VERSION}", "accept": "application/json"}
        if key:
            self._headers["authorization"] = f"Bearer {key}"
        if tenant is not None:
            self._headers["signalpost-tenant"] = tenant

    def __repr__(self) -> str:
        return repr(self.url)

    def request(self, call: Call[Any], headers: Mapping[str, str]) -> Request:
        """The request of a call."""
        given = urlencode([(name, _text(value)) for name, value in call.query.items() if value is not None])
        content = call.content
        if call.body is not UNSET:
            content = msgspec.json.encode(_without_unset(call.body))
        about = {} if content is None else {"content-type": call.media_type}
        if content is not None and not isinstance(content, bytes):
            about["content-length"] = str(content.length)
        url = f"{self.url}{call.path}" + (f"?{given}" if given else "")
        return Request(call.method, url, {**self._headers, **about, **headers}, content)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.port != 0
            and not (parts.username or parts.query or parts.fragment)
        )
    except ValueError:
        return False


def takes_key(method: str, path: str) -> bool:
    """Whether the API takes an `Idempotency-Key` with a call, as far as this release knows it."""
    return any(method == known and re.fullmatch(form.replace("{}", "[^/]+"), path) for known, form in KEYED)


def path(*parts: str) -> str:
    """A path of the API with these parts, each percent-encoded."""
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def _text(value: object) -> str:
    """A parameter of a query."""
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date) else str(value)


def _without_unset(body: object) -> object:
    if isinstance(body, Mapping):
        return {name: value for name, value in body.items() if value is not UNSET}
    return body


# --- Repeats ----------------------------------------------------------------------------------------------------------


class Patience:
    """How long to wait between repeats, until a deadline."""

    def __init__(self, seconds: float, now: float, jitter: Callable[[], float] = random.random) -> None:
        self._seconds = seconds
        self._jitter = jitter
        self._pause = FIRST_PAUSE
        self.tries = 0
        self.ends = now + seconds

    def begin_again(self, now: float) -> None:
        """There was progress: what comes has the whole time again."""
        self._pause, self.tries, self.ends = FIRST_PAUSE, 0, now + self._seconds

    def of_one_try(self, now: float) -> float:
        """Seconds that the next try may take."""
        return max(0.001, min(self.ends - now, self._seconds / TRIES))

    def left(self, now: float) -> float:
        """Seconds until the deadline."""
        return max(0.001, self.ends - now)

    def pause(self, error: SignalpostError, now: float) -> float:
        """Seconds to wait before the next try. Raises the error if there is no time for one."""
        asked = error.retry_after if isinstance(error, Problem) else None
        pause = self._pause * (0.5 + self._jitter() / 2)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        wait = pause if asked is None else asked + pause
        if now + wait >= self.ends:
            raise error
        return wait


class Wait(NamedTuple):
    """The same request is to be sent again, after so many seconds."""

    seconds: float


class Loss(NamedTuple):
    """Why there is no answer."""

    reason: str
    was_sent: bool
    """Whether the gateway may have read the request."""
    timed_out: bool = False


class OngoingCall(Generic[T]):
    """One call with its repeats."""

    def __init__(self, address: Address, call: Call[T], patience: Patience) -> None:
        self._address = address
        self._call = call
        self._patience = patience
        self._key = (call.idempotency_key or str(uuid.uuid4())) if call.is_keyed else None
        self._may_repeat = call.is_keyed or call.method == "GET"
        headers = {} if self._key is None else {"idempotency-key": self._key}
        if call.if_match is not None:
            headers["if-match"] = call.if_match
        self.request = address.request(call, headers)

    def timeout(self, now: float) -> float:
        """Seconds that the next try may take. What cannot be repeated has all the time there is."""
        self._patience.tries += 1
        return self._patience.of_one_try(now) if self._may_repeat else self._patience.left(now)

    def answered(self, answer: Answer, now: float) -> T | Wait:
        """What to do with an answer: it is the result, or the request is sent again. Raises what is wrong with it."""
        if answer.status in self._call.replies:
            return self._result(answer)
        if not self._call.replies and 200 <= answer.status < 300:
            return answer  # type: ignore[return-value] # the call's type says so
        error = self._refusal(answer)
        if answer.status in _NOT_NOW and self._may_follow(error):
            return Wait(self._patience.pause(error, now))
        raise error

    def lost(self, loss: Loss, now: float) -> Wait:
        """What to do without an answer. Raises NoAnswer if it is not to be sent again."""
        unknown = loss.was_sent and self._call.method != "GET"
        tries = f" after {self._patience.tries} tries" if self._patience.tries > 1 else ""
        kind = DeadlinePassed if loss.timed_out else NoAnswer
        about = " The change may have been made." if unknown else ""
        error = kind(
            f"{self._address.url} did not answer{tries} ({loss.reason}).{about}",
            outcome_unknown=unknown,
            idempotency_key=self._key,
        )
        if loss.was_sent and not self._may_repeat:
            raise error
        return Wait(self._patience.pause(error, now))

    def _refusal(self, answer: Answer) -> SignalpostError:
        error = refusal(answer, self._address.url)
        if isinstance(error, Problem) or answer.status not in _NOT_NOW:
            return error
        changes = self._call.method != "GET"
        about = f"Something in front of {self._address.url} answered {answer.status}, and not the gateway."
        return NoAnswer(about, outcome_unknown=changes, idempotency_key=self._key)

    def _may_follow(self, error: SignalpostError) -> bool:
        """Whether a repeat after this refusal does nothing twice."""
        return self._may_repeat or (isinstance(error, Problem) and error.code != _UNKNOWN)

    def _result(self, answer: Answer) -> T:
        kind = self._call.replies[answer.status]
        if kind is None:
            return None  # type: ignore[return-value] # the call's type says so
        if kind is bytes:
            return answer.content  # type: ignore[return-value] # the call's type says so
        try:
            result: T = read(kind, msgspec.json.decode(answer.content), answer.headers)
        except msgspec.MsgspecError as error:
            raise UnexpectedAnswer(
                f"{self._address.url} answered {self._call.method} {self._call.path} in a way that signalpost-client "
                f"{VERSION} does not know ({error}). Is the gateway older than that?"
            ) from None
        return result


class StreamedCall:
    """A read whose answer comes part by part, and which is not repeated."""

    def __init__(self, address: Address, call: Call[Any]) -> None:
        self._url = address.url
        self.request = address.request(call, {})

    def refused(self, answer: Answer) -> SignalpostError:
        """The error for an answer of another status."""
        return refusal(answer, self._url)

    def lost(self, reason: str) -> NoAnswer:
        """The error for an answer that did not come, or ended too early."""
        return NoAnswer(f"{self._url} did not answer ({reason}).", outcome_unknown=False, idempotency_key=None)


def refusal(answer: Answer, url: str) -> SignalpostError:
    """The error that an answer tells of."""
    try:
        document = msgspec.json.decode(answer.content)
    except msgspec.MsgspecError:
        document = None
    asked = answer.headers.get("retry-after", "")
    if answer.status >= 400 and isinstance(document, dict) and "code" in document:
        return problem_of(answer.status, document, float(asked) if asked.isdecimal() else None)
    return UnexpectedAnswer(f"{url} answered {answer.status}, but not as a Signalpost gateway would. Is the URL right?")
