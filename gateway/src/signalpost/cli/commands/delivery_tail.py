"""Follows the deliveries of future events live.

New deliveries are listed whenever the log has grown. Unsettled ones are checked again, in turn and a few at a time,
until they are settled. At most `MAX_FOLLOWED` are followed; beyond that, the ones that wait longest are dropped.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from signalpost.cli.client import CallRefused, Client, path
from signalpost.cli.commands.events import newest

MAX_FOLLOWED = 10_000
LOOKS = 50
"""Number of unsettled deliveries that are checked again each time."""
MAX_NEW = 5_000
"""Maximum number of new deliveries to show each time; the newest are shown."""

Delivery = dict[str, Any]


class DeliveryTail:
    def __init__(self, client: Client, subscription: str | None) -> None:
        self._client = client
        self._subscription = subscription
        self._sequence, self._created_at = newest(client)
        self._unsettled: dict[tuple[str, str], Delivery] = {}

    def changes(self) -> Iterator[Delivery]:
        """The deliveries that changed or appeared since the last call, oldest first."""
        yield from self._changed()
        yield from self._new()

    def _changed(self) -> Iterator[Delivery]:
        for key in [*islice(self._unsettled, LOOKS)]:
            before = self._unsettled.pop(key)
            subscription, event = key
            try:
                found = self._client.call("GET", path("subscriptions", subscription, "deliveries", event)).content
            except CallRefused as refused:
                if refused.problem.get("status") != 404:
                    raise
                continue
            del found["attempts"]
            self._follow(found)
            if _state(found) != _state(before):
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


def _state(delivery: Delivery) -> tuple[object, object]:
    return delivery["status"], delivery["nextAttemptAt"]
