"""A fleet under load: nodes on one PostgreSQL, callers who write to them, endpoints that keep what they get.

Whatever happens to nodes and the database meanwhile, `check` looks from outside at what was promised: every change that
was answered 2xx is in the log, every event of the log was delivered as it is there, in order (C17), and twice only
where a node was lost that had it in flight.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from gateway.tests.acceptance.client import Client, Lost, Reply, until
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.acceptance.kills import check_deliveries, check_strict_order, mostly_well, until_all_delivered
from gateway.tests.acceptance.load import Writer, check_log
from gateway.tests.acceptance.receiver import OK, Endpoint, ReceivedRequest

from signalpost.domain.roster import owners_of_few

LOOSE, STRICT = "loose", "strict"
PAUSE = 0.06
"""Seconds between two changes of a caller, on average: a test is about faults, not about speed."""


class Failure(NamedTuple):
    """An answer 5xx."""

    asked: float
    node: GatewayProcess
    reply: Reply

    @property
    def code(self) -> str:
        return str(self.reply.json()["code"])


class Rotation:
    """The nodes to which a balancer sends requests, in turns."""

    def __init__(self, nodes: Sequence[GatewayProcess] = ()) -> None:
        self.nodes = list(nodes)
        self._turn = 0

    def next(self) -> GatewayProcess:
        self._turn += 1
        return self.nodes[self._turn % len(self.nodes)]


class BalancedClient(Client):
    """A caller behind a balancer. A request that a node takes no connection for goes to the next one, as balancers do:
    nothing of it was sent. Answers 5xx are remembered."""

    def __init__(self, rotation: Rotation, failures: list[Failure]) -> None:
        self._rotation = rotation
        self._failures = failures
        self._node = rotation.next()
        super().__init__(lambda: self._node.address, lambda: self._node.operator_key)

    def request(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        for _ in range(20):
            self._node = self._rotation.next()
            asked = time.monotonic()
            try:
                reply = super().request(method, path, body, **headers)
            except Lost as lost:
                if not isinstance(lost.__cause__, ConnectionRefusedError):
                    raise
                time.sleep(0.05)
                continue
            if reply.status >= 500:
                self._failures.append(Failure(asked, self._node, reply))
            return reply
        raise Lost("no node takes connections")


class Loss(NamedTuple):
    """A node is lost with what it has in flight: it was killed, or does not beat in time."""

    at: float
    end: int
    """The end of the log then: whatever came later was not in flight."""
    recorded: frozenset[tuple[str, int, int]]
    """What was recorded before, by subscription, sequence and number of the attempt: it never comes again."""


class Fleet:
    def __init__(
        self, folder: Path, ca_file: Path, endpoint: Callable[..., Endpoint], allow: str, **shared: str
    ) -> None:
        """`shared` are the settings that all nodes have; `database_url` is among them."""
        self.nodes: list[GatewayProcess] = []
        self.rotation = Rotation()
        self.failures: list[Failure] = []
        self.callers: list[Writer] = []
        self.losses: list[Loss] = []
        self.targets: dict[str, tuple[Endpoint, Any]] = {}
        """Endpoints with their subscriptions, by the subscription's id."""
        self.look_at = shared["database_url"]
        """Where this looks into the database itself."""
        self._folder = folder
        self._ca_file = ca_file
        self._endpoint = endpoint
        self._allow = allow
        self._shared = shared

    # --- Nodes --------------------------------------------------------------------------------------------------------

    def add(self, command: Sequence[str] = (), **settings: str) -> GatewayProcess:
        """Start one node more, and send requests to it."""
        logs = self._folder / f"logs-{len(self.nodes)}"
        logs.mkdir()
        node = GatewayProcess(self._folder / "data", logs, self._ca_file, self._allow, **self._shared | settings)
        node.command = [*command] or node.command
        self.nodes.append(node)
        node.start()
        self.rotation.nodes.append(node)
        return node

    def kill(self, node: GatewayProcess) -> None:
        with self.losing():
            self.rotation.nodes.remove(node)
            node.kill()

    def stop(self, node: GatewayProcess) -> None:
        """SIGTERM. The balancer learns of it when the node takes no more connections."""
        node.signal()
        time.sleep(0.2)
        self.rotation.nodes.remove(node)
        assert node.wait() == 0

    def end(self) -> None:
        for node in self.nodes:
            node.end()

    def losing(self) -> "_Losing":
        """Whatever loses a node happens inside."""
        return _Losing(self)

    # --- Load ---------------------------------------------------------------------------------------------------------

    def subscribe(self, count: int) -> None:
        """Half of the subscriptions have loose order, and endpoints that are well; the others strict order, and
        endpoints that refuse or hesitate now and then."""
        for number in range(count):
            ordering = (LOOSE, STRICT)[number % 2]
            target = self._endpoint(OK if ordering == LOOSE else mostly_well(number))
            made = self.rotation.next().api.subscribe(
                target.url, name=f"{ordering} {number}", ordering=ordering, retryDelays=[1, 1, 1]
            )
            self.targets[made["id"]] = target, made

    def write(self, callers: int, nodes: Sequence[GatewayProcess] | None = None) -> None:
        """Have so many callers begin to make changes, through these nodes alone if they are given."""
        rotation = self.rotation if nodes is None else Rotation(nodes)
        first = len(self.callers)
        self.callers += [
            Writer(BalancedClient(rotation, self.failures), first + number, seed=first, pause=PAUSE, keyed=0.7)
            for number in range(callers)
        ]

    def calm_down(self) -> None:
        """Have the callers go on, with a tenth of the changes: for what takes a minute, whatever happens meanwhile."""
        for caller in self.callers:
            caller.pause = 10 * PAUSE

    def stop_callers(self) -> None:
        for caller in self.callers:
            caller.stop()

    def until_all_delivered(self) -> None:
        """Wait until every endpoint has what is in the log."""
        feed = list(self.rotation.nodes[0].api.feed())
        for target, subscription in self.targets.values():
            until_all_delivered(self.rotation.nodes[0].api, subscription, target, feed)

    def forget(self, ids: set[str]) -> None:
        """Leave events that the database lost out of what is checked."""
        for target, _ in self.targets.values():
            target.requests[:] = [request for request in target.requests if request.id not in ids]
            target.answered[:] = [each for each in target.answered if each[0].id not in ids]

    def until_delivered_more(self, count: int = 30) -> None:
        """Wait until every endpoint has got so many requests more."""
        before = {subscription: len(target.requests) for subscription, (target, _) in self.targets.items()}
        until(
            lambda: all(len(self.targets[each][0].requests) >= came + count for each, came in before.items()),
            lambda: (
                f"somebody gets nothing: {[(n, len(self.targets[each][0].requests)) for each, n in before.items()]}"
            ),
        )

    # --- The database, looked at from outside -------------------------------------------------------------------------

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.look_at) as connection:
            connection.execute("SELECT set_config('signalpost.tenants', '{-1}', true)")
            return connection.execute(sql.encode()).fetchall()

    def recorded(self) -> list[tuple[str, int, int]]:
        found = self.rows(
            "SELECT s.id, a.sequence, a.number FROM attempt a JOIN subscription s ON s.number = a.subscription_number"
        )
        return [(str(subscription), sequence, number) for subscription, sequence, number in found]

    def log_end(self) -> int:
        return int(self.rows("SELECT max(last_sequence) FROM tenant")[0][0])

    def owners(self) -> dict[int, int | None]:
        """The node that each lane's row names, by the number of the lane."""
        return dict(self.rows("SELECT subscription_number, owner FROM lane"))

    def node_ids(self) -> set[int]:
        return {number for (number,) in self.rows("SELECT id FROM node")}

    def until_spread(self, count: int) -> None:
        """Wait until so many nodes are there, each of which owns the lanes that it should own."""

        def spread() -> bool:
            ids, owners = self.node_ids(), self.owners()
            return len(ids) == count and owners == owners_of_few(ids, owners)

        until(spread, lambda: f"lanes are not spread over {count} nodes: {self.node_ids()}, {self.owners()}")

    def until_begun_anew(self, before: set[int]) -> None:
        """Wait until every node has noticed that the database is another one, has let go of what it remembered, and is
        ready again. `before` are the nodes that there were, by number."""
        until(lambda: len(self.node_ids() - before) == len(self.nodes))
        assert all("loading everything again" in node.stderr.read_text() for node in self.nodes)
        self.until_spread(len(self.nodes))
        until(lambda: all(map(is_ready, self.nodes)))

    # --- What has to hold ---------------------------------------------------------------------------------------------

    def check(self) -> str:
        """Stop the callers; what was promised is kept. Returns what there was, in words."""
        self.stop_callers()
        api = self.rotation.nodes[0].api
        feed = list(api.feed())
        check_log(feed, self.callers)
        repeats = 0
        for target, subscription in self.targets.values():
            until_all_delivered(api, subscription, target, feed)
            check_deliveries(target, feed, subscription["secret"])
            repeats += self._check_repeats(target, subscription["id"])
            if subscription["ordering"] == STRICT:
                check_strict_order(target)
            else:
                check_order(target)
            assert target.overlaps == 0 or self._lost_any, "two of a document were in flight"
        recorded = self.recorded()
        assert len(set(recorded)) == len(recorded), "an attempt was recorded twice: by a node that did not own its lane"
        assert all("retry-after" in failure.reply.headers for failure in self.failures)
        assert [fault for node in self.nodes for fault in node.faults] == []
        return (
            f"{len(feed)} events, {sum(len(c.promises) for c in self.callers)} answered 2xx, {len(self.failures)} 5xx, "
            f"{sum(c.unknown for c in self.callers)} never answered, {sum(c.repeated for c in self.callers)} sent again"
            f" with their key ({sum(c.replayed for c in self.callers)} had taken place); {len(self.losses)} losses of "
            f"nodes, {repeats} deliveries came twice"
        )

    @property
    def _lost_any(self) -> bool:
        return bool(self.losses) or self._were_removed()

    def _were_removed(self) -> bool:
        """Whether a node was taken for dead. On a machine that stalls that may happen unasked."""
        return any("beats had stopped" in node.stderr.read_text() for node in self.nodes)

    def _check_repeats(self, target: Endpoint, subscription_id: str) -> int:
        """The same attempt comes twice only where a node was lost in between that had it in flight."""
        came: dict[tuple[int, int], list[ReceivedRequest]] = {}
        for request in list(target.requests):
            came.setdefault((request.sequence, request.attempt), []).append(request)
        repeats = 0
        for (sequence, attempt), requests in came.items():
            key = (subscription_id, sequence, attempt)
            losses = [
                loss
                for loss in self.losses
                if sequence <= loss.end and key not in loss.recorded and requests[-1].arrived > loss.at
            ]
            extra = len(requests) - 1
            assert extra <= len(losses) or (self._were_removed() and not self.losses), (
                f"{key} came {len(requests)} times, at {[request.arrived for request in requests]}; losses:"
                f" {[(loss.at, loss.end) for loss in self.losses]}"
            )
            repeats += extra
        return repeats


class _Losing:
    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def __enter__(self) -> None:
        self._recorded = frozenset(self._fleet.recorded())
        self._at = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._fleet.losses.append(Loss(self._at, self._fleet.log_end(), self._recorded))


def check_order(target: Endpoint) -> None:
    """C17: where nothing has to be retried, the events of a document come in their order."""
    newest: dict[str, int] = {}
    seen: set[int] = set()
    for request in list(target.requests):
        document = request.event["data"]["document"]["externalId"]
        if request.sequence not in seen:
            assert request.sequence > newest.get(document, 0), "a later event of a document came first"
            newest[document] = request.sequence
            seen.add(request.sequence)


def is_ready(node: GatewayProcess) -> bool:
    """What a balancer is told of a node."""
    with suppress(Lost):
        return node.api.request("GET", "/health/ready").status == 200
    return False
