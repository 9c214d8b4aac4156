"""What a vendor's reply, or a mail server's answer, means for a delivery."""

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from signalpost.destinations.calls import Call, Reply

DAY: Final = 24 * 3600
_ENHANCED_CODE: Final = re.compile(r"\b5\.[0-9]{1,3}\.[0-9]{1,3}\b")
"""The precise cause that most mail servers name (RFC 3463)."""


class Done(Struct, frozen=True, kw_only=True):
    """The vendor did what was asked."""

    detail: str = ""
    made: Mapping[str, str] | UnsetType = UNSET
    """What to remember for the document's next events: an id, a link. Without it, what was remembered stays."""


class Retry(Struct, frozen=True):
    """A failure that may pass; it counts as the webhook's failures do (C16)."""

    detail: str
    after: float | None = None
    """Seconds that the vendor asked to wait."""


class Throttle(Struct, frozen=True):
    """The vendor limits our calls: everything of this connection waits, and nothing is counted."""

    detail: str
    after: float = 60.0
    """Seconds; a day at most."""


class Reject(Struct, frozen=True):
    """The vendor refuses this event, and would again: it fails at once and can be replayed once the cause is fixed."""

    code: str
    """The vendor's name for the cause, such as `invalid_blocks`. Ten in a row with one disable a subscription."""
    detail: str


class Reauthorise(Struct, frozen=True):
    """The vendor no longer takes the authorisation. With a token that can be renewed, the delivery waits for the next
    token; otherwise the subscriptions of the connection are disabled until a person fixes it."""

    detail: str


class Then(Struct, frozen=True):
    """The attempt goes on with another call."""

    call: Call


FinalRuling: TypeAlias = Done | Retry | Throttle | Reject | Reauthorise
"""What a reply means with which an attempt ends."""
Ruling: TypeAlias = FinalRuling | Then
"""What a reply means."""


def by_status(reply: Reply) -> Ruling:
    """What a reply means if only its status counts."""
    status = reply.status
    if reply.is_success:
        return Done()
    detail = f"The vendor answered {status}."
    if status == 429:
        return Throttle(detail, retry_after(reply) or 60.0)
    if status == 401:
        return Reauthorise(detail)
    if status >= 500 or status in (408, 425):
        return Retry(detail, retry_after(reply))
    return Reject(str(status), detail)


def by_mail_status(status: int, said: str) -> FinalRuling:
    """What a mail server's answer means, by its code (RFC 5321, RFC 4954). `said` is a sentence with its words."""
    if 200 <= status < 300:
        return Done(detail=said)
    if status in (421, 454):  # it ends the conversation, or cannot let anyone in for now
        return Throttle(said)
    if status in (530, 534, 535, 538):
        return Reauthorise(said)
    if status >= 500:
        code = _ENHANCED_CODE.search(said)
        return Reject(str(status) if code is None else code[0], said)
    return Retry(said)


def retry_after(reply: Reply) -> float | None:
    """The seconds of the header `retry-after`; None if there is none, or it is not a number from 0 to a day."""
    text = reply.headers.get("retry-after", "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 6 and int(text) <= DAY else None
