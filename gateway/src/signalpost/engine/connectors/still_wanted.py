"""Decides whether an event that its subscription once wanted should still be sent.

Time has passed since then if the subscription delays its events, or if the delivery is sent again by a replay or a
retry by hand.
"""

from collections.abc import Mapping
from typing import Any

from signalpost.domain.condition_reader import read_condition
from signalpost.domain.conditions import Condition
from signalpost.domain.erasure import is_erased
from signalpost.domain.event import Event
from signalpost.domain.subscription import Subscription, wanted
from signalpost.engine.lanes.subject import no_longer_sent, not_sent, subject_of
from signalpost.store.log import LogStore

MAX_LATER = 100
"""How many later events of a document one look brings."""


class StillWanted:
    def __init__(self, subscription: Subscription, log: LogStore, *, latest_wins: bool) -> None:
        """`latest_wins` says that an event is of no use once a later one of its document was sent."""
        after = subscription.after
        self._subscription = subscription
        self._log = log
        self._latest_wins = latest_wins
        self._when = _condition(subscription.when)
        self._still = None if after is None else _condition(after.condition)

    async def why_not(self, event: Event, run: int) -> str | None:
        """A sentence why the event is not to be sent in this run of its delivery; None if it is."""
        if run and self._when is not None and (why := self._when.why_not(subject_of(event))) is not None:
            return not_sent(why)
        if self._still is not None and (why := await self._why_no_longer(event, self._still)) is not None:
            return no_longer_sent(why)
        if run and self._latest_wins and (later := await self._later_wanted(event)) is not None:
            return f"Not sent: event {later.id} of the same document came later and was wanted too."
        return None

    async def _why_no_longer(self, event: Event, still: Condition) -> str | None:
        newest = await self._log.newest(event.tenant_id, event.document_id)
        return still.why_not(subject_of(event if newest is None or is_erased(newest) else newest))

    async def _later_wanted(self, event: Event) -> Event | None:
        after, filters = event.sequence, self._subscription.filters
        while True:
            later, reached = await self._log.feed(event.tenant_id, after, 7, event.document_id, MAX_LATER)
            for each in later:
                if each.type & wanted(filters, each.sequence) and self._is_wanted(each):
                    return each
            if reached <= after:
                return None
            after = reached

    def _is_wanted(self, event: Event) -> bool:
        if is_erased(event):
            return False
        return self._when is None or self._when.why_not(subject_of(event)) is None


def _condition(value: Mapping[str, Any] | None) -> Condition | None:
    return None if value is None else read_condition(value)
