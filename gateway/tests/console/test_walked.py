"""A list of deliveries looks further back where it found nothing, for a short time."""

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import pytest

from signalpost.api.guards.principals import OPERATOR
from signalpost.api.routing.shapes.deliveries import Delivery, DeliveryPage
from signalpost.console.listed import ListPart
from signalpost.console.page import Visit
from signalpost.console.pages.deliveries import WALK_SECONDS, none_listed, walked

if TYPE_CHECKING:
    from signalpost.console.calls import Calls

PAGES = {None: "a", "a": "b", "b": "c", "c": None}
"""The next page of each, all of them empty."""


class Empty:
    def __init__(self) -> None:
        self.asked: list[str | None] = []

    async def read(self, name: str, shape: Any, query: Any) -> DeliveryPage:
        self.asked.append(query["cursor"])
        return DeliveryPage(data=[], next=PAGES[query["cursor"]], looked_back_to="2026-11-12T10:00:00.000000Z")


@pytest.mark.parametrize(("a_page_takes", "asked"), [(0.0, [None, "a", "b", "c"]), (WALK_SECONDS / 2, [None, "a"])])
def test_empty_pages_are_passed_over_until_the_end_or_for_a_short_time(a_page_takes: float, asked: list[Any]) -> None:
    calls, times = Empty(), count()
    asks = cast("Calls", calls)
    visit = Visit(calls=asks, principal=OPERATOR, tenant="", root="", request_id="", now=0, params={}, query={})
    page = asyncio.run(walked(visit, {"cursor": None}, lambda: next(times) * a_page_takes))
    assert calls.asked == asked
    assert page.next == PAGES[asked[-1]]


def empty(following: str | None, same: str) -> ListPart[Delivery]:
    return ListPart([], following, True, same)


def test_what_was_looked_through_is_said_where_nothing_was_found() -> None:
    said = none_listed(empty("c", "status=failed"), "2026-11-12T10:00:00.000000Z")
    assert said == "No delivery back to 12 Nov 2026, 10:00:00 UTC is like that. Older ones may be."
    assert none_listed(empty("c", ""), None) == "No delivery among the newest is like that. Older ones may be."
    assert none_listed(empty(None, "status=failed"), None) == "No delivery is like that."
    assert none_listed(empty(None, ""), None) == "Nothing was sent yet."
