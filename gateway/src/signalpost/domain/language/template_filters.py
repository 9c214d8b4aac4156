"""What filters do to the value of a placeholder: `{{ document.expiryDate | days: -30 | date: "%d.%m.%Y" }}`.

When a template is read, each filter is looked up and its arguments are checked; the result is a function from one value
to the next. Every filter but `default` leaves a value that is empty as it is. A filter takes time linear in its value,
knows no locale, and fails with a `TemplateError` alone.

| filter | takes | makes |
| --- | --- | --- |
| `default: "none"` | anything | the argument, if there is nothing; otherwise the value |
| `text` | anything | the value as a text |
| `number` | a text or a number | a number: of "1234.50", 1234.5 |
| `upper`, `lower` | a text | the same in capital, or in small letters |
| `truncate: 80` | a text | at most so many characters; if some had to go, the last is "…" |
| `choose: "a", "b", …, "else"` | a text or a number | what stands after the same value, or the last for others |
| `money: "AUD"` | a number | a text with two decimals: AUD 12,500.50; without an argument, 12,500.50 |
| `day: "Australia/Sydney"` | a date | the day that it is there at that moment; without an argument, in UTC |
| `days: -30` | a date | the date so many days later; negative, earlier |
| `date: "%d.%m.%Y"` | a date | a text of it, in UTC; without an argument, the day as 2026-01-31 |
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Final, TypeAlias

from msgspec import Struct

from signalpost.domain.documents.workflow import STATUSES
from signalpost.domain.language import values
from signalpost.domain.language.names import Type, did_you_mean
from signalpost.domain.language.values import shown

Argument: TypeAlias = str | int | float
Arguments: TypeAlias = tuple[Argument, ...]
Step: TypeAlias = Callable[[Any], Any]

MAX_DAYS: Final = 36_525
MAX_TRUNCATED: Final = 4096
MAX_CURRENCY_CHARACTERS: Final = 8
MAX_ZONE_CHARACTERS: Final = 64
_MAX_AMOUNT: Final = 10**18


class TemplateError(ValueError):
    """A placeholder cannot be filled in for this event. `below` are the steps from the config to its template."""

    def __init__(self, detail: str, below: tuple[str, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.below = below

    def __str__(self) -> str:
        """A sentence for people."""
        return f"{'.'.join(self.below)}: {self.detail}" if self.below else self.detail

    def under(self, name: str) -> "TemplateError":
        """The same error, as seen from what has the template under a name."""
        return TemplateError(self.detail, (name, *self.below))


class WrongArgument(ValueError):
    """A filter cannot be made with these arguments; the message is a sentence."""


class Filter(Struct, frozen=True):
    """What a filter's name stands for."""

    takes: frozenset[Type]
    """The types of which something can come. A value that turns out to be of another fails when it is there."""
    gives: Callable[[Type, Arguments], Type]
    make: Callable[[Type, Arguments], Step]
    """Makes the function of a filter for values of a type. Raises WrongArgument."""
    least: int
    most: int
    """How many arguments there can be."""
    usage: str
    """How it is written, for sentences."""


# --- Any value --------------------------------------------------------------------------------------------------------


def _default(_: Type, arguments: Arguments) -> Step:
    [instead] = arguments
    return lambda value: instead if values.is_empty(value) else value


def _after_default(taken: Type, arguments: Arguments) -> Type:
    [instead] = arguments
    if isinstance(instead, str):
        if taken in _TEXTS:
            return Type.TEXT
        return taken if taken is Type.MOMENT and values.as_moment(instead) else Type.ANY
    return taken if taken is Type.NUMBER else Type.ANY


def _text(_: Type, __: Arguments) -> Step:
    return values.written


def _choose(taken: Type, arguments: Arguments) -> Step:
    pairs = len(arguments) // 2
    when = [values.written(argument) for argument in arguments[: 2 * pairs : 2]]
    if taken is Type.STATUS and (unknown := next((each for each in when if each not in STATUSES), None)):
        raise WrongArgument(f"There is no status {shown(unknown)}{did_you_mean(unknown, STATUSES)}")
    choices = dict(zip(when, arguments[1 : 2 * pairs : 2], strict=True))
    otherwise = arguments[-1] if len(arguments) % 2 else None

    def choose(value: Any) -> Argument:
        chosen = choices.get(values.written(value), otherwise)
        if chosen is None:
            raise TemplateError(f"choose has no text for {shown(value)}; add a last value for all others.")
        return chosen

    return choose


def _after_choose(_: Type, arguments: Arguments) -> Type:
    chosen = (*arguments[1::2], *(arguments[-1:] if len(arguments) % 2 else ()))
    if all(isinstance(each, str) for each in chosen):
        return Type.TEXT
    return Type.ANY if any(isinstance(each, str) for each in chosen) else Type.NUMBER


# --- Texts ------------------------------------------------------------------------------------------------------------


def _upper(_: Type, __: Arguments) -> Step:
    return lambda value: values.written(value).upper()


def _lower(_: Type, __: Arguments) -> Step:
    return lambda value: values.written(value).lower()


def _truncate(_: Type, arguments: Arguments) -> Step:
    most = _whole(arguments[0], 1, MAX_TRUNCATED)

    def truncate(value: Any) -> str:
        text = values.written(value)
        return text if len(text) <= most else f"{text[: most - 1]}…"

    return truncate


# --- Numbers ----------------------------------------------------------------------------------------------------------


def _read_number(value: Any) -> int | float:
    number = values.as_number(value)
    if number is None or not -_MAX_AMOUNT < number < _MAX_AMOUNT:
        raise TemplateError(f"{shown(value)} is not a number; write it like 1234.5.")
    return number


def _number(_: Type, __: Arguments) -> Step:
    return _read_number


def _money(_: Type, arguments: Arguments) -> Step:
    currency = f"{_some_text(arguments[0], MAX_CURRENCY_CHARACTERS)} " if arguments else ""
    return lambda value: f"{currency}{values.rounded(_read_number(value)):,.2f}"


# --- Dates ------------------------------------------------------------------------------------------------------------


def _read_moment(value: Any) -> str:
    moment = values.as_moment(value)
    if moment is None:
        raise TemplateError(f"{shown(value)} is not a date; write it like 2026-01-31.")
    return moment


_is_zone: Final = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}", re.ASCII).fullmatch


def _day(_: Type, arguments: Arguments) -> Step:
    """A plain date is no moment, and the same day everywhere."""
    zone: tzinfo = _zone(arguments[0]) if arguments else UTC

    def day(value: Any) -> str:
        moment = _read_moment(value)
        if len(moment) == values.DAY_CHARACTERS:
            return moment
        try:
            return datetime.fromisoformat(moment).astimezone(zone).date().isoformat()
        except OverflowError:
            raise TemplateError(f"{moment} is outside the calendar in that time zone.") from None

    return day


def _zone(argument: Argument) -> tzinfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # imports what few templates need

    name = _some_text(argument, MAX_ZONE_CHARACTERS)
    try:
        return ZoneInfo(name if _is_zone(name) else "")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise WrongArgument(f"This machine knows no time zone {shown(name)}; write it like Europe/Berlin.") from None


def _days(_: Type, arguments: Arguments) -> Step:
    step = timedelta(days=_whole(arguments[0], -MAX_DAYS, MAX_DAYS))

    def move(value: Any) -> str:
        moment = _read_moment(value)
        try:
            day = date.fromisoformat(moment[: values.DAY_CHARACTERS]) + step
        except OverflowError:
            raise TemplateError(f"{step.days} days from {moment} is outside the calendar.") from None
        return f"{day.isoformat()}{moment[values.DAY_CHARACTERS :]}"

    return move


_MONTHS: Final = "January February March April May June July August September October November December".split()
_WEEKDAYS: Final = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
DIRECTIVES: Final[Mapping[str, Callable[[datetime], str]]] = {
    "%d": lambda moment: f"{moment.day:02}",
    "%e": lambda moment: str(moment.day),
    "%m": lambda moment: f"{moment.month:02}",
    "%B": lambda moment: _MONTHS[moment.month - 1],
    "%b": lambda moment: _MONTHS[moment.month - 1][:3],
    "%Y": lambda moment: f"{moment.year:04}",
    "%y": lambda moment: f"{moment.year % 100:02}",
    "%A": lambda moment: _WEEKDAYS[moment.weekday()],
    "%a": lambda moment: _WEEKDAYS[moment.weekday()][:3],
    "%H": lambda moment: f"{moment.hour:02}",
    "%M": lambda moment: f"{moment.minute:02}",
    "%S": lambda moment: f"{moment.second:02}",
    "%%": lambda _: "%",
}
_DIRECTIVE: Final = re.compile("%.?", re.DOTALL)


def _date(_: Type, arguments: Arguments) -> Step:
    if not arguments:
        return lambda value: values.day_of(_read_moment(value))
    form = _some_text(arguments[0], MAX_TRUNCATED)
    unknown = next((each for each in _DIRECTIVE.findall(form) if each not in DIRECTIVES), None)
    if unknown is not None:
        raise WrongArgument(f"A date has no {unknown}; it has {', '.join(DIRECTIVES)}.")

    def write(value: Any) -> str:
        moment = datetime.fromisoformat(_read_moment(value))
        return _DIRECTIVE.sub(lambda match: DIRECTIVES[match[0]](moment), form)

    return write


# --- Arguments --------------------------------------------------------------------------------------------------------


def _whole(argument: Argument, least: int, most: int) -> int:
    if not isinstance(argument, int) or not least <= argument <= most:
        raise WrongArgument(f"This must be a whole number from {least} to {most}, without quotes.")
    return argument


def _some_text(argument: Argument, most: int) -> str:
    if not isinstance(argument, str) or not 1 <= len(argument) <= most:
        raise WrongArgument(f"This must be a text of 1 to {most} characters, in quotes.")
    return argument


# --- By name ----------------------------------------------------------------------------------------------------------

_TEXTS: Final = frozenset({Type.TEXT, Type.STATUS, Type.EVENT_TYPE, Type.NOTICE_KIND, Type.SEVERITY, Type.LINK})
_SCALARS: Final = frozenset(Type) - {Type.OBJECT}
_AS_NUMBERS: Final = frozenset({Type.NUMBER, Type.ANY})
_AS_MOMENTS: Final = frozenset({Type.MOMENT, Type.ANY})


def _always(given: Type) -> Callable[[Type, Arguments], Type]:
    return lambda _, __: given


def _after_date(_: Type, arguments: Arguments) -> Type:
    """A day in a format of one's own is a text; without one it is still a date."""
    return Type.TEXT if arguments else Type.MOMENT


FILTERS: Final[Mapping[str, Filter]] = {
    "default": Filter(_SCALARS, _after_default, _default, 1, 1, 'default: "none"'),
    "text": Filter(_SCALARS, _always(Type.TEXT), _text, 0, 0, "text"),
    "number": Filter(_AS_NUMBERS | {Type.TEXT}, _always(Type.NUMBER), _number, 0, 0, "number"),
    "upper": Filter(_TEXTS | {Type.ANY}, _always(Type.TEXT), _upper, 0, 0, "upper"),
    "lower": Filter(_TEXTS | {Type.ANY}, _always(Type.TEXT), _lower, 0, 0, "lower"),
    "truncate": Filter(_TEXTS | {Type.ANY}, _always(Type.TEXT), _truncate, 1, 1, "truncate: 80"),
    "choose": Filter(_SCALARS - {Type.MOMENT}, _after_choose, _choose, 2, 64, 'choose: "executed", "Won", "Open"'),
    "money": Filter(_AS_NUMBERS, _always(Type.TEXT), _money, 0, 1, 'money: "AUD"'),
    "day": Filter(_AS_MOMENTS, _always(Type.MOMENT), _day, 0, 1, 'day: "Australia/Sydney"'),
    "days": Filter(_AS_MOMENTS, _always(Type.MOMENT), _days, 1, 1, "days: -30"),
    "date": Filter(_AS_MOMENTS, _after_date, _date, 0, 1, 'date: "%d.%m.%Y"'),
}


def step_of(name: str, taken: Type, arguments: Arguments) -> Step:
    """The function of a filter for values of a type. Raises WrongArgument."""
    found = FILTERS[name]
    if not found.least <= len(arguments) <= found.most:
        raise WrongArgument(f"{name} is written like this: {found.usage}.")
    step = found.make(taken, arguments)
    return step if name == "default" else lambda value: value if values.is_empty(value) else step(value)
