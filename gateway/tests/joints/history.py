"""What was asked and seen in a world, as the model wants it."""

from collections.abc import Callable
from typing import Any, Literal

from gateway.tests.answer import Answer
from gateway.tests.world.model.log import LoggedEvent
from gateway.tests.world.model.wishes import Wish

Caller = Literal["operator", "subscriber", "guest"]
"""Who calls: with the operator's key, with a key of the role subscriber, or in the portal."""


class ClientCall:
    """A call of the API, with all its repeats: what a client does that has no answer yet."""

    __slots__ = (
        "about",
        "answer",
        "as_it_is",
        "begun",
        "body",
        "by",
        "done_at",
        "key",
        "method",
        "on_done",
        "path",
        "what",
    )

    def __init__(
        self,
        what: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        about: object = None,
        as_it_is: bytes | None = None,
        on_done: Callable[["ClientCall"], None] | None = None,
        by: Caller = "operator",
    ) -> None:
        self.what = what
        self.method = method
        self.path = path
        self.body = body
        self.as_it_is = as_it_is
        self.about = about
        """What must not be changed by anybody else meanwhile: a subscription or a document."""
        self.on_done = on_done
        self.by = by
        self.key = ""
        self.begun = 0.0
        self.done_at = float("inf")
        self.answer: Answer | None = None

    @property
    def is_done(self) -> bool:
        """Whether it was answered with a success."""
        return self.answer is not None and self.answer.status < 300

    @property
    def event_id(self) -> str | None:
        """The event that it made, as its answer says."""
        return None if self.answer is None else self.answer.headers.get("signalpost-event")

    def __repr__(self) -> str:
        end = "" if self.answer is None else f" → {self.answer.status}"
        by = "" if self.by == "operator" else f" by {self.by}"
        return f"{self.what}{by}{end}"


class Attempt:
    """A request with an event, on its way to a subscription's endpoint or to its vendor."""

    __slots__ = (
        "at",
        "body",
        "certificate",
        "ended_at",
        "event",
        "headers",
        "is_lost",
        "is_rejected",
        "is_replay",
        "is_uncounted",
        "number",
        "ok",
        "process",
        "url",
        "wish",
    )

    def __init__(
        self,
        wish: Wish,
        event: LoggedEvent,
        at: float,
        process: int,
        url: str,
        headers: dict[str, str],
        body: bytes,
        certificate: bytes = b"",
    ) -> None:
        self.wish = wish
        self.event = event
        self.at = at
        self.process = process
        self.url = url
        self.headers = headers
        self.body = body
        self.certificate = certificate
        """The chain of the client certificate that was offered; empty if none was."""
        self.ended_at = float("inf")
        self.ok: bool | None = None
        """Whether the process learned that it was taken; None while it is under way, or if the process ended before."""
        self.is_lost = False
        """Whether the process knows that it will never learn that."""
        self.is_uncounted = False
        """Whether a vendor let no one in, or wanted fewer calls: then the attempt does not count."""
        self.is_rejected = False
        """Whether a vendor said that it will never take it."""
        self.is_replay = "signalpost-replay" in headers
        self.number = int(headers.get("signalpost-attempt", 0))

    def __repr__(self) -> str:
        end = {True: " taken", False: " failed", None: ""}[self.ok]
        again = " again" if self.is_replay else ""
        return f"event {self.event.sequence}{again} to {self.wish} at {self.at:.3f}{end}"
