"""A week of a thousand subscriptions: 20 are dead, 400 share a provider that comes and goes for three hours."""

from gateway.tests.notices.notice_world import NoticeWorld
from gateway.tests.notices.plan import HOUR, MINUTE, NoticePlan
from gateway.tests.simulation.seeded_world import Violation

MOST = 20
"""How many notices a week like this may have."""
THE_WEEK = NoticePlan(
    nodes=1,
    tenants=3,
    subscriptions=1_000,
    dead=20,
    flapping=400,
    up=(20.0, 280.0),
    flaps_for=3 * HOUR,
    blips=7,
    blip_lasts=(1.0, 60.0),
    lasts=7 * 24 * HOUR,
    writes_every=4 * HOUR,
    writes_while_flapping=15 * MINUTE,
    kills=3,
    cuts=2,
    low_disks=0,
    mutes=0,
    deletions=0,
    changes=0,
    erasures=3,
    unsubscribes=0,
    breaks_slack=True,
    sources=0,
    source_troubles=0,
    work_seconds=0.002,
)


def check_few(world: NoticeWorld) -> None:
    """Raises Violation if people were told more often than that."""
    told = len(world.checks.notices)
    if told > MOST:
        raise Violation(f"few: {told} notices were written, and {MOST} are the most")
