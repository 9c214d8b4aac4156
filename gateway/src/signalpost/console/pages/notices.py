"""The page of notices: what is wrong now, and for how long no one is reminded of it."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from signalpost.api.routing.shapes.notices import NoticePage, OpenNotice
from signalpost.console.listed import ListPart, listed
from signalpost.console.page import Page, SeeOther, Visit, whole
from signalpost.domain.access.tenant import OPERATIONS

HOURS: Final = (("1", "an hour"), ("8", "8 hours"), ("24", "a day"), ("168", "a week"))
"""For how long something can be muted here."""
_TONES: Final[Mapping[str, str]] = {"critical": "failed", "warning": "retrying", "info": "paused"}


class NoticeListView(Struct, frozen=True):
    page: ListPart[OpenNotice]
    operations: str = OPERATIONS
    """The tenant in which one subscribes to notices."""

    @property
    def hours(self) -> Sequence[tuple[str, str]]:
        return HOURS

    def tone(self, severity: str) -> str:
        """Which of the console's tones shows how bad something is."""
        return _TONES[severity]


async def view(visit: Visit) -> NoticeListView:
    page = await visit.calls.read("list_notices", NoticePage, {"cursor": visit.cursor})
    return NoticeListView(listed(visit, page))


async def mute(visit: Visit) -> SeeOther:
    body = {"hours": whole(visit.given("hours"))}
    await visit.calls.change("mute_notice", body, key=visit.given("key"), id=visit.given("id"))
    return SeeOther("/notices", "muted")


async def unmute(visit: Visit) -> SeeOther:
    await visit.calls.change("mute_notice", {"hours": 0}, key=visit.given("key"), id=visit.given("id"))
    return SeeOther("/notices", "unmuted")


PAGES = (
    Page(
        path="/notices",
        section="Notices",
        title="Notices",
        template="notices.html",
        view=view,
        forms={"mute": mute, "unmute": unmute},
        done={"muted": "No one is reminded of it until then.", "unmuted": "It is not muted any more."},
    ),
)
