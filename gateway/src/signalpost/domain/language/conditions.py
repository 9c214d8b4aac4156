"""Conditions: which events a subscription wants, and the sentence that says why it does not want one.

A condition is a tree: leaves that compare one value or look at how it changed, joined by `AllOf` and `AnyOf`. There is
no node for `not`: the opposite of every node is a node too (`negated`), so each can explain itself.

What `condition_reader.py` let through can be evaluated for every event, in time bounded by its 32 leaves, without an
error. What is compared with a value that is empty or of another type does not hold.

**Change.** A leaf that asks for a change compares the document with what it was before the event. Before a creation
there was nothing, so every attribute that a document is created with has changed: to what it is, and from nothing.
"""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, Final, Protocol, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from signalpost.domain.language.names import Name, Reader, Subject, former
from signalpost.domain.language.values import is_empty, is_same, shown

Holds: TypeAlias = Callable[[Any], bool]
_MAX_NAMED: Final = 3
"""How many alternatives a sentence names."""


class Condition(Protocol):
    """A node of the tree."""

    def why_not(self, subject: Subject) -> str | None:
        """A sentence for people if the event is not wanted, None if it is."""

    def is_met(self, subject: Subject) -> bool:
        """Whether the event is wanted, for a third of the price of the sentence."""

    def names(self) -> Iterator[Name]:
        """What the condition looks at."""

    def negated(self) -> "Condition":
        """The condition that wants exactly what this one does not want."""


class AllOf(Struct, frozen=True):
    """Every part must be met."""

    parts: tuple[Condition, ...]

    def why_not(self, subject: Subject) -> str | None:
        for part in self.parts:
            why = part.why_not(subject)
            if why is not None:
                return why
        return None

    def is_met(self, subject: Subject) -> bool:
        for part in self.parts:  # noqa: SIM110 - a loop takes half as long as `all`
            if not part.is_met(subject):
                return False
        return True

    def names(self) -> Iterator[Name]:
        return chain.from_iterable(part.names() for part in self.parts)

    def negated(self) -> Condition:
        return AnyOf(tuple(part.negated() for part in self.parts))


class AnyOf(Struct, frozen=True):
    """At least one part must be met."""

    parts: tuple[Condition, ...]

    def why_not(self, subject: Subject) -> str | None:
        whys: list[str] = []
        for part in self.parts:
            why = part.why_not(subject)
            if why is None:
                return None
            whys.append(why)
        return _none_of(whys)

    def is_met(self, subject: Subject) -> bool:
        for part in self.parts:  # noqa: SIM110 - as above
            if part.is_met(subject):
                return True
        return False

    def names(self) -> Iterator[Name]:
        return chain.from_iterable(part.names() for part in self.parts)

    def negated(self) -> Condition:
        return AllOf(tuple(part.negated() for part in self.parts))


def _none_of(whys: list[str]) -> str:
    if len(whys) == 1:
        return whys[0]
    named = [why.rstrip(".") for why in whys[:_MAX_NAMED]]
    more = [f"{len(whys) - _MAX_NAMED} more"] if len(whys) > _MAX_NAMED else []
    return f"None of {len(whys)} alternatives is met: {'; '.join(named + more)}."


class Comparison(Struct, frozen=True):
    """A value is what it should be."""

    name: Name
    holds: Holds
    unmet: str
    """How the sentence goes on after "document.status is 'approved'" if it does not hold: ", not 'executed'"."""
    met: str
    """How it goes on if it holds and should not: ", which is excluded"."""
    wanted: bool = True

    def why_not(self, subject: Subject) -> str | None:
        value = self.name.read(subject)
        if self.holds(value) is self.wanted:
            return None
        return f"{self.name.text} is {shown(value)}{self.unmet if self.wanted else self.met}."

    def is_met(self, subject: Subject) -> bool:
        return self.holds(self.name.read(subject)) is self.wanted

    def names(self) -> Iterator[Name]:
        yield self.name

    def negated(self) -> Condition:
        return replace(self, wanted=not self.wanted)


class Change(Struct, frozen=True):
    """A value was changed by the event, from one that may be asked for to one that may be asked for."""

    name: Name
    was: Reader
    """Reads what the value was before."""
    holds_from: Holds | None = None
    from_text: str = ""
    """What it should have changed from, as the sentence shows it."""
    holds_to: Holds | None = None
    to_text: str = ""
    wanted: bool = True

    def why_not(self, subject: Subject) -> str | None:
        why = self._why_unmet(subject)
        if (why is None) is self.wanted:
            return None
        return why or f"{self.name.text} changed{self._asked()}."

    def is_met(self, subject: Subject) -> bool:
        return (self._why_unmet(subject) is None) is self.wanted

    def names(self) -> Iterator[Name]:
        yield from (self.name, former(self.name))

    def _why_unmet(self, subject: Subject) -> str | None:
        value, former = self.name.read(subject), self.was(subject)
        if is_same(value, former) or (is_empty(value) and is_empty(former)):
            return f"{self.name.text} did not change; it is {shown(value)}."
        if self.holds_to is not None and not self.holds_to(value):
            return f"{self.name.text} changed to {_end(value)}, not to {self.to_text}."
        if self.holds_from is not None and not self.holds_from(former):
            return f"{self.name.text} changed from {_end(former)}, not from {self.from_text}."
        return None

    def _asked(self) -> str:
        return (f" from {self.from_text}" if self.from_text else "") + (f" to {self.to_text}" if self.to_text else "")

    def negated(self) -> Condition:
        return replace(self, wanted=not self.wanted)


def _end(value: Any) -> str:
    """What a value changed from or to, as the sentence shows it."""
    return "nothing" if is_empty(value) else shown(value)
