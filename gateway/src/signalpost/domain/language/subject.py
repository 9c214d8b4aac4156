"""Events as conditions and placeholders look at them."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from signalpost.domain.event import Event
from signalpost.domain.language.names import Subject

NOT_SENT: Final = "Not sent: "
_decode = msgspec.json.Decoder().decode


def subject_of(event: Event, made: Mapping[str, str] | None = None) -> Subject:
    """What conditions and placeholders look at. `made` is what the last delivery for the document made."""
    return Subject(event=_decode(event.body), before=_decode(event.before) if event.before else {}, made=made or {})


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
