"""Events as conditions and placeholders look at them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypedDict

import msgspec

from signalpost.domain.event import Event, PastEvent
from signalpost.domain.language.names import ROOTS, Name, Subject

NOT_SENT: Final = "Not sent: "
_decode = msgspec.json.Decoder().decode


def subject_of(event: Event | PastEvent, made: Mapping[str, str] | None = None) -> Subject:
    """What conditions and placeholders look at. `made` is what the last delivery for the document made."""
    return Subject(event=_decode(event.body), before=_decode(event.before) if event.before else {}, made=made or {})


SubjectReader = Callable[[PastEvent, Mapping[str, str]], Subject]
"""Reads an event, given what the last delivery for its document made."""


def reader_of(names: Iterable[Name]) -> SubjectReader:
    """Reads what `subject_of` does, for those who look at nothing but these names. All else in an event is skipped,
    which takes less than half as long."""
    below: Mapping[str, set[str]] = {root: set() for root in ROOTS}
    for name in names:
        below[name.path[0]].add(name.path[1])
    document, notice = _object(*below["document"], *below["before"]), _object(*below["notice"])
    data = _object(document=document | None, notice=notice)
    decode = msgspec.json.Decoder(_object("type", *below["event"], data=data)).decode
    looks_before = bool(below["before"])

    def read(event: PastEvent, made: Mapping[str, str]) -> Subject:
        before = _decode(event.before) if looks_before and event.before else {}
        return Subject(event=decode(event.body), before=before, made=made)

    return read


def _object(*members: str, **typed: Any) -> Any:
    """The type of an object of which these members alone are read."""
    make: Any = TypedDict
    return make("_Object", dict.fromkeys(members, Any) | typed, total=False)


def texts_of(subject: Subject) -> list[str]:
    """Every text of the document or the notice, of its former values and of what was made for it."""
    left: list[Any] = [subject.document, subject.notice, subject.before, subject.made]
    texts = []
    while left:
        match left.pop():
            case str(text):
                texts.append(text)
            case Mapping() as members:
                left += members.values()
    return texts


def not_sent(why: str) -> str:
    """The sentence for a delivery whose event is not wanted."""
    return f"{NOT_SENT}{why}"


def no_longer_sent(why: str) -> str:
    """The sentence for a delayed delivery whose event is no longer wanted when its time has come."""
    return f"Not sent: by now {why}"
