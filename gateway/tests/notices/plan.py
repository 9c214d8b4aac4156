"""What happens in a world of notices."""

from random import Random
from typing import NamedTuple

MINUTE, HOUR = 60.0, 3_600.0


class NoticePlan(NamedTuple):
    nodes: int
    tenants: int
    """Beside `default`."""
    subscriptions: int
    dead: int
    """How many of them fail from the beginning to the end."""
    flapping: int
    """How many share a provider that comes and goes for a while."""
    up: tuple[float, float]
    """For how long it is up and down, again and again."""
    flaps_for: float
    """For how many seconds it does so."""
    blips: int
    """How often each of the others fails for a moment."""
    blip_lasts: tuple[float, ...]
    """For how many seconds it does so."""
    lasts: float
    """The seconds until all is well."""
    writes_every: float
    writes_while_flapping: float
    """The same, while the provider comes and goes."""
    kills: int
    """How many nodes end at once; another one starts in the place of each."""
    cuts: int
    """How often no node reaches the database for a while."""
    low_disks: int
    """How often the disk is full for a while, so that documents are refused."""
    mutes: int
    deletions: int
    """How many tenants are deleted."""
    changes: int
    """How often a subscription is paused, resumed or deleted."""
    erasures: int
    unsubscribes: int
    """How often a contact wants no more mail."""
    breaks_slack: bool
    """Whether the vendor takes no notice for half of the time."""
    sources: int
    source_troubles: int
    """How often each source is silent or behind, or gives something up, for a while."""
    work_seconds: float
    """How long the database takes for a piece of work, at most: what else happens comes between."""


def draw(seed: int, nodes: int | None = None) -> NoticePlan:
    random = Random(seed)
    lasts = random.choice((1.0, 2.0, 4.0)) * HOUR
    return NoticePlan(
        nodes=nodes or random.choice((1, 2, 3)),
        tenants=random.choice((1, 2, 3)),
        subscriptions=random.choice((4, 9, 16)),
        dead=random.choice((0, 1, 2)),
        flapping=random.choice((0, 2, 6)),
        up=random.choice(((20.0, 280.0), (60.0, 60.0), (300.0, 700.0), (5.0, 1_500.0))),
        flaps_for=lasts / 4,
        blips=random.choice((0, 1, 4)),
        blip_lasts=(1.0, 100.0, 300.0),
        lasts=lasts,
        writes_every=(writes_every := random.choice((5.0, 30.0, 120.0))),
        writes_while_flapping=writes_every,
        kills=random.choice((0, 1, 4)),
        cuts=random.choice((0, 0, 2)),
        low_disks=random.choice((0, 1, 2)),
        mutes=random.choice((0, 2)),
        deletions=random.choice((0, 1, 2)),
        changes=random.choice((0, 3)),
        erasures=random.choice((0, 3)),
        unsubscribes=seed % 3,
        breaks_slack=random.random() < 0.5,
        work_seconds=random.choice((0.002, 0.002, 0.5)),
        sources=random.choice((0, 1, 3)),
        source_troubles=random.choice((1, 4)),
    )
