"""What must hold of a fleet, whatever happens, looked at from outside:

- A node starts nothing beyond its lease, which the world counts for itself.
- A request for a lane comes from the node that owns it in the database.
- No document of a subscription has two requests in flight: of one node never, and of two only if one was lost.
- What was delivered is not sent again, unless a node was lost that might not have recorded it.
- An event is first sent after those of its document that came before it.
- No retry comes early, and signatures are of the database's time, however wrong a node's machine's clock is.
- No attempt is recorded twice, and each lane knows how many of its deliveries wait.
- A test that was delivered has closed the breaker of its endpoint (C16), whichever node sent it.
- In the end everything that was committed and wanted is delivered, nothing else was sent, and all nodes know the same.

What must hold once the database has gone back is in `failover_checkers.py`.

A node that the database forgot may do as if it owned its lanes until its next beat tells it, or it is refused a record.
"""

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from gateway.tests.simulation.failover_checkers import FailoverCheckers
from gateway.tests.simulation.fleet_node import FleetNode
from gateway.tests.world.network import SentRequest

from signalpost.domain.subscription import wanted
from signalpost.domain.timestamps import SECOND
from signalpost.store.packing.sequences import unpack_sequences
from signalpost.store.sqlite.codec import pack_uuid

if TYPE_CHECKING:
    from gateway.tests.simulation.fleet_world import FleetWorld

Key = tuple[str, int]
"""A delivery: the host of its subscription, and the sequence of its event."""
RETRY_DELAY = 10
"""The seconds after which subscriptions of these worlds have a failed attempt repeated."""
RETRIES_AFTER = RETRY_DELAY * 0.97
"""A node's clock may be on its way to the database's time, by 2 % of what passes."""
SIGNED_WITHIN = 4.0
"""The database's time that a node goes by is as old as half of a beat took, which is up to 4 s on a slow wire; and a
signature has whole seconds."""
_OWNER = "SELECT s.number, l.owner FROM lane l JOIN subscription s ON s.number = l.subscription_number WHERE s.id = ?"
_EVENTS = "SELECT tenant_id, sequence, id FROM event"
_LANES = (
    "SELECT s.number, l.head, l.open, l.owner, l.awaiting_retry + l.blocked, t.last_sequence"
    " FROM lane l JOIN subscription s ON s.number = l.subscription_number JOIN tenant t ON t.id = s.tenant_id"
)
_RECORDED_TWICE = (
    "SELECT subscription_number, sequence, number FROM attempt WHERE counted AND run = 0"
    " GROUP BY subscription_number, sequence, number HAVING count(*) > 1"
)
_MISCOUNTED = (
    "SELECT l.subscription_number FROM lane l LEFT JOIN delivery d USING (subscription_number)"
    " GROUP BY l.subscription_number, l.awaiting_retry, l.blocked HAVING l.awaiting_retry"
    " <> count(*) FILTER (WHERE d.state = 1) OR l.blocked <> count(*) FILTER (WHERE d.state = 2)"
)


class LaneSeen(NamedTuple):
    """What an onlooker sees of a lane."""

    owner: FleetNode | None
    """The node that has it, as both the database and the node say."""
    failing_since: int | None
    """When the first of the failures was that its breaker counts."""
    is_open: bool
    """Whether its breaker is open."""


class DeliveredTest(NamedTuple):
    host: str
    by: FleetNode
    at: float

    before: LaneSeen
    """The lane of the endpoint, as it was before."""


class FleetCheckers:
    def __init__(self, world: "FleetWorld") -> None:
        self._world = world
        self.sends: dict[Key, list[SentRequest]] = {}
        """The requests for each delivery."""
        self._firsts: dict[tuple[str, str], list[SentRequest]] = {}
        """The first request for each delivery, by the host and the document."""
        self._in_flight: dict[tuple[str, str], list[SentRequest]] = {}
        self.retried: Counter[Key] = Counter()
        """How often a client asked for each delivery once more."""
        self.failovers = FailoverCheckers(world)

    # --- As it happens ------------------------------------------------------------------------------------------------

    def sent(self, sent: SentRequest) -> None:
        node = self._world.nodes[sent.process]
        self._check_signature(sent)
        if sent.is_test:  # any node sends one: it needs no lane, and so no lease
            return
        if self._world.time.now >= node.wire.lease_until:
            self._world.fail("lease", f"{sent}: its node's lease ended at {node.wire.lease_until:.3f}")
        others = self._in_flight.setdefault((sent.host, sent.document_id), [])
        self._check_own_overlap(sent, others)
        self._check_owner(sent, node)
        if not self.failovers.is_lost(sent):
            self._check_delivery(sent, node, others)
        others.append(sent)

    def _check_delivery(self, sent: SentRequest, node: FleetNode, others: list[SentRequest]) -> None:
        before = self.sends.setdefault((sent.host, sent.sequence), [])
        firsts = self._firsts.setdefault((sent.host, sent.document_id), [])
        self._check_time(sent, before)
        self.failovers.sent(sent, node, is_retried=self.retried[sent.host, sent.sequence] > 0)
        if not node.is_forgotten:
            self._check_repeat(sent, before)
            self._check_overlap(sent, others)
            if not before:
                self._check_order(sent, firsts)
        if not before:
            firsts.append(sent)
        before.append(sent)

    def ended(self, sent: SentRequest) -> None:
        if sent.is_test:
            return
        self._in_flight[sent.host, sent.document_id].remove(sent)

    def lane_of(self, host: str) -> LaneSeen:
        """The lane of an endpoint as it is now."""
        number, owner = self._lane_of(host)
        for node in self._world.running:
            worker = node.engine.lanes.here.workers.get(number)
            if worker is not None and node.store.fleet.node_id == owner:
                breaker = worker.health.breaker
                return LaneSeen(node, breaker.failing_since, breaker.is_open)
        return LaneSeen(None, None, is_open=False)

    def tested(self, test: DeliveredTest) -> None:
        """A test was delivered, and all nodes have heard of it by now. One that could not be told goes by a probe."""
        now, before = self.lane_of(test.host), test.before
        if now.owner is None or now.owner is not before.owner:
            return
        if any(node.was_lost_since(test.at) for node in (test.by, now.owner)):
            return
        self._world.counts["tests that closed a breaker"] += before.is_open
        self._world.counts["of them, by another node"] += before.is_open and test.by is not now.owner
        if now.failing_since is not None and now.failing_since == before.failing_since:
            about = f"{test.host} took a test of process {test.by.number} at {test.at:.3f}"
            self._world.fail("breaker", f"{about}, and failures from before it count at process {now.owner.number}")

    def killed(self, node: FleetNode) -> None:
        for requests in self._in_flight.values():
            requests[:] = [sent for sent in requests if sent.process != node.number]

    def failed_over(self) -> None:
        """The database went back: what it has lost was never there, and its numbers are given again."""
        kept = {(tenant, sequence): event for tenant, sequence, event in self._world.rows(_EVENTS)}
        for place, sends in [*self.sends.items()]:
            tenant, _ = self._world.subscribed[place[0]]
            if kept.get((tenant, place[1])) != pack_uuid(sends[0].event_id):
                self._world.counts["delivered, and lost by a failover"] += any(sent.is_delivered for sent in sends)
                del self.sends[place], self.retried[place]
        for firsts in self._firsts.values():
            firsts[:] = [first for first in firsts if self.sends.get((first.host, first.sequence), [])[:1] == [first]]
        self.failovers.failed_over(self.sends, +self.retried)

    def _check_signature(self, sent: SentRequest) -> None:
        if abs(sent.signed_at - sent.wall / SECOND) > SIGNED_WITHIN:
            self._world.fail("signatures", f"{sent} is signed at {sent.signed_at}, and it is {sent.wall / SECOND:.1f}")

    def _check_time(self, sent: SentRequest, before: list[SentRequest]) -> None:
        if self.retried[sent.host, sent.sequence]:
            return
        for failed in before:
            is_known = failed.is_failed and not self._was_lost(failed)
            if is_known and sent.attempt == failed.attempt + 1 and sent.at - failed.ended_at < RETRIES_AFTER:
                self._world.fail("early", f"{sent} comes too soon after {failed}")

    def _check_owner(self, sent: SentRequest, node: FleetNode) -> None:
        me = node.store.fleet.node_id
        lane, owner = self._lane_of(sent.host)
        if owner != me and (not node.is_forgotten or lane in node.store.lanes.refused):
            self._world.fail("owner", f"{sent} is sent by node {me}, and node {owner} owns the lane")

    def _lane_of(self, host: str) -> tuple[int, int | None]:
        """The number of an endpoint's lane, and which node owns it."""
        _, identity = self._world.subscribed[host]
        return next(iter(self._world.rows(_OWNER, pack_uuid(identity))), (0, None))

    def _check_repeat(self, sent: SentRequest, before: list[SentRequest]) -> None:
        delivered = [each for each in before if each.is_delivered and not self._was_lost(each)]
        if len(delivered) > self.retried[sent.host, sent.sequence]:
            self._world.fail("repeat", f"{sent} was delivered before: {delivered}")

    def _check_own_overlap(self, sent: SentRequest, others: list[SentRequest]) -> None:
        for other in others:
            if other.process == sent.process:
                self._world.fail("overlap", f"{sent} beside {other}")

    def _check_overlap(self, sent: SentRequest, others: list[SentRequest]) -> None:
        for other in others:
            if not self._was_lost(other):
                self._world.fail("overlap", f"{sent} beside {other}")

    def _check_order(self, sent: SentRequest, firsts: list[SentRequest]) -> None:
        for first in firsts:
            later = self.sends[first.host, first.sequence] if first.sequence > sent.sequence else []
            if later and not any(map(self._was_lost, later)):
                self._world.fail("order", f"{sent} comes first after {first}")

    def _was_lost(self, sent: SentRequest) -> bool:
        return self._world.nodes[sent.process].was_lost_since(sent.at)

    # --- In the end ---------------------------------------------------------------------------------------------------

    def unsettled(self) -> str | None:
        """What is left to do; None if nothing is."""
        if not any(node.has_started for node in self._world.running):
            return "no node has started"
        for number, head, packed, owner, waiting, last in self._world.rows(_LANES):
            open_ = unpack_sequences(packed)
            wants = [key for key in self._owed_of(number) if key[1] > head] if last > head else []
            if open_ or waiting or wants:
                return f"lane {number} of node {owner} at {head} of {last}: {open_}, {waiting} wait, {wants[:5]} unread"
        return None

    def finished(self) -> None:
        """Everything is settled."""
        self._check_agreement()  # what is owed is known to any node then
        owed = {
            key for (number,) in self._world.rows("SELECT number FROM subscription") for key in self._owed_of(number)
        }
        for key in owed:
            requests = self.sends.get(key, [])
            was_cut_off = any(self._world.nodes[sent.process].is_dead for sent in requests)
            if not was_cut_off and not any(sent.is_delivered for sent in requests):
                self._world.fail("delivery", f"{key[0]} never got {key[1]}")
        for key in self.sends.keys() - owed:
            if not self.failovers.may_be_unwanted(key):
                self._world.fail("selection", f"{key[0]} did not ask for {key[1]}")
        for twice in self._world.rows(_RECORDED_TWICE):
            self._world.fail("records", f"an attempt was recorded twice (subscription, sequence, number): {twice}")
        self.check_counts()
        self.failovers.finished()

    def check_counts(self) -> None:
        for (number,) in self._world.rows(_MISCOUNTED):
            self._world.fail("counts", f"lane {number} does not know how many of its deliveries wait")

    def _check_agreement(self) -> None:
        knowing = [node for node in self._world.running if node.has_started]
        for host, (tenant, identity) in self._world.subscribed.items():
            known = {node.number: node.engine.directory.subscription(tenant, identity) for node in knowing}
            filters = {number: each and each.filters for number, each in known.items()}
            if len(set(filters.values())) > 1:
                self._world.fail("agreement", f"nodes know {host} in different ways: {filters}")

    def _owed_of(self, number: int) -> list[Key]:
        """The events that a subscription wants."""
        ((identity, tenant),) = self._world.rows("SELECT id, tenant_id FROM subscription WHERE number = ?", number)
        [host] = [host for host, (_, each) in self._world.subscribed.items() if pack_uuid(each) == identity]
        node = next(node for node in self._world.running if node.has_started)
        found = node.engine.directory.subscription(tenant, self._world.subscribed[host][1])
        if found is None:
            return [(host, 1 << 62)]  # nobody has heard of it yet
        return [
            (host, sequence)
            for sequence, event_type in self._world.rows(
                "SELECT sequence, type FROM event WHERE tenant_id = ? AND sequence > ? ORDER BY sequence",
                tenant,
                found.starts_after,
            )
            if event_type & wanted(found.filters, sequence)
        ]
