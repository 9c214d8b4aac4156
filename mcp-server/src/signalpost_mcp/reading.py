"""The tools that read."""

from typing import Annotated

from pydantic import AwareDatetime, Field

from signalpost_client import AsyncClient, AsyncPages, shapes
from signalpost_mcp.refusals import told_to_assistant
from signalpost_mcp.view import View, as_text

MAX_SUBSCRIPTIONS = 50
"""At how many subscriptions `why` looks."""
MAX_DIAGNOSED = 5
"""For how many of them it asks for attempts and the likely cause: each costs a call."""
MAX_PAGES = 20
"""After so many pages a list is cut off, however few entries were on them."""


class ReadingTools:
    """What an assistant may read."""

    def __init__(self, client: AsyncClient, view: View) -> None:
        self._client = client
        self._view = view

    async def overview(self) -> str:
        """What needs attention now: failing subscriptions worst first, what waits, failed or was lost."""
        with told_to_assistant():
            return as_text(self._view.overview(await self._client.overview.read()))

    async def failures(
        self,
        subscription_id: str | None = None,
        since: AwareDatetime | None = None,
        limit: Annotated[int, Field(ge=1, le=100)] = 20,
    ) -> str:
        """Deliveries that were given up, newest first: of one subscription or all, of events since a time."""
        with told_to_assistant():
            pages = self._client.deliveries.list(
                status="failed", subscription_id=subscription_id, from_=since, page_size=limit + 1
            )
            found, are_more = await first(pages, limit)
            return as_text({"failures": [self._view.delivery(each) for each in found], "thereAreMore": are_more})

    async def why(self, event_id: str, subscription_id: str | None = None) -> str:
        """What happened to an event at each subscription, or at one, and the likely cause if it failed."""
        with told_to_assistant():
            event = await self._client.events.read(event_id)
            pages = self._client.deliveries.list(event_id=event_id, subscription_id=subscription_id)
            found, are_more = await first(pages, MAX_SUBSCRIPTIONS)
            failed = [each for each in found if each.status in ("failed", "retrying")][:MAX_DIAGNOSED]
            looked_at = {
                each.subscription_id: await self._client.subscriptions.read_delivery(each.subscription_id, event_id)
                for each in failed
            }
            told = [
                self._view.delivery_with_attempts(looked_at[each.subscription_id])
                if each.subscription_id in looked_at
                else self._view.delivery(each)
                for each in found
            ]
            return as_text({**self._view.event(event), "deliveries": told, "thereAreMore": are_more})


async def first(pages: AsyncPages[shapes.Delivery], count: int) -> tuple[list[shapes.Delivery], bool]:
    """The first entries of a list, as far as they are on its first pages, and whether there may be more."""
    found: list[shapes.Delivery] = []
    read = 0
    async for page in pages.pages():
        found += page.data
        read += 1
        if len(found) > count or (read == MAX_PAGES and page.next is not None):
            return found[:count], True
    return found, False
