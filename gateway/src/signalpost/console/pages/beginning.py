"""Where a new subscription begins, as a form: now, after an event, or at a time in UTC.

Nothing is checked here: the API checks what is sent.
"""

from typing import Any

from msgspec import Struct

from signalpost.console.page import Visit, whole
from signalpost.console.pages.deliveries import moment_of


class BeginningForm(Struct, frozen=True):
    at: str
    after: str


def beginning_form(visit: Visit) -> BeginningForm:
    return BeginningForm(visit.given("starts_at"), visit.given("starts_after"))


def typed_beginning(visit: Visit) -> dict[str, Any]:
    """The members of a new subscription that say where it begins; none if it begins now."""
    form = beginning_form(visit)
    said = {"startsAt": moment_of(form.at), "startsAfter": whole(form.after) if form.after else ""}
    return {name: value for name, value in said.items() if value != ""}
