"""What a fleet and its world are like. Drawn from the world's seed, before anything happens."""

from random import Random
from typing import NamedTuple

from gateway.tests.simulation.plan import REST_AFTER

TROUBLES = ("kill", "freeze", "cut", "slow_down", "lose_answers", "stop", "join", "forget", "fail_over")
"""What may happen to a node, and to the database; see `fleet_troubles.py`."""


class FleetPlan(NamedTuple):
    tenants: int
    nodes: int
    subscriptions: int
    documents: int
    faults: int
    """How many things happen to nodes."""
    pauses: tuple[float, ...]
    """The seconds between two things that a client does."""
    reply_after: tuple[float, ...]
    failing: float
    """The share of requests that receivers refuse."""
    troubles: tuple[str, ...] = TROUBLES
    """What may happen. A world where the same thing happens again and again goes deeper than one that has a little of
    everything."""
    subscribing: float = 1.0
    """How likely a client makes a subscription next, as long as some are missing."""
    changing: float = 0.06
    """The share of what clients do that changes a subscription."""
    retrying: float = 0.03
    """The share that asks for a delivery once more."""
    heard: float = 0.9
    """The share of announcements that arrive."""
    lasts: float = 60.0
    """The seconds in which clients write and nodes fail. A short world goes wrong as often as a long one."""
    pooled: bool = False
    """Whether a pooler is in front of the database: it keeps nodes' connections while the server is replaced, and nodes
    hear no announcements."""
    apart: float = 0.0
    """The seconds by which machines' clocks differ from the database's at most; each runs fast or slow, too."""
    testing: float = 0.0
    """The share of what clients do that sends a test to an endpoint."""
    broken: float = 0.0
    """The seconds from the beginning in which all receivers refuse everything. After a minute breakers open."""
    machines: int = 2
    """On how many machines nodes run. A node knows of its own whether a process there has ended."""

    @property
    def rest_after(self) -> float:
        """See `Plan.rest_after`."""
        return Random(repr(self)).choice(REST_AFTER)


def with_trouble(seed: int, trouble: str) -> FleetPlan:
    """The plan of a world in which this happens, alone or with something else."""
    plan = draw(Random(seed))
    return plan._replace(troubles=(trouble, plan.troubles[seed % len(plan.troubles)]), faults=max(2, plan.faults))


def draw(random: Random) -> FleetPlan:
    plan = FleetPlan(
        tenants=random.choice((1, 1, 2, 5)),
        nodes=random.choice((2, 2, 3, 4)),
        subscriptions=random.choice((2, 5, 9)),
        documents=random.choice((1, 4, 20)),
        faults=random.choice((0, 2, 4, 8)),
        pauses=random.choice(((0.1, 0.5), (0.2, 2.0), (0.5, 5.0))),
        reply_after=random.choice(((0.005, 0.03), (0.02, 0.4), (0.3, 3.0))),
        failing=random.choice((0.0, 0.0, 0.1)),
        troubles=random.choice((TROUBLES, tuple(random.sample(TROUBLES, 2)), (random.choice(TROUBLES),))),
        subscribing=random.choice((1.0, 0.1)),
        changing=random.choice((0.06, 0.06, 0.4)),
        retrying=random.choice((0.03, 0.03, 0.3)),
        heard=random.choice((0.9, 0.9, 0.3, 0.0)),
        lasts=random.choice((15.0, 15.0, 30.0, 60.0)),
        pooled=random.choice((False, True)),
        apart=random.choice((0.0, 3.0, 7_200.0)),
        testing=random.choice((0.0, 0.03, 0.3)),
    )
    return random.choice((plan, plan, plan, _broken_at_first(plan)))


def _broken_at_first(plan: FleetPlan) -> FleetPlan:
    """A world in which breakers open, and close by a test or a probe. Deliveries are not given up so soon."""
    return plan._replace(broken=80.0, lasts=110.0)
