"""The access token of a connection in memory, what is known of the one before it, and when another one may be asked
for."""

from random import Random
from typing import Final

from msgspec import Struct

from signalpost.domain.timestamps import SECOND
from signalpost.engine.connectors.token_endpoints import Unanswered
from signalpost.runtime.clock import Clock

RENEWED_BEFORE: Final = 60 * SECOND
"""How long before its end a token is replaced; one that is good for less than twice that, after half of its time."""
RENEWED_AGAIN_AFTER: Final = 60 * SECOND
"""How long after a token was replaced because a call was refused none is replaced for that again. A vendor may refuse
one path with 401 whatever the token, while others take it: each of its calls would ask for a new token."""
WAIT_FIRST: Final = 1 * SECOND
WAIT_LAST: Final = 300 * SECOND


class Token(Struct):
    """An access token in memory."""

    value: str
    renew_at: int | None
    """µs of the wall clock; None if the vendor did not say how long it is good."""
    was_accepted: bool = False
    """Whether a vendor has accepted it before, so that a later refusal means that it has expired."""

    def __repr__(self) -> str:
        return "Token(…)"


def token_until(ends_at: int | None, value: str, now: int, *, was_accepted: bool = False) -> Token:
    """A token that the vendor takes until a moment, if it said so."""
    if ends_at is None:
        return Token(value, None, was_accepted)
    return Token(value, ends_at - min(RENEWED_BEFORE, max(0, ends_at - now) // 2), was_accepted)


class AccessToken:
    """The token that calls carry, of which there may be none."""

    def __init__(self, clock: Clock, token: Token | None) -> None:
        self._clock = clock
        self._token = token
        self._dropped = ""
        """The last token, which is no longer used: an answer to a call that carried it may still come."""
        self._replaced_until = 0
        """Until when a refused call says nothing about the token, steady µs; see `RENEWED_AGAIN_AFTER`."""

    @property
    def current(self) -> Token | None:
        """The token, if it is good for a while yet."""
        token = self._token
        if token is None or token.renew_at is None or self._clock.wall() < token.renew_at:
            return token
        return None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The tokens that must never be shown."""
        return (self._dropped, *(() if self._token is None else (self._token.value,)))

    def renew(self, token: Token) -> None:
        """Go on with a token that takes the place of one whose time is over."""
        self._token = token

    def replace(self, token: Token | None) -> None:
        """Go on with the token of other credentials, or with none: what a refused call says counts from now on."""
        self._replaced_until = 0
        self._drop(token)

    def follow(self, token: Token | None) -> None:
        """Go on with the token that is kept from now on."""
        self._drop(token)

    def note_new(self, value: str) -> None:
        """Note that the vendor has just given this token."""
        if self._token is not None and self._token.value == value:
            self._token.was_accepted = False

    def note_accepted(self, authorization: str | None) -> None:
        """Note that the vendor accepted a call with this authorisation."""
        token = self._token
        if token is not None and authorization == f"Bearer {token.value}":
            token.was_accepted = True

    def refuse(self, authorization: str | None) -> bool:
        """Drop the token that the vendor did not accept, unless one was dropped for that a moment ago. Returns whether
        that says nothing about the event, because the token had expired or was replaced meanwhile."""
        token = self._token
        if token is None or authorization != f"Bearer {token.value}":
            return True
        now = self._clock.steady()
        if now < self._replaced_until:
            return False
        self._replaced_until = now + RENEWED_AGAIN_AFTER
        self._drop(None)
        return token.was_accepted

    def _drop(self, token: Token | None) -> None:
        if self._token is not None:
            self._dropped = self._token.value
        self._token = token


class Patience:
    """When a vendor that gave no token may be asked again: after 1 s, and each time twice as long, up to 5 minutes."""

    def __init__(self, clock: Clock, random: Random) -> None:
        self._clock = clock
        self._random = random
        self._failures = 0
        self.until = 0
        """Steady µs."""

    def note_failure(self, failed: Unanswered) -> None:
        """Wait for longer than the last time, and for as long as the vendor asked for."""
        wait = min(WAIT_FIRST << min(self._failures, 20), WAIT_LAST)
        wait = max(round(wait * (1 - self._random.random() / 2)), round(min(failed.wait * SECOND, WAIT_LAST)))
        self._failures += 1
        self.until = self._clock.steady() + max(wait, WAIT_FIRST)

    def note_success(self) -> None:
        """Begin with a short wait after the next failure."""
        self._failures = 0

    def end(self) -> None:
        """Ask at once."""
        self._failures = self.until = 0
