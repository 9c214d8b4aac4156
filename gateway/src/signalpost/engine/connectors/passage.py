"""The gate of one subscription's lane: its connection, at the pace of what the vendor counts its calls by.

A kind says by what its vendor counts, such as Slack by the channel. That may follow from the connection too, so it is
asked again when that changes.
"""

from signalpost.domain.subscription import Subscription
from signalpost.engine.connectors.open_connection import OpenConnection, Opened
from signalpost.engine.connectors.pace import Pace
from signalpost.engine.lanes.carriers import GatedLane


class Passage:
    def __init__(self, connection: OpenConnection, subscription: Subscription, user: GatedLane | None) -> None:
        """`user` is the lane; None for a test."""
        self.connection = connection
        self._subscription = subscription
        self._user = user
        self._opened: Opened | None = None
        self._pace = self._begin(connection.opened)

    @property
    def pace(self) -> Pace:
        """The present pace of its calls."""
        if self.connection.opened is not self._opened:
            self.leave()
            self._pace = self._begin(self.connection.opened)
        return self._pace

    def leave(self) -> None:
        """The lane asks no more."""
        if self._user is not None:
            self._pace.users.discard(self._user)

    @property
    def trouble(self) -> str | None:
        """See `Gate`."""
        return self.connection.trouble

    def ready_at(self, now: int) -> int:
        """See `Gate`."""
        return self.connection.ready_at(now, self.pace)

    def try_again(self) -> None:
        """See `Gate`."""
        self.connection.try_again()

    def wake(self) -> None:
        """See `Gate`."""
        self.connection.wake()

    def _begin(self, opened: Opened | None) -> Pace:
        self._opened = opened
        pace = self.connection.pace_of(self._subscription)
        if self._user is not None:
            pace.users.add(self._user)
        return pace
