"""Texts with placeholders: `Renew {{ document.title | upper }} by {{ document.expiryDate | days: -30 | date }}`.

    template     text and placeholders in turn
    placeholder  {{ value | filter | filter: argument, argument }}
    value        a name (`names.py`), or a text in quotes: {{ "{{" }} makes two braces
    argument     a text in quotes, or a number

There is no loop, no operator and no way to call anything. Reading a template and filling it in take time linear in it
and in what it brings, within the bounds below. What is wrong with a template for every event is found
when it is read; the rest is a `TemplateError`.

A placeholder that stands alone in a text keeps the type of its value if the text is a part of JSON. Elsewhere values
are written: nothing as nothing, numbers without an exponent. Their values are escaped for the place where they go; the
template's own text is not, because its author wrote it for that place.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from msgspec import Struct

from signalpost.domain.checks import Bad, plain_text
from signalpost.domain.language import names
from signalpost.domain.language.names import NoSuchName, Subject, Type, did_you_mean, scan, shortened
from signalpost.domain.language.template_filters import (
    FILTERS,
    Argument,
    Step,
    TemplateError,
    WrongArgument,
    step_of,
)
from signalpost.domain.language.values import written

MAX_CHARACTERS: Final = 4096
"""How long a template can be."""
MAX_FILLED_CHARACTERS: Final = 65_536
"""Maximum length of the result."""
MAX_PLACEHOLDERS: Final = 64
MAX_FILTERS: Final = 8
"""How many one placeholder can have."""

Escape: TypeAlias = Callable[[str], str]
"""Makes of a text what stands for it where a template goes."""

# --- Filling in -------------------------------------------------------------------------------------------------------


class Placeholder(Struct, frozen=True):
    """A name and what is done to its value."""

    label: str
    """The name, for sentences."""
    type: Type
    read: names.Reader
    steps: tuple[Step, ...]

    def value(self, subject: Subject) -> Any:
        """What it brings. Raises TemplateError."""
        value = self.read(subject)
        try:
            for step in self.steps:
                value = step(value)
        except TemplateError as error:
            raise TemplateError(f"{self.label}: {error.detail}") from None
        return value


class Template(Struct, frozen=True):
    """A text with placeholders, ready to be filled in."""

    parts: tuple[str | Placeholder, ...]

    @property
    def placeholders(self) -> int:
        """How many there are."""
        return sum(isinstance(part, Placeholder) for part in self.parts)

    @property
    def alone(self) -> Placeholder | None:
        """The placeholder that is the whole text, if it is one."""
        match self.parts:
            case (Placeholder() as alone,):
                return alone
        return None

    def text(self, subject: Subject, escape: Escape) -> str:
        """The text for a subject. Raises TemplateError."""
        text = "".join([part if isinstance(part, str) else escape(written(part.value(subject))) for part in self.parts])
        return _within_bounds(text)

    def value(self, subject: Subject, escape: Escape) -> Any:
        """The text; if it is a single placeholder, its value with its type. Raises TemplateError."""
        if len(self.parts) == 1 and isinstance(alone := self.parts[0], Placeholder):
            return escaped(alone.value(subject), escape)
        return self.text(subject, escape)


def _within_bounds(text: str) -> str:
    if len(text) > MAX_FILLED_CHARACTERS:
        raise TemplateError(f"This comes to {len(text)} characters; at most {MAX_FILLED_CHARACTERS} are sent.")
    return text


def escaped(value: Any, escape: Escape) -> Any:
    """A value in which all texts are escaped."""
    if isinstance(value, str):
        return _within_bounds(escape(value))
    if isinstance(value, Mapping):
        return {name: escaped(member, escape) for name, member in value.items()}
    return value


# --- Reading ----------------------------------------------------------------------------------------------------------


def read_template(value: Any) -> Template:
    """The template of a text. Raises Bad, which says at which character what is wrong."""
    return _TemplateReading(plain_text(value, MAX_CHARACTERS, 0)).template()


_BLANKS = re.compile(r"\s*")
_WORD = re.compile(names.WORD)
_QUOTED = re.compile(names.QUOTED, re.DOTALL)
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?(?![0-9.])", re.ASCII)


class _TemplateReading:
    """One reading of a text, from its start to its end, without a step back."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        """The index of the character that is read next."""

    def template(self) -> Template:
        parts: list[str | Placeholder] = []
        while (start := self._text.find("{{", self._at)) >= 0:
            if start > self._at:
                parts.append(self._text[self._at : start])
            if sum(isinstance(part, Placeholder) for part in parts) == MAX_PLACEHOLDERS:
                raise _bad(start, f"A template can have at most {MAX_PLACEHOLDERS} placeholders.")
            self._at = start + 2
            parts.append(self._placeholder(start))
        if self._at < len(self._text):
            parts.append(self._text[self._at :])
        self._refuse_objects(parts)
        return Template(tuple(parts))

    def _placeholder(self, start: int) -> Placeholder:
        self._skip_blanks()
        label, type_, read = self._value()
        steps: list[Step] = []
        while self._take("|"):
            if len(steps) == MAX_FILTERS:
                raise _bad(self._at - 1, f"A placeholder can have at most {MAX_FILTERS} filters.")
            step, type_ = self._filter(label, type_)
            steps.append(step)
        if not self._take("}}"):
            raise self._unclosed(start)
        return Placeholder(label, type_, read, tuple(steps))

    def _value(self) -> tuple[str, Type, names.Reader]:
        quoted = self._quoted()
        if quoted is not None:
            return "the text", Type.TEXT, lambda _: quoted
        try:
            name, self._at = scan(self._text, self._at)
        except NoSuchName as error:
            raise _bad(error.at, error.detail) from None
        return name.text, name.type, name.read

    def _filter(self, label: str, taken: Type) -> tuple[Step, Type]:
        self._skip_blanks()
        start = self._at
        word = _WORD.match(self._text, start)
        if word is None:
            raise _bad(start, f"A filter is missing; there are {', '.join(FILTERS)}.")
        name = word[0]
        self._at = word.end()
        if name not in FILTERS:
            raise _bad(start, f"There is no filter {shortened(name)}{did_you_mean(name, FILTERS)}")
        found = FILTERS[name]
        if taken not in found.takes:
            raise _bad(start, f"{name} cannot take what comes before it: {label} is {taken.value} there.")
        if self._text.startswith("(", self._at):
            raise _bad(self._at, f"Arguments come after a colon: {found.usage}.")
        arguments_at = self._at
        arguments = self._arguments() if self._take(":") else ()
        try:
            return step_of(name, taken, arguments), found.gives(taken, arguments)
        except WrongArgument as error:
            raise _bad(arguments_at, str(error)) from None

    def _arguments(self) -> tuple[Argument, ...]:
        found = [self._argument()]
        while self._take(","):
            found.append(self._argument())
        return tuple(found)

    def _argument(self) -> Argument:
        self._skip_blanks()
        quoted = self._quoted()
        if quoted is not None:
            return quoted
        number = _NUMBER.match(self._text, self._at)
        if number is None:
            raise _bad(self._at, 'An argument is a number, or a text in quotes, such as "none".')
        self._at = number.end()
        return float(number[0]) if number[1] else int(number[0])

    def _quoted(self) -> str | None:
        if self._text[self._at : self._at + 1] not in ('"', "'"):
            return None
        match = _QUOTED.match(self._text, self._at)
        if match is None:
            raise _bad(self._at, "This quote has no end.")
        self._at = match.end()
        return names.unquoted(match[0])

    def _take(self, mark: str) -> bool:
        """Whether a mark comes next, blanks before it left aside; if so, it is read."""
        self._skip_blanks()
        if not self._text.startswith(mark, self._at):
            return False
        self._at += len(mark)
        return True

    def _skip_blanks(self) -> None:
        match = _BLANKS.match(self._text, self._at)
        self._at = match.end() if match else self._at

    def _unclosed(self, start: int) -> Bad:
        if self._at == len(self._text):
            return _bad(start, "This placeholder has no end: write }} after it.")
        return _bad(self._at, "Here | and a filter can come, or }} as the placeholder's end.")

    def _refuse_objects(self, parts: list[str | Placeholder]) -> None:
        if len(parts) < 2:
            return
        whole = next((part for part in parts if isinstance(part, Placeholder) and part.type is Type.OBJECT), None)
        if whole is not None:
            detail = f"{whole.label} is an object and cannot stand within a text; name one of its members."
            raise Bad("bad_template", detail)


def _bad(at: int, detail: str) -> Bad:
    """What is wrong at an index; people count characters from 1."""
    return Bad("bad_template", f"At {at + 1}: {detail}")
