"""A subscription gets what it asked for when the event was made, and nothing else: from `startsAfter` on, by its filter
at that time, nothing while it is paused, nothing once it is deleted, the event's own bytes, at its present URL (C2,
C13, C18)."""

from gateway.tests.simulation.checkers import Checker
from gateway.tests.simulation.history import Subscriber
from gateway.tests.world.network import SentRequest

LATE = 5.0
"""Seconds from the decision to send to the sending, at most: where an event must be read, from a slow disk."""


class Selection(Checker):
    def sent(self, sent: SentRequest) -> None:
        world = self.world
        subscriber = world.subscriber(sent.host)
        self._check_state(subscriber, sent)
        if sent.is_test:
            return
        self._check_skipped(subscriber, sent)
        entry = world.entry(subscriber.tenant, sent.sequence)
        if entry is None:
            self.fail(f"{sent}: there is no such event")
            return
        if sent.event_id != entry.id or (sent.body is not entry.body and sent.body != entry.body):
            self.fail(f"{sent} carries something else than {entry}")
        if subscriber.wants(sent.sequence, entry.type) is False:
            self.fail(f"{sent}: it did not ask for {entry}")

    def _check_skipped(self, subscriber: Subscriber, sent: SentRequest) -> None:
        for skipped in subscriber.skipped:
            if sent.is_replay or sent.sequence > skipped.up_to or sent.sequence in skipped.spared:
                continue
            if sent.at > skipped.at + LATE:
                self.fail(f"{sent}: the backlog up to {skipped.up_to} was skipped at {skipped.at:.3f}")
            skipped.spared.add(sent.sequence)

    def _check_state(self, subscriber: Subscriber, sent: SentRequest) -> None:
        if subscriber.deleted.surely(value=True, mark=sent.at):
            self.fail(f"{sent}: it was deleted")
        if subscriber.status.surely("paused", sent.at) and not sent.is_test:
            self.fail(f"{sent}: it is paused")
        if sent.path not in subscriber.path.at(sent.at):
            self.fail(f"{sent} went to {sent.path}, not to {subscriber.path.at(sent.at)}")
        if sent.headers.get("x-version") not in subscriber.header.at(sent.at):
            self.fail(f"{sent} has the additional header {sent.headers.get('x-version')!r}")
        if sent.headers.get("content-type") != "application/json":
            self.fail(f"{sent} has another content type")
