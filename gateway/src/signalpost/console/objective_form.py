"""Objectives as forms: a share in percent, and the seconds within which an event is in time.

Nothing is checked here: the API checks what is sent.
"""

import re
from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType

from signalpost.console.page import Visit, whole
from signalpost.domain.objective import Objective

SHARE, WITHIN = "share", "within"
"""The names of the two fields."""
_is_number = re.compile(r"[0-9]{1,9}([.,][0-9]{1,9})?").fullmatch


IN_PERCENT: Final = {("/objective/share", "out_of_range"): "This must lie between 50 and 99.99."}
"""What a form says instead of the API: by the pointer and the code of what is wrong."""


class ObjectiveForm(Struct, frozen=True):
    share: str
    """In percent."""
    within: str


def objective_form(kept: Objective | UnsetType) -> ObjectiveForm:
    """The form of the objective that is kept; empty if there is none."""
    return ObjectiveForm("", "") if kept is UNSET else ObjectiveForm(f"{kept.share * 100:.8g}", str(kept.within))


def edited_objective(visit: Visit, kept: Objective | UnsetType) -> Any:
    """The objective with what was edited of it; None if both fields are empty, UNSET if neither was edited."""
    form = objective_form(kept)
    if not visit.is_edited(SHARE, form.share) and not visit.is_edited(WITHIN, form.within):
        return UNSET
    share, within = visit.typed(SHARE, form.share).strip(), visit.typed(WITHIN, form.within).strip()
    return {"share": _share(share), "within": whole(within)} if share or within else None


def _share(typed: str) -> float | str:
    """The share of a number of percent; what is none is sent as it is, for the API to refuse."""
    return round(float(typed.replace(",", ".")) / 100, 8) if _is_number(typed) else typed
