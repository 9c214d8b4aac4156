"""Templates whose result must be a date or a number. They are tried when they are saved.

A template is filled in with specimen documents, which have a value of the right type for every name, and its outcome is
looked at. So `{{ document.title }}` is refused where a date belongs, and so is `{{ document.expiryDate }}` where only a
day does, because that date may come with a time. Facts have no type before they are there (C11); a specimen has one
that fits, and what a document really has is seen when its event is sent.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any, Final

from msgspec import Struct

from signalpost.domain.checks import Bad
from signalpost.domain.language import values
from signalpost.domain.language.names import Subject, Type, all_names
from signalpost.domain.language.template_filters import TemplateError
from signalpost.domain.language.templates import Template, read_template

_SAMPLES: Final[dict[Type, Any]] = {
    Type.TEXT: "Service Agreement",
    Type.NUMBER: 12500.5,
    Type.STATUS: "executed",
    Type.EVENT_TYPE: "documentUpdated",
    Type.NOTICE_KIND: "diskLow",
    Type.SEVERITY: "critical",
    Type.LINK: "https://example.com/7.1",
}
_DAY: Final = "2027-01-31"
_MOMENT: Final = "2027-01-31T13:00:00+00:00"


class WantedType(Struct, frozen=True):
    """The type that the result of a template must have."""

    said: str
    """What to write, as the end of a sentence."""
    fits: Callable[[Any], bool]
    fact: str
    """What a fact is taken to be; one that fits."""
    code: str
    """The code of the error if a text without placeholders is not of that type."""


def _is_day(value: Any) -> bool:
    return _is_moment(value) and len(value.strip()) in (0, values.DAY_CHARACTERS)


def _is_moment(value: Any) -> bool:
    text = value.strip() if isinstance(value, str) else None
    return text == "" or values.as_moment(text) is not None


def _is_number(value: Any) -> bool:
    return values.as_number(value) is not None


A_DAY: Final = WantedType(
    "a day without a time here, such as 2027-01-31 or {{ document.expiryDate | date }}", _is_day, _DAY, "bad_date"
)
A_MOMENT: Final = WantedType(
    "a date or a timestamp here, such as 2027-01-31 or {{ document.expiryDate | date }}", _is_moment, _DAY, "bad_date"
)
A_NUMBER: Final = WantedType(
    "a number here, such as 1234.5 or {{ document.contractValue }}", _is_number, "100", "bad_number"
)


def checked_to_be(wanted: WantedType) -> Callable[[str], str]:
    """The check of a template whose result must have the wanted type. It is no error if a document has no value for
    it."""

    def check(text: str) -> str:
        template = read_template(text)
        if not template.placeholders:
            if not wanted.fits(text):
                raise Bad(wanted.code, f"Write {wanted.said}.")
            return text
        for outcome in _outcomes(template, wanted.fact):
            if not values.is_empty(outcome) and not wanted.fits(outcome):
                at = text.index("{{") + 1
                raise Bad("bad_template", f"At {at}: This can become {values.shown(outcome)}. Write {wanted.said}.")
        return text

    return check


def _outcomes(template: Template, fact: str) -> Iterator[Any]:
    """What a template makes of sample values. The default for an empty value shows only if the placeholder is the whole
    text."""
    specimens = (_specimen(_DAY, fact), _specimen(_MOMENT, fact))
    for specimen in (*specimens, _EMPTY) if template.alone else specimens:
        with suppress(TemplateError):  # it depends on the document, and the delivery will say so
            yield template.value(specimen, lambda brought: brought)


# --- Specimens --------------------------------------------------------------------------------------------------------


class _AnyFact(dict[str, str]):
    """Facts in which every name exists, with the same value."""

    def __init__(self, value: str) -> None:
        super().__init__({"a fact": value})
        self._value = value

    def get(self, _: str, default: Any = None) -> Any:
        return self._value


@cache
def _specimen(moment: str, fact: str) -> Subject:
    """An event about a document in which every name has a value of its type."""
    roots: dict[str, dict[str, Any]] = {"document": {}, "before": {}, "event": {}, "notice": {}}
    samples = {**_SAMPLES, Type.MOMENT: moment}
    for name in all_names("a fact"):
        root, *way = name.path
        if name.type in samples:
            place = roots[root]
            for step in way[:-1]:
                place = place.setdefault(step, {})
            place[way[-1]] = samples[name.type]
    for root in ("document", "before"):
        roots[root]["additionalFacts"] = _AnyFact(fact)
    event = {**roots["event"], "data": {"document": roots["document"], "notice": roots["notice"]}}
    return Subject(event=event, before=roots["before"], made=_AnyFact(_SAMPLES[Type.TEXT]))


_EMPTY: Final = Subject(
    event={"id": "", "type": "documentCreated", "createdAt": _MOMENT, "data": {"document": {}}}, before={}, made={}
)
"""An event about a document without any attributes, which shows what a template has in place of each."""
