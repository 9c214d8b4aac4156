"""Decide whether a request comes from the gateway, and read it (C19 to C21)."""

import hmac
import re
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Protocol, TypeAlias

from .envelope import MAX_BODY_BYTES, Event, parse
from .errors import (
    ConfigError,
    InFuture,
    MalformedSignature,
    Mismatch,
    MissingHeader,
    TooLarge,
    TooOld,
)
from .sign import (
    PAGE_SIGNATURE,
    PAGE_SIGNATURE_ALTERNATE,
    STANDARD_ID,
    STANDARD_SIGNATURE,
    STANDARD_TIMESTAMP,
    Signer,
)

_Pairs: TypeAlias = Iterable[tuple[str, str]] | Iterable[tuple[bytes, bytes]]


class _Items(Protocol):
    def items(self) -> _Pairs: ...


Headers: TypeAlias = _Items | _Pairs
"""A request's headers as any framework has them: a mapping, pairs of strings, or ASGI's pairs of bytes."""

_USED = {PAGE_SIGNATURE, PAGE_SIGNATURE_ALTERNATE, STANDARD_ID, STANDARD_TIMESTAMP, STANDARD_SIGNATURE}
_PAGE = re.compile(r"[0-9a-f]{128}")
_STANDARD = re.compile(r"v1,[A-Za-z0-9+/]{43}=")
# What is signed is `id.timestamp.body`. An id without a full stop and a number with one spelling leave one
# way to cut it, so that no part of a body passes as an id or a time.
_ID = re.compile(r"[!-\-/-~]{1,256}")
_SECONDS = re.compile(r"0|[1-9][0-9]{0,11}")


class Verifier:
    """Verifies and reads requests for one subscription. Immutable, no I/O, safe to share between threads.

    `tokens` is the subscription's secret token, or during a rotation both (C21): a request is genuine if
    any of its signatures fits any of them.

    `max_age` refuses requests that were signed longer ago than that, and those signed more than `skew`
    ahead of this machine's clock. Only `webhook-signature` covers a time (that of the attempt, so retries
    and replays are never too old), so only this signature counts then: otherwise an attacker would leave it
    out to send an old request again. Against repeats within `max_age`, remember `Event.id`.

    `max_body_bytes` caps what is hashed. `clock` gives seconds since the epoch.

    Raises ConfigError for a token that `Signer` refuses, no token at all, or a limit that is not positive
    (`skew` may be zero).
    """

    def __init__(
        self,
        tokens: str | Sequence[str],
        *,
        max_age: timedelta | None = None,
        skew: timedelta = timedelta(seconds=60),
        max_body_bytes: int = MAX_BODY_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if max_age is not None and max_age <= timedelta(0):
            raise ConfigError("max_age must be positive")
        if skew < timedelta(0):
            raise ConfigError("skew must not be negative")
        if max_body_bytes <= 0:
            raise ConfigError("max_body_bytes must be positive")
        try:
            self._signers = [Signer(token) for token in ([tokens] if isinstance(tokens, str) else tokens)]
        except TypeError:  # None, say from a missing setting
            raise ConfigError("tokens must be a string or several") from None
        if not self._signers:
            raise ConfigError("at least one token is needed")
        self._max_age = max_age
        self._skew = skew
        self._max_body_bytes = max_body_bytes
        self._clock = clock

    def verify(self, body: bytes, headers: Headers) -> Event:
        """The event of a genuine request. `body` is the request's body exactly as it arrived.

        Raises VerificationError, ReplayError or PayloadError, whatever the bytes and the headers; answer with
        the error's `status`.
        """
        if len(body) > self._max_body_bytes:
            raise TooLarge(f"the body is longer than {self._max_body_bytes} bytes")
        used = _used_headers(headers)
        if self._max_age is not None:
            self._check_age(self._check_standard(body, used), self._max_age)
        elif not self._page_fits(body, used):
            self._check_standard(body, used)
        return parse(body)

    def _page_fits(self, body: bytes, headers: dict[str, str]) -> bool:
        """Whether a page header (C19, C21) fits; False, and no error, leaves it to `webhook-signature`."""
        given = [headers[name] for name in (PAGE_SIGNATURE, PAGE_SIGNATURE_ALTERNATE) if name in headers]
        for signature in given:
            if not _PAGE.fullmatch(signature):
                raise MalformedSignature("a page signature is not 128 lower-case hex digits")
        if not given and STANDARD_SIGNATURE not in headers:
            raise MissingHeader(f"neither {PAGE_SIGNATURE} nor {STANDARD_SIGNATURE} is there")
        if _any_equal((signer.page_signature(body) for signer in self._signers), given):
            return True
        if STANDARD_SIGNATURE not in headers:
            raise Mismatch("no signature fits")
        return False

    def _check_standard(self, body: bytes, headers: dict[str, str]) -> int:
        """The attempt's time in seconds since the epoch, once the signature that covers it fits (C20)."""
        for name in (STANDARD_ID, STANDARD_TIMESTAMP, STANDARD_SIGNATURE):
            if name not in headers:
                raise MissingHeader(f"{name} is not there")
        message_id, seconds = headers[STANDARD_ID], headers[STANDARD_TIMESTAMP]
        if not _ID.fullmatch(message_id):
            raise MalformedSignature(f"{STANDARD_ID} is not an id")
        if not _SECONDS.fullmatch(seconds):
            raise MalformedSignature(f"{STANDARD_TIMESTAMP} is not a whole number of seconds")
        given = [entry for entry in headers[STANDARD_SIGNATURE].split(" ") if _STANDARD.fullmatch(entry)]
        if not given:
            raise MalformedSignature(f"{STANDARD_SIGNATURE} has no signature of version v1")
        timestamp = int(seconds)
        if not _any_equal((signer.standard_signature(message_id, timestamp, body) for signer in self._signers), given):
            raise Mismatch("no signature fits")
        return timestamp

    def _check_age(self, timestamp: int, max_age: timedelta) -> None:
        age = self._clock() - timestamp
        if age > max_age.total_seconds():
            raise TooOld("the request was signed too long ago")
        if -age > self._skew.total_seconds():
            raise InFuture("the request was signed ahead of this machine's clock")


def _used_headers(headers: Headers) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw_name, raw_value in headers.items() if hasattr(headers, "items") else headers:
        name = _text(raw_name).lower()
        if name in _USED:
            if name in found:
                raise MalformedSignature(f"{name} is there more than once")
            found[name] = _text(raw_value)
    return found


def _text(value: str | bytes) -> str:
    # Some parsers give what is not ASCII as an object, which cannot be the gateway's; as text it is refused as such.
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _any_equal(expected: Iterable[str], given: list[str]) -> bool:
    """Compares in constant time; which of the tokens fits is no secret. All strings are ASCII."""
    return any(hmac.compare_digest(one, other) for one in expected for other in given)
