"""Kinds of other distributions, good and bad, as entry points find them."""

from typing import Any

from signalpost.destinations.calls import Call, Skip
from signalpost.destinations.destination import Context, Destination
from signalpost.domain.body import Body


class Nothing(Body, frozen=True, kw_only=True):
    """A struct without members."""


class Pigeon(Destination[Nothing, Nothing]):
    """A kind that works."""

    kind = "pigeon"
    title = "Pigeon"
    connection = Nothing
    config = Nothing

    def origins(self, connection: Nothing) -> tuple[str, ...]:
        return ("https://pigeon.example",)

    def prepare(self, connection: Nothing, config: Nothing, context: Context) -> Call | Skip:
        return Call(url="https://pigeon.example/fly", json=context.key)


class OldPigeon(Pigeon):
    kind = "old_pigeon"
    api = 0


class FalseSlack(Pigeon):
    kind = "slack"


class FalseWebhook(Pigeon):
    kind = "webhook"


class FalsePoll(Pigeon):
    kind = "poll"


class Loud(Pigeon):
    kind = "LOUD!"


class Plain(Pigeon):
    kind = "plain"
    config = dict  # type: ignore[assignment]


class Endless(Body, frozen=True, kw_only=True):
    """A struct of which no check can be made: nothing says how long the list may be."""

    texts: list[str]


class Unchecked(Pigeon):
    kind = "unchecked"
    config = Endless  # type: ignore[assignment]


class Clumsy(Pigeon):
    kind = "clumsy"

    def check(self, connection: Any, config: Any) -> None:
        raise RuntimeError("secret-canary")


class Unbounded(Pigeon):
    kind = "unbounded"
    rate = (0, 1.0)


class Crowded(Pigeon):
    kind = "crowded"
    at_once = 0


class Slow(Pigeon):
    kind = "slow"
    seconds = 3600.0


class Breaking(Pigeon):
    kind = "breaking"

    def __init__(self) -> None:
        raise RuntimeError("It breaks when it is made.")


no_class = Pigeon()
