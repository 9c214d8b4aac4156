"""Delays as forms: how long to wait, in a unit that people choose, and the condition that must still be met then.

Nothing is checked here: the API checks what is sent.
"""

from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct

from signalpost.console.condition_form import ConditionForm, Typed, condition_form, typed_condition
from signalpost.console.page import whole

UNITS: Final = (("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1))


class Duration(Struct, frozen=True):
    count: str
    unit: str


def duration_of(seconds: Any) -> Duration:
    """A number of seconds in the largest unit that needs no fraction."""
    if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds <= 0:
        return Duration("" if seconds is UNSET or seconds is None else str(seconds), "days")
    return next(Duration(str(seconds // size), unit) for unit, size in UNITS if seconds % size == 0)


def typed_duration(name: str, typed: Typed) -> Duration:
    return Duration(typed.get(name, [""])[0].strip(), typed.get(f"{name}.unit", ["seconds"])[0])


def seconds_of(duration: Duration) -> Any:
    """The seconds of what was typed; what is no whole number is sent as it is, for the API to refuse."""
    size = dict(UNITS).get(duration.unit, 1)
    count = whole(duration.count)
    return count * size if isinstance(count, int) else count


class AfterForm(Struct, frozen=True):
    wait: Duration
    still: ConditionForm
    """What must still be so then."""


def after_form(after: Any, typed: Typed) -> AfterForm:
    """The form of a delay, as it was typed if it was, otherwise of the one that is kept or UNSET."""
    kept = {} if after is UNSET or after is None else msgspec.to_builtins(after)
    wait = typed_duration("after", typed) if "after" in typed else duration_of(kept.get("seconds", UNSET))
    return AfterForm(wait, condition_form("still.", "/after/if", kept.get("if", UNSET), typed))


def typed_after(typed: Typed) -> Any:
    """The delay that was typed, as JSON; None if nothing was."""
    wait, still = typed_duration("after", typed), typed_condition("still.", typed)
    if not wait.count and still is None:
        return None
    return {"seconds": seconds_of(wait)} | ({} if still is None else {"if": still})
