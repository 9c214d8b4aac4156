"""What a world of joints is like. Drawn from its seed, before anything happens in it."""

from random import Random
from typing import NamedTuple

from gateway.tests.world.socket_network import Wires

SECOND, MINUTE, HOUR, DAY = 1.0, 60.0, 3_600.0, 86_400.0

HABITS = ("secrets", "backlogs", "again", "conditions")
"""What owners may be busy with."""


class Plan(NamedTuple):
    nodes: int
    webhooks: int
    connectors: int
    """How many subscriptions there are at first."""
    documents: int
    acts: int
    """How many things clients do in all."""
    pauses: tuple[float, ...]
    """The seconds between two things that a client does."""
    waits: tuple[float, ...]
    """The delays that subscriptions may have, in seconds."""
    kills: int
    """How many processes end at once, and how many start in their places."""
    troubles: int
    """How often the database does not answer a process for some seconds."""
    freezes: int
    """How often a node of a fleet stands still for a while."""
    downtimes: tuple[float, ...]
    failing: float
    """The share of requests that endpoints and the vendor do not take."""
    barring: float
    """How likely the vendor lets one subscription send nothing, whatever the token."""
    reply_after: tuple[float, ...]
    commit_seconds: float
    conditions: float
    """The share of subscriptions with a condition."""
    delays: float
    """The share of subscriptions that wait first."""
    owning: float
    """The share of what clients do that is about subscriptions."""
    erasing: float
    """The share of what clients do to documents that erases one."""
    imported: float
    """The share of documents that another system keeps, and tells of through a queue."""
    is_alike: bool
    """Whether facts become what is alike to Python again and again, and conditions ask for that."""
    often: tuple[str, ...]
    """What owners do much more often than anything else: see `Owners`."""
    wires: Wires | None = None
    """The wires to endpoints, if the real sender is to make the requests of webhooks."""
    retries: tuple[tuple[int, ...], ...] = ((10, 60, 300), (10, 60, 300), (), (1, 2, 4, 8))
    """The schedules of retries that subscriptions may have, in seconds."""
    readers: int | None = None
    """How many subscriptions there are whose events customers read; None: as their own randomness says."""
    keeps_days: int | None = None
    """For how many days events are kept; None: for ever."""
    has_tokens: bool = True
    """Whether there may be endpoints that want a token."""
    certificates: float | None = None
    """How likely a webhook gets another client certificate, or none, whenever a client does something; None: as their
    own randomness says."""
    shadows: int | None = None
    """How many webhooks get a shadow; None: as their own randomness says."""
    rotations: float | None = None
    """How likely the secret of what is read is rotated whenever something is done with it; None: as their own
    randomness says."""
    partings: int = 0
    """How often a node is cut off from all endpoints for a while."""


def draw(random: Random) -> Plan:
    pauses = random.choice(
        ((0.01, 0.5), (0.01, 0.5), (0.5, 20.0), (5.0, 300.0), (0.01, 30.0, HOUR), (0.01, 0.01, 1.0, HOUR))
    )
    return Plan(
        nodes=1,
        webhooks=random.choice((1, 2, 4)),
        connectors=random.choice((1, 2, 3)),
        documents=random.choice((1, 3, 8)),
        acts=random.choice((30, 60, 120) if HOUR not in pauses else (30, 40)),
        pauses=pauses,
        waits=random.choice(((2.0, 20.0), (20.0, 600.0), (600.0, 3 * HOUR))),
        troubles=random.choice((0, 0, 2)),
        freezes=0,
        kills=random.choice((0, 0, 1, 3)),
        downtimes=random.choice(((0.0, 1.0), (1.0, MINUTE), (MINUTE, 2 * HOUR))),
        failing=random.choice((0.1, 0.3, 0.6)),
        barring=random.choice((0.0, 0.0, 0.5)),
        reply_after=random.choice(((0.005, 0.03), (0.02, 0.4), (0.3, 3.0))),
        commit_seconds=random.choice((0.0002, 0.002, 0.02)),
        conditions=random.choice((0.3, 0.8)),
        delays=random.choice((0.0, 0.5, 0.8)),
        owning=random.choice((0.2, 0.5)),
        erasing=random.choice((0.0, 0.1, 0.3)),
        imported=random.choice((0.1, 0.6)),
        is_alike=random.random() < 0.5,
        often=tuple(random.sample(HABITS, 2)),
    )


def draw_later(random: Random) -> tuple[float, ...]:
    """When subscriptions are made that begin in the past: after which share of what clients do. It is drawn for itself,
    so that the rest of a seed's world is what it was."""
    return tuple(sorted(random.uniform(0.1, 0.9) for _ in range(random.choice((0, 0, 1, 2)))))


def draw_fleet(random: Random) -> Plan:
    """The plan of a world with several nodes on one database. Their beats make long worlds slow, so it is short."""
    return draw(random)._replace(
        nodes=random.choice((2, 2, 3)),
        acts=random.choice((20, 60)),
        pauses=random.choice(((0.01, 0.5), (0.5, 5.0))),
        waits=random.choice(((2.0, 20.0), (20.0, 120.0))),
        kills=random.choice((0, 1, 2)),
        freezes=random.choice((0, 0, 1)),
        downtimes=(0.0, 1.0, 15.0),
    )


def draw_readers(random: Random) -> Plan:
    """The plan of a world in which all events are read, and the retention removes some: nothing else is there."""
    return draw(random)._replace(
        webhooks=0,
        connectors=0,
        acts=60,
        pauses=random.choice(((5.0, 300.0), (0.1, HOUR, 3 * HOUR), (0.1, HOUR, 3 * HOUR))),
        downtimes=(0.0, 1.0, 15.0),
        readers=random.choice((1, 2)),
        keeps_days=1,
        has_tokens=False,
    )


def draw_fleet_of_readers(random: Random) -> Plan:
    """The plan of a world of three nodes, at each of which readers ask. There is a webhook, too."""
    return draw_fleet(random)._replace(nodes=3, webhooks=1, connectors=0, acts=60, readers=random.choice((1, 2)))


def draw_offers(random: Random) -> Plan:
    """The plan of a world in which webhooks with shadows are given certificates and are moved, and not much else
    happens."""
    return draw(random)._replace(
        webhooks=2,
        connectors=0,
        documents=3,
        acts=60,
        pauses=(0.5, 20.0),
        kills=0,
        troubles=0,
        failing=0.1,
        conditions=0.0,
        delays=0.0,
        owning=0.5,
        erasing=0.0,
        often=("secrets",),
        readers=0,
        has_tokens=False,
        certificates=0.3,
        shadows=2,
    )


def draw_rotations(random: Random) -> Plan:
    """The plan of a world in which the secrets of what is read are rotated again and again."""
    return draw_readers(random)._replace(kills=0, rotations=0.5)


def draw_sockets(random: Random) -> Plan:
    """The plan of a world whose webhooks go through the real sender, over sockets."""
    return draw(random)._replace(
        webhooks=random.choice((1, 2, 4)),
        connectors=random.choice((0, 0, 1)),
        acts=120,
        pauses=random.choice(((0.01, 0.1), (0.01, 0.5), (0.5, 20.0))),
        downtimes=(0.0, 1.0, 15.0),
        failing=random.choice((0.0, 0.0, 0.2)),
        conditions=random.choice((0.0, 0.3)),
        delays=random.choice((0.0, 0.0, 0.3)),
        owning=random.choice((0.1, 0.3)),
        readers=0,
        has_tokens=False,
        certificates=0.0,
        wires=Wires(
            oddness=random.choice((0.0, 0.1, 0.5)),
            unreached=random.choice((0.0, 0.1, 0.4)),
            kept=random.choice((1, 3, 4_000)),
            kept_seconds=random.choice((1.0, 10.0, 60.0)),
        ),
        partings=random.choice((0, 1, 2)),
    )


def draw_sockets_of_workers(random: Random) -> Plan:
    """The plan of a world whose webhooks go through a worker, which is lost again and again."""
    plan = draw_sockets(random)
    assert plan.wires is not None
    return plan._replace(wires=plan.wires._replace(worker_lasts=random.choice(((0.0, 20.0), (0.0, 90.0)))))
