"""Follows deliveries live, of events that come from now on.

New ones are listed whenever the log has grown. The unsettled ones among them are looked at again, in turn and a few at
a time, until they are settled. What is kept is bounded: beyond `MAX_FOLLOWED`, those that wait longest are forgotten.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from signalpost.cli.client import Client, Refused, path
from signalpost.cli.events import newest

MAX_FOLLOWED = 10_000
LOOKS = 50
"""So many unsettled ones are looked at again each time."""
MAX_NEW = 5_000
"""Of what came since the last time, so many of the newest are shown."""

Delivery = dict[str, Any]


class DeliveryTail:
    def __init__(self, client: Client, subscription: str | None) -> None:
        self._client = client
        self._subscription = subscription
        self._sequence, self._created_at = newest(client)
        self._unsettled: dict[tuple[str, str], Delivery] = {}

    def changes(self) -> Iterator[Delivery]:
        """The deliveries that changed since the last call, and those that are new, the oldest first."""
        yield from self._changed()
        yield from self._new()

    def _changed(self) -> Iterator[Delivery]:
        for key in [*islice(self._unsettled, LOOKS)]:
            before = self._unsettled.pop(key)
            subscription, event = key
            try:
                found = self._client.call("GET", path("subscriptions", subscription, "deliveries", event)).content
            except Refused as refused:
                if refused.problem.get("status") != 404:
                    raise
                continue
            del found["attempts"]
            self._follow(found)
            if found != before:
                yield found

    def _new(self) -> Iterator[Delivery]:
        sequence, created_at = newest(self._client)
        if sequence == self._sequence:
            return
        query = {"subscriptionId": self._subscription, "from": self._created_at}
        found = [
            delivery
            for delivery in self._client.pages(path("deliveries"), query, MAX_NEW)
            if self._sequence < delivery["sequence"] <= sequence
        ]
        self._sequence, self._created_at = sequence, created_at
        for delivery in reversed(found):
            self._follow(delivery)
            yield delivery

    def _follow(self, delivery: Delivery) -> None:
        if delivery["status"] not in ("pending", "retrying"):
            return
        self._unsettled[delivery["subscriptionId"], delivery["eventId"]] = delivery
        if len(self._unsettled) > MAX_FOLLOWED:
            del self._unsettled[next(iter(self._unsettled))]
