"""What of each tenant changed last: a number for each topic, for those who watch.

Nothing is kept of the changes themselves, and nothing for those who watch: a viewer that remembers a revision learns
which topics changed since, however long ago that was, at the cost of a few comparisons.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from signalpost.commands.command import NumberedRow
from signalpost.domain.connection import Connection
from signalpost.domain.delivery.replay import Replay
from signalpost.domain.subscription import Subscription
from signalpost.store.store import PublishedBatch

MAX_DIGITS: Final = 18


class Topic(StrEnum):
    """What may have changed of a tenant."""

    EVENTS = "events"
    """A document changed, and the log has another event."""
    DELIVERIES = "deliveries"
    """Attempts were recorded, or the state of an endpoint."""
    SUBSCRIPTIONS = "subscriptions"
    CONNECTIONS = "connections"
    REPLAYS = "replays"


_TOPICS: Final[Mapping[type[NumberedRow], Topic]] = {
    Subscription: Topic.SUBSCRIPTIONS,
    Connection: Topic.CONNECTIONS,
    Replay: Topic.REPLAYS,
}
"""The topics that show rows of described tables."""


class Revisions:
    def __init__(self, run: str) -> None:
        """`run` tells the revisions of this process from those of others, which begin again. It has no hyphen."""
        self._run = run
        self._now = 0
        """Rises with every change of any tenant."""
        self._last: dict[int, dict[Topic, int]] = {}
        """The revision at which each topic of a tenant changed last."""

    def note(self, tenant_id: int, topic: Topic) -> None:
        """Something of a topic changed."""
        self._now += 1
        self._last.setdefault(tenant_id, {})[topic] = self._now

    def follow(self, published: PublishedBatch) -> None:
        """Note what a commit changed, of this node or of another."""
        for tenant_id in {event.tenant_id for event in published.events}:
            self.note(tenant_id, Topic.EVENTS)
        for kind, rows in published.rows.items():
            if (topic := _TOPICS.get(kind)) is not None:
                for row in rows:
                    self.note(row.tenant_id, topic)
        for tenant in published.tenants:
            if tenant.deleted_at is None:
                self.note(tenant.id, Topic.SUBSCRIPTIONS)  # paused or resumed, which each of them shows
            else:
                self._last.pop(tenant.id, None)

    @property
    def position(self) -> str:
        """Where the changes of all tenants are now."""
        return f"{self._run}-{self._now}"

    def has_all_until(self, seen: str, told: str) -> bool:
        """Whether what was seen at one position has everything in it that had changed by another one."""
        seen_at, told_at = self._number(seen), self._number(told)
        return seen_at is not None and told_at is not None and seen_at >= told_at

    def since(self, tenant_id: int, position: str) -> set[Topic]:
        """The topics of a tenant that changed after a position. After one of another process, all may have."""
        revision = self._number(position)
        if revision is None:
            return set(Topic)
        return {topic for topic, last in self._last.get(tenant_id, {}).items() if last > revision}

    def _number(self, position: str) -> int | None:
        """The revision of a position; None if it is one of another process, or none at all."""
        run, _, number = position.partition("-")
        if run != self._run or not number.isdecimal() or len(number) > MAX_DIGITS:
            return None
        return int(number)
