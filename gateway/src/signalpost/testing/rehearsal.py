"""Plays the gateway's part with a kind of destination, without a network: for the tests of its author."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from signalpost.destinations.calls import Call, Mail, Reply, Skip
from signalpost.destinations.destination import Context, Destination
from signalpost.destinations.fields import Filling
from signalpost.destinations.registry import Destinations, usable
from signalpost.destinations.rulings import Reject, Ruling, Then, by_mail_status
from signalpost.domain.errors import Invalid


class PlayedAttempt(Struct, frozen=True):
    """How an attempt went."""

    calls: tuple[Call | Mail, ...]
    """The calls that were made, in their order."""
    end: Skip | Ruling | Mail
    """The outcome of the attempt. It is a `Then` if there was no reply for a further call, and the mail itself if there
    was none for that."""


class Rehearsal:
    """A kind, with the config of a connection and of a subscription."""

    def __init__(
        self, kind: type[Destination[Any, Any]], connection: Mapping[str, Any], config: Mapping[str, Any]
    ) -> None:
        """Both come as JSON, as a client sends them. Raises Invalid, which names every bad member by its pointer, and
        UnusableKind or what the kind's own code raises if no gateway could use it."""
        self.kind = usable(kind, {})
        kinds = Destinations([self.kind])
        try:
            self.connection = kinds.read_connection(self.kind.kind, dict(connection))
            self._filling = Filling(kinds.read_config(self.kind.kind, dict(config), self.connection))
        except Invalid as refused:
            refused.add_note("\n".join(f"{error.pointer} {error.detail}" for error in refused.errors))
            raise

    def filled(self, context: Context) -> Any:
        """The config with its placeholders filled in for an event. Raises TemplateError."""
        return self._filling.filled(context, self.kind.escape)

    def prepare(self, context: Context) -> Call | Mail | Skip | Reject:
        """What the kind makes of an event."""
        return self.kind.prepare(self.connection, self.filled(context), context)

    def classify(self, context: Context, call: Call | Mail, reply: Reply) -> Ruling:
        """What the kind makes of a reply; of a mail server's, whose code and words are status and body, what the
        gateway does."""
        if isinstance(call, Mail):
            return by_mail_status(reply.status, reply.body.decode("utf-8", "replace"))
        return self.kind.classify(self.connection, self.filled(context), context, call, reply)

    def play(self, context: Context, *replies: Reply) -> PlayedAttempt:
        """An attempt in which the vendor answers one call after another with these replies."""
        end: Skip | Ruling | Call | Mail = self.prepare(context)
        calls: list[Call | Mail] = []
        coming = iter(replies)
        while isinstance(end, Call | Mail | Then):
            call = end.call if isinstance(end, Then) else end
            reply = next(coming, None)
            if reply is None:
                return PlayedAttempt((*calls, call), call if isinstance(call, Mail) else Then(call))
            calls.append(call)
            end = self.classify(context, call, reply)
        return PlayedAttempt(tuple(calls), end)
