"""The gate of one subscription's lane: its connection, at the pace of what the vendor counts its calls by.

A kind says by what its vendor counts, such as Slack by the channel. That may follow from the connection too, so it is
asked again when that changes.

The gateway itself may be unable to make a call: its database is away, or its own code failed. The lane then waits, a
little longer each time, and its deliveries stay as they are.
"""

from typing import Final

from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND
from signalpost.engine.connectors.open_connection import OpenConnection, OpenedConnection
from signalpost.engine.connectors.pace import Pace
from signalpost.engine.lanes.carriers import GatedLane

WAIT_FIRST: Final = 1 * SECOND
WAIT_LAST: Final = 60 * SECOND
OWN_TROUBLE: Final = (
    "Signalpost could not make a call because of a fault of its own, which its log names. It tries again by itself."
)


class Passage:
    def __init__(self, connection: OpenConnection, subscription: Subscription, user: GatedLane | None) -> None:
        self.connection = connection
        self._subscription = subscription
        self.user = user
        """The lane; None for a test."""
        self._paced = user
        """The lane while it counts at the pace; None for a test, and once it has left."""
        self._opened: OpenedConnection | None = None
        self._pace = self._begin(connection.opened)
        self._put_off_until = 0
        self._put_off_in_a_row = 0

    @property
    def pace(self) -> Pace:
        """The present pace of its calls."""
        if self.connection.opened is not self._opened:
            self._end()
            self._pace = self._begin(self.connection.opened)
        return self._pace

    def leave(self) -> None:
        """The lane asks no more. Calls may still be under way; the lane may go at the same pace again, from another
        passage."""
        self._end()
        self._paced = None

    @property
    def trouble(self) -> str | None:
        """See `Gate`."""
        return self.connection.trouble or (OWN_TROUBLE if self._put_off_in_a_row else None)

    def ready_at(self, now: int) -> int:
        """See `Gate`."""
        return max(self.connection.ready_at(now, self.pace), self._put_off_until)

    def put_off(self, now: int) -> bool:
        """Let nothing through for a while, because the gateway itself could not make a call. Returns whether that is
        news: of calls that fail together, one counts."""
        if now < self._put_off_until:
            return False
        self._put_off_until = now + min(WAIT_FIRST << min(self._put_off_in_a_row, 20), WAIT_LAST)
        self._put_off_in_a_row += 1
        return True

    def note_able(self) -> None:
        """The gateway itself did all that it had to do."""
        self._put_off_until = self._put_off_in_a_row = 0

    def try_again(self) -> None:
        """See `Gate`."""
        self.connection.try_again()

    def wake(self) -> None:
        """See `Gate`."""
        self.connection.wake()

    def _begin(self, opened: OpenedConnection | None) -> Pace:
        self._opened = opened
        pace = self.connection.pace_of(self._subscription)
        if self._paced is not None:
            pace.users[self._paced] = None
        return pace

    def _end(self) -> None:
        if self._paced is not None:
            self._pace.users.pop(self._paced, None)
