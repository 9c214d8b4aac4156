"""Delays as forms: how long to wait, in a unit that people choose, and the condition that must still be met then.

Nothing is checked here: the API checks what is sent.
"""

from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct

from signalpost.console.condition_form import (
    ConditionForm,
    Typed,
    condition_form,
    is_condition_edited,
    typed_condition,
)
from signalpost.console.page import whole

UNITS: Final = (("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1))


class Duration(Struct, frozen=True):
    count: str
    unit: str

    @property
    def said(self) -> str:
        """The words for it, such as `1 hour`."""
        return f"{self.count} {self.unit.removesuffix('s') if self.count == '1' else self.unit}"


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
    kept = _kept(after)
    wait = typed_duration("after", typed) if "after" in typed else duration_of(kept.get("seconds", UNSET))
    return AfterForm(wait, condition_form("still.", "/after/if", kept.get("if", UNSET), typed))


def edited_after(after: Any, typed: Typed) -> Any:
    """The delay that is kept, or UNSET, with what was edited of it; UNSET if nothing was."""
    kept, shown = _kept(after), after_form(after, {})
    wait = typed_duration("after", typed)
    is_same_wait = "after" not in typed or wait == shown.wait or not (wait.count or shown.wait.count)
    is_same_still = not is_condition_edited("still.", kept.get("if", UNSET), typed)
    if is_same_wait and is_same_still:
        return UNSET
    said = typed_after(typed)
    if said is None:
        return None
    if is_same_wait and "seconds" in kept:
        said["seconds"] = kept["seconds"]
    if is_same_still and "if" in kept:
        said["if"] = kept["if"]
    return said


def _kept(after: Any) -> dict[str, Any]:
    """The members of a delay that is kept."""
    found: dict[str, Any] = {} if after is UNSET or after is None else msgspec.to_builtins(after)
    return {name: value for name, value in found.items() if value is not None}


def typed_after(typed: Typed) -> Any:
    """The delay that was typed, as JSON; None if nothing was."""
    wait, still = typed_duration("after", typed), typed_condition("still.", typed)
    if not wait.count and still is None:
        return None
    return {"seconds": seconds_of(wait)} | ({} if still is None else {"if": still})
