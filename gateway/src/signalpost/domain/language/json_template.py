"""JSON in which every text is a template: `{"amount": "{{ document.contractValue }}", "tags": ["signed"]}`.

The names of members are not templates. A placeholder that is the whole text keeps its type, so it can insert a number,
null, or a whole object such as `{{ event }}`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from signalpost.domain.checks import Bad, Several, each, is_number, number, plain_text
from signalpost.domain.errors import Invalid
from signalpost.domain.language.names import Subject
from signalpost.domain.language.template_filters import TemplateError
from signalpost.domain.language.templates import MAX_PLACEHOLDERS, Escape, read_template

MAX_DEPTH: Final = 16
MAX_VALUES: Final = 1000
"""How many values there can be in all, objects and lists counted."""
MAX_FILLED_BYTES: Final = 1 << 20
"""Maximum size of the result in bytes; an event is not larger either (C13)."""

Fill: TypeAlias = Callable[[Subject, Escape], Any]
"""Makes a value for a subject. Raises TemplateError."""


class JsonTemplate:
    """A JSON value, ready to be filled in."""

    def __init__(self, fill: Fill) -> None:
        self._fill = fill

    def value(self, subject: Subject, escape: Escape) -> Any:
        """The JSON for a subject. Raises TemplateError."""
        value = self._fill(subject, escape)
        size = len(msgspec.json.encode(value))
        if size > MAX_FILLED_BYTES:
            raise TemplateError(f"This comes to {size} bytes of JSON; at most {MAX_FILLED_BYTES} are sent.")
        return value


def read_json_template(value: Any) -> JsonTemplate:
    """The template of a JSON value. Raises Bad or Several, which name everything that is wrong."""
    try:
        return JsonTemplate(_JsonTemplateReading().read(value, 1))
    except _TemplateTooLarge as error:
        raise Bad("too_many", str(error)) from None


class _TemplateTooLarge(Exception):
    """There is more than may be; the rest is not looked at. The message is a sentence."""


class _JsonTemplateReading:
    """Counts while it reads."""

    def __init__(self) -> None:
        self._values = 0
        self._placeholders = 0
        self._refused = 0

    def read(self, value: Any, depth: int) -> Fill:
        if self._refused >= Invalid.MAX_NAMED:
            return _never  # enough is named, and so much is wrong that nothing comes of this reading
        try:
            return self._read(value, depth)
        except Bad:
            self._refused += 1
            raise

    def _read(self, value: Any, depth: int) -> Fill:
        self._values += 1
        if self._values > MAX_VALUES:
            raise _TemplateTooLarge(f"There can be at most {MAX_VALUES} values in all.")
        if depth > MAX_DEPTH:
            raise Bad("too_deep", f"JSON can be nested {MAX_DEPTH} deep here.")
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            return self._object(value, depth)
        if isinstance(value, list | tuple):
            return self._list(value, depth)
        constant = _number(value) if is_number(value) else value
        return lambda _, __: constant

    def _text(self, text: str) -> Fill:
        template = read_template(text)
        self._placeholders += template.placeholders
        if self._placeholders > MAX_PLACEHOLDERS:
            raise _TemplateTooLarge(f"There can be at most {MAX_PLACEHOLDERS} placeholders in all.")
        return template.value if template.placeholders else lambda _, __: text

    def _object(self, value: Mapping[str, Any], depth: int) -> Fill:
        members, bads = dict[str, Fill](), list[Bad]()
        for name, member in value.items():
            try:
                members[_member_name(name)] = self.read(member, depth + 1)
            except (Bad, Several) as bad:
                bads += bad.under(name)
        if bads:
            raise Several(bads)
        return lambda subject, escape: {name: named(name, fill, subject, escape) for name, fill in members.items()}

    def _list(self, value: Sequence[Any], depth: int) -> Fill:
        entries = each(lambda entry: self.read(entry, depth + 1), 0, MAX_VALUES)(value)
        return lambda subject, escape: [named(str(index), fill, subject, escape) for index, fill in enumerate(entries)]


def _never(subject: Subject, escape: Escape) -> Any:
    raise AssertionError


_number = number(None, None)


def _member_name(name: str) -> str:
    if "{{" in plain_text(name, least=0):
        raise Bad("bad_template", "A member's name cannot have placeholders; put them into its value.")
    return name


def named(name: str, fill: Fill, subject: Subject, escape: Escape) -> Any:
    """What a value that stands under a name is filled to. Its errors say so."""
    try:
        return fill(subject, escape)
    except TemplateError as error:
        raise error.under(name) from None
