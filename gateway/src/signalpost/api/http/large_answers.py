"""Large answers stay in memory until their clients have read them, so few of them are there at a time, shared by
caller (`docs/sharing.md`)."""

from typing import Final

from signalpost.api.guards.request_limits import RequestLimits
from signalpost.api.http.request import Request
from signalpost.domain.errors import TooMany

LARGE_ANSWER_BYTES: Final = 64 * 1024
"""Above this size an answer counts among them."""


def take_room(request: Request, limits: RequestLimits) -> None:
    """Have room for a large answer to this request, unless it has it already. Raises TooMany."""
    if request.has_room or request.caller is None:
        return
    if not limits.large_answers.take(request.caller):
        detail = "This key has too many large answers that were not read yet. Read them first."
        raise TooMany("too_many_answers", detail, retry_after=1)
    request.has_room = True


def leave_room(request: Request, limits: RequestLimits) -> None:
    """Leave the room to other requests, if this one had any."""
    if request.has_room and request.caller is not None:
        limits.large_answers.give_back(request.caller)
        request.has_room = False
