"""Texts with placeholders, as the gateway's destinations have them: `{{ body.title | default: "Untitled" }}`.

    template     text and placeholders in turn
    placeholder  {{ value | filter | filter: argument, argument }}
    value        a path such as body.contract.title or body["a name"], or a text in quotes
    argument     a text in quotes, or a number

A placeholder that is the whole text keeps the type of its value, so that it can insert a number, null or an object.
What is wrong with a template for every message is found when it is read. What a message lacks is a `NotThere`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeAlias

Subject: TypeAlias = Mapping[str, Any]
"""What the first words of paths stand for."""
Fill: TypeAlias = Callable[[Subject], Any]
"""Makes a value for a subject. Raises NotThere."""
_Step: TypeAlias = Callable[[Any], Any]

_QUOTED: Final = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PATH_STEP: Final = re.compile(rf"\.([A-Za-z0-9_]+)|\[({_QUOTED})\]", re.DOTALL)
_TEXT: Final = re.compile(_QUOTED, re.DOTALL)
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?(?![0-9.])", re.ASCII)
_AS_NUMBER: Final = re.compile(r"\s*([+-]?[0-9]{1,18}(?:\.[0-9]{1,12})?)\s*", re.ASCII)
_BLANKS: Final = re.compile(r"\s*")


class BadTemplate(ValueError):
    """A template is wrong whatever the message; the sentence says where."""


class NotThere(ValueError):
    """A message lacks what a placeholder needs; the sentence names it."""


class Absent(NamedTuple):
    """Stands for a value that is not there, until a filter gives another."""

    path: str


def read_template(value: Any, roots: Sequence[str]) -> Fill:
    """The template of a JSON value, in which every text may have placeholders whose paths begin with one of `roots`.
    Raises BadTemplate."""
    if isinstance(value, str):
        return _Reading(value, roots).template()
    if isinstance(value, Mapping):
        members = {name: _under(name, member, roots) for name, member in value.items()}
        return lambda subject: {name: _filled(name, fill, subject) for name, fill in members.items()}
    if isinstance(value, list):
        entries = [_under(str(index), entry, roots) for index, entry in enumerate(value)]
        return lambda subject: [_filled(str(index), fill, subject) for index, fill in enumerate(entries)]
    return lambda _: value


def _under(name: str, value: Any, roots: Sequence[str]) -> Fill:
    try:
        return read_template(value, roots)
    except BadTemplate as error:
        raise BadTemplate(_said_of(name, error)) from None


def _filled(name: str, fill: Fill, subject: Subject) -> Any:
    try:
        return fill(subject)
    except NotThere as error:
        raise NotThere(_said_of(name, error)) from None


def _said_of(name: str, error: ValueError) -> str:
    said = str(error)
    return f"{name}.{said}" if re.match(r"[\w.]+: ", said) else f"{name}: {said}"


# --- Reading ----------------------------------------------------------------------------------------------------------


class _Reading:
    """One reading of a text, from its start to its end."""

    def __init__(self, text: str, roots: Sequence[str]) -> None:
        self._text = text
        self._roots = roots
        self._at = 0

    def template(self) -> Fill:
        parts: list[str | Fill] = []
        while (start := self._text.find("{{", self._at)) >= 0:
            if start > self._at:
                parts.append(self._text[self._at : start])
            self._at = start + 2
            parts.append(self._placeholder(start))
        if self._at < len(self._text):
            parts.append(self._text[self._at :])
        match parts:
            case []:
                return lambda _: ""
            case [part]:
                return part if callable(part) else lambda _: part
        return lambda subject: "".join([part if isinstance(part, str) else written(part(subject)) for part in parts])

    def _placeholder(self, start: int) -> Fill:
        read = self._value()
        steps: list[_Step] = []
        while self._take("|"):
            steps.append(self._filter())
        if not self._take("}}"):
            raise self._bad(start, "this placeholder has no end; write }} after it.")
        return lambda subject: _present(_through(steps, read(subject)))

    def _value(self) -> Fill:
        self._skip_blanks()
        if (quoted := self._quoted()) is not None:
            return lambda _: quoted
        start = self._at
        root = _WORD.match(self._text, start)
        if root is None or root[0] not in self._roots:
            raise self._bad(start, f"a path begins with {', '.join(self._roots)}, such as {self._roots[0]}.title.")
        self._at = root.end()
        steps: list[str] = []
        while step := _PATH_STEP.match(self._text, self._at):
            steps.append(step[1] if step[1] is not None else _unquoted(step[2]))
            self._at = step.end()
        label = self._text[start : self._at]
        return lambda subject: _at_path(subject[root[0]], steps, label)

    def _filter(self) -> _Step:
        self._skip_blanks()
        start = self._at
        word = _WORD.match(self._text, start)
        if word is None or word[0] not in _FILTERS:
            raise self._bad(start, f"there is no such filter; there are {', '.join(_FILTERS)}.")
        self._at = word.end()
        arguments = self._arguments() if self._take(":") else []
        least, most, make = _FILTERS[word[0]]
        if not least <= len(arguments) <= most:
            raise self._bad(start, f"{word[0]} takes {least} to {most} arguments, after a colon.")
        try:
            step = make(*arguments)
        except TypeError:
            raise self._bad(start, f"{word[0]} takes another kind of argument.") from None
        return step if word[0] == "default" else lambda value: value if _is_empty(value) else step(value)

    def _arguments(self) -> list[str | int | float]:
        found = [self._argument()]
        while self._take(","):
            found.append(self._argument())
        return found

    def _argument(self) -> str | int | float:
        self._skip_blanks()
        if (quoted := self._quoted()) is not None:
            return quoted
        number = _NUMBER.match(self._text, self._at)
        if number is None:
            raise self._bad(self._at, 'an argument is a number, or a text in quotes, such as "none".')
        self._at = number.end()
        return float(number[0]) if number[1] else int(number[0])

    def _quoted(self) -> str | None:
        match = _TEXT.match(self._text, self._at)
        if match is None:
            return None
        self._at = match.end()
        return _unquoted(match[0])

    def _take(self, mark: str) -> bool:
        self._skip_blanks()
        if not self._text.startswith(mark, self._at):
            return False
        self._at += len(mark)
        return True

    def _skip_blanks(self) -> None:
        match = _BLANKS.match(self._text, self._at)
        self._at = match.end() if match else self._at

    def _bad(self, at: int, detail: str) -> BadTemplate:
        return BadTemplate(f"at character {at + 1}, {detail}")


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)


# --- Filling in -------------------------------------------------------------------------------------------------------


def _at_path(value: Any, steps: Sequence[str], label: str) -> Any:
    for step in steps:
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return Absent(label)
    return value


def _through(steps: Sequence[_Step], value: Any) -> Any:
    for step in steps:
        value = step(value)
    return value


def _present(value: Any) -> Any:
    if isinstance(value, Absent):
        raise NotThere(f"the message has no {value.path}; if that may be, add a default.")
    return value


def written(value: Any) -> str:
    """A value as it stands within a text. Raises NotThere for an object or a list."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        text = format(Decimal(str(value)), "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    raise NotThere("an object or a list cannot stand within a text; name one of its members.")


def _is_empty(value: Any) -> bool:
    return value is None or value == "" or value == {} or isinstance(value, Absent)


def _number(value: Any) -> int | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    match = _AS_NUMBER.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise NotThere(f"{str(value)[:40]!r} is not a number; write it like 1234.5.")
    return float(match[1]) if "." in match[1] else int(match[1])


def _truncate(most: str | float) -> _Step:
    if not isinstance(most, int) or most < 1:
        raise TypeError
    return lambda value: text if len(text := written(value)) <= most else f"{text[: most - 1]}…"


def _choose(*arguments: str | float) -> _Step:
    pairs = len(arguments) // 2
    choices = {written(arguments[2 * pair]): arguments[2 * pair + 1] for pair in range(pairs)}

    def choose(value: Any) -> str | float:
        if (chosen := choices.get(written(value))) is not None:
            return chosen
        if len(arguments) % 2:
            return arguments[-1]
        raise NotThere(f"choose has no text for {str(value)[:40]!r}; add a last value for all others.")

    return choose


_FILTERS: Final[Mapping[str, tuple[int, int, Callable[..., _Step]]]] = {
    "default": (1, 1, lambda instead: lambda value: instead if _is_empty(value) else value),
    "text": (0, 0, lambda: written),
    "number": (0, 0, lambda: _number),
    "upper": (0, 0, lambda: lambda value: written(value).upper()),
    "lower": (0, 0, lambda: lambda value: written(value).lower()),
    "truncate": (1, 1, _truncate),
    "choose": (2, 64, _choose),
}
"""The least and the highest number of arguments of each filter, and what makes it of them."""
