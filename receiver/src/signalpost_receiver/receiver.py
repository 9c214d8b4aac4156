"""A receiver of webhooks: `Receiver(secrets=[…]).verify(body, headers)` gives an `Event`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from .envelope import Hints, parse
from .errors import ConfigError, InFuture, TooLarge, TooOld, UsageError
from .event import MAX_BODY_BYTES, Event
from .headers import Headers, number, read_headers
from .sign import ATTEMPT, REPLAY, SEQUENCE, TEST
from .verify import Verifier

DEFAULT_MAX_AGE = timedelta(hours=1)
DEFAULT_SKEW = timedelta(seconds=60)


class Receiver:
    """Verifies and reads the requests of one subscription. `verify` is pure and safe to share between threads.

    `secrets` is the subscription's secret, or during a rotation both (C21): a request is genuine if any of its
    signatures fits any of them.

    `max_age` refuses requests that were signed longer ago than that, and those signed more than `skew` ahead of this
    machine's clock. The signed time is that of the attempt (`webhook-timestamp`), which retries and replays renew, so
    they are never too old. A request with `plexus-webhook-signature` alone has no signed time but the event's
    `createdAt`, which they do not renew: late ones are refused. None checks no time.

    `max_body_bytes` caps what is hashed. `clock` gives seconds since the epoch.

    Raises ConfigError for a secret or a limit that can never work or would not be safe.
    """

    def __init__(
        self,
        *,
        secrets: str | Sequence[str],
        max_age: timedelta | None = DEFAULT_MAX_AGE,
        skew: timedelta = DEFAULT_SKEW,
        max_body_bytes: int = MAX_BODY_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if max_age is not None:
            _require_span("max_age", max_age)
        _require_span("skew", skew, least=timedelta(0))
        if max_body_bytes <= 0:
            raise ConfigError("max_body_bytes must be positive")
        self._verifier = Verifier(secrets)
        self._max_age_s = None if max_age is None else max_age.total_seconds()
        self._skew_s = skew.total_seconds()
        self._max_body_bytes = max_body_bytes
        self._clock = clock

    def verify(self, body: bytes, headers: Headers) -> Event:
        """The event of a genuine request. `body` is the request's body exactly as it arrived.

        Whatever the bytes and the headers, it raises nothing but VerificationError, ReplayError and PayloadError, to
        be answered with their `status`, and UsageError for a body that is not bytes.
        """
        body = self._raw(body)
        found = read_headers(headers)
        signed_at = self._verifier.check(body, found)
        if signed_at is not None:
            self._check_age(signed_at)
        event = parse(body, _hints(found))
        if signed_at is None:
            self._check_age(event.created_at.timestamp())
        return event

    def _raw(self, body: object) -> bytes:
        if isinstance(body, memoryview):
            body = body.tobytes() if body.nbytes <= self._max_body_bytes else bytes(self._max_body_bytes + 1)
        if not isinstance(body, (bytes, bytearray)):
            raise UsageError(
                f"the body is {type(body).__name__}, not bytes: give the request's raw body, before anything parses it"
            )
        if len(body) > self._max_body_bytes:
            raise TooLarge(f"the body is longer than {self._max_body_bytes} bytes")
        return bytes(body)

    def _check_age(self, signed_at: float) -> None:
        if self._max_age_s is None:
            return
        age = self._clock() - signed_at
        if age > self._max_age_s:
            raise TooOld("the request was signed too long ago")
        if -age > self._skew_s:
            raise InFuture("the request was signed ahead of this machine's clock")


def _hints(headers: dict[str, str]) -> Hints:
    return Hints(
        number(headers.get(SEQUENCE)),
        number(headers.get(ATTEMPT)),
        headers.get(REPLAY) == "true",
        headers.get(TEST) == "true",
    )


def _require_span(name: str, span: object, least: timedelta = timedelta(microseconds=1)) -> None:
    if not isinstance(span, timedelta):
        raise ConfigError(f"{name} must be a timedelta")
    if span < least:
        raise ConfigError(f"{name} must be positive" if least else f"{name} must not be negative")
