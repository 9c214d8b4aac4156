"""What must hold once a fleet's database has gone back in time:

- What it has kept stays as it is, and its logs go on without a gap.
- A change that was answered, and is there or was made since, stays.
- A node that has noticed sends nothing of what was lost, and nothing that is settled in what was kept.

A node that has not noticed yet may send what it remembers. It must notice with its next beat.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

from gateway.tests.simulation.fleet_node import FleetNode
from gateway.tests.world.network import SentRequest

from signalpost.domain.delivery.delivery import State
from signalpost.store.packing.sequences import unpack_sequences
from signalpost.store.sqlite.codec import pack_uuid, unpack_uuid

if TYPE_CHECKING:
    from gateway.tests.simulation.fleet_world import FleetWorld

Key = tuple[str, int]
"""A delivery: the host of its subscription, and the sequence of its event."""
_LANE = (
    "SELECT s.number, l.head, l.open FROM lane l JOIN subscription s ON s.number = l.subscription_number WHERE s.id = ?"
)
_WAITING = f"SELECT sequence FROM delivery WHERE subscription_number = ? AND state <> {State.FAILED:d}"
_GAPS = (
    "SELECT t.id, t.last_sequence, count(e.sequence), max(e.sequence) FROM tenant t LEFT JOIN event e"
    " ON e.tenant_id = t.id GROUP BY t.id HAVING t.last_sequence <> count(e.sequence)"
    " OR t.last_sequence <> coalesce(max(e.sequence), 0)"
)


class FailoverCheckers:
    def __init__(self, world: "FleetWorld") -> None:
        self._world = world
        self._answered: set[str] = set()
        """The events of changes that clients were told of, and that are not known to be lost."""
        self._kept: dict[tuple[int, int], str] = {}
        """The events that the last failover has kept, by tenant and sequence."""
        self._settled: set[Key] = set()
        """What it found settled."""
        self._from_before: set[Key] = set()
        """What was sent by nodes that had not noticed it. Subscriptions to that may have been lost."""

    # --- As it happens ------------------------------------------------------------------------------------------------

    def answered(self, event_id: str | None, history: int) -> None:
        """A client was told that its change is made. It had asked for it in that history of the database."""
        if event_id is None:
            return
        if self._world.rows("SELECT 1 FROM event WHERE id = ?", pack_uuid(event_id)):
            self._answered.add(event_id)
        elif history == self._world.database.history:
            self._world.fail("answered", f"{event_id} was made, and is not there")

    def failed_over(self, sent: Collection[Key], retried: Collection[Key]) -> None:
        """The database went back. `sent` are the deliveries of what it has kept, and `retried` those that a client
        asked for once more."""
        self._kept = self._events()
        before, self._answered = self._answered, self._answered & set(self._kept.values())
        self._world.counts["answered, and lost by a failover"] += len(before) - len(self._answered)
        self._settled = {key for key in sent if key not in retried and self._is_settled(key)}
        self._from_before |= set(sent)

    def is_lost(self, sent: SentRequest) -> bool:
        """Whether the event of a request is not there any more, and it was sent all the same. A node that had noticed
        must not do that."""
        if self._world.database.history == 1:
            return False
        node = self._world.nodes[sent.process]
        tenant, _ = self._world.subscribed[sent.host]
        found = self._world.rows("SELECT id FROM event WHERE tenant_id = ? AND sequence = ?", tenant, sent.sequence)
        if found == [(pack_uuid(sent.event_id),)]:
            return False
        if node.is_forgotten:
            self._world.counts["sent of what was lost, not noticed yet"] += 1
        else:
            self._world.fail("lost", f"{sent} is of an event that the database has lost")
        return True

    def sent(self, sent: SentRequest, node: FleetNode, *, is_retried: bool) -> None:
        """A request for an event that is there."""
        key = (sent.host, sent.sequence)
        if node.is_forgotten:
            self._from_before.add(key)
        elif key in self._settled and not is_retried:
            self._world.fail("settled", f"{sent} was settled in what nodes came back to")

    def may_be_unwanted(self, key: Key) -> bool:
        """Whether a subscription may have wanted an event as it was before a failover."""
        return key in self._from_before

    # --- In the end ---------------------------------------------------------------------------------------------------

    def finished(self) -> None:
        now = self._events()
        for place, event in self._kept.items():
            if now.get(place) != event:
                self._world.fail("kept", f"a failover kept {event} at {place}, where there is {now.get(place)}")
        for event in self._answered - set(now.values()):
            self._world.fail("answered", f"{event} is not there any more")
        for tenant, last, count, highest in self._world.rows(_GAPS):
            self._world.fail("sequences", f"tenant {tenant} is at {last} and has {count} events up to {highest}")

    def _events(self) -> dict[tuple[int, int], str]:
        found = self._world.rows("SELECT tenant_id, sequence, id FROM event")
        return {(tenant, sequence): unpack_uuid(event) for tenant, sequence, event in found}

    def _is_settled(self, key: Key) -> bool:
        host, sequence = key
        _, identity = self._world.subscribed[host]
        for number, head, packed in self._world.rows(_LANE, pack_uuid(identity)):
            waiting = {each for (each,) in self._world.rows(_WAITING, number)}
            return sequence <= head and sequence not in waiting and sequence not in unpack_sequences(packed)
        return False
