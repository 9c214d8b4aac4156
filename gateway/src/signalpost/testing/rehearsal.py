"""Plays the gateway's part with a kind of destination, without a network: for the tests of its author."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from signalpost.destinations.destination import Call, Context, Destination, Reply, Ruling, Skip, Then
from signalpost.destinations.fields import filled
from signalpost.destinations.registry import Destinations, usable
from signalpost.domain.errors import Invalid


class PlayedAttempt(Struct, frozen=True):
    """How an attempt went."""

    calls: tuple[Call, ...]
    """The calls that were made, in their order."""
    end: Skip | Ruling
    """The outcome of the attempt. It is a `Then` if there was no reply for a further call."""


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
            self._config = kinds.read_config(self.kind.kind, dict(config), self.connection)
        except Invalid as refused:
            refused.add_note("\n".join(f"{error.pointer} {error.detail}" for error in refused.errors))
            raise

    def filled(self, context: Context) -> Any:
        """The config with its placeholders filled in for an event. Raises TemplateError."""
        return filled(self._config, context, self.kind.escape)

    def prepare(self, context: Context) -> Call | Skip:
        """What the kind makes of an event."""
        return self.kind.prepare(self.connection, self.filled(context), context)

    def classify(self, context: Context, call: Call, reply: Reply) -> Ruling:
        """What the kind makes of a reply."""
        return self.kind.classify(self.connection, self.filled(context), context, call, reply)

    def play(self, context: Context, *replies: Reply) -> PlayedAttempt:
        """An attempt in which the vendor answers one call after another with these replies."""
        end: Skip | Ruling | Call = self.prepare(context)
        calls: list[Call] = []
        coming = iter(replies)
        while isinstance(end, Call | Then):
            call = end if isinstance(end, Call) else end.call
            reply = next(coming, None)
            if reply is None:
                return PlayedAttempt((*calls, call), Then(call))
            calls.append(call)
            end = self.classify(context, call, reply)
        return PlayedAttempt(tuple(calls), end)
