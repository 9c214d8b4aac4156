"""What keeps a lane at work from sending, in the order in which `LaneWorker.may_send_at` asks: for people, and for
traces."""

from signalpost.domain.delivery.explanation import HeldUp
from signalpost.engine.lanes.carriers import NEVER
from signalpost.engine.lanes.lane_worker import LaneWorker

TENANT_PAUSED = "The tenant is paused. Resume it, and its waiting events are sent."


def what_holds(worker: LaneWorker, now: int) -> str | None:
    """In a word of traces; None if only others of its own are in flight."""
    rate = worker.subscription.rate_limit
    if worker.hold_until > now:
        return "endpoint"
    if worker.health.breaker.probe_at is not None and not worker.lane.sends_by_hand:
        return "breaker"
    if rate is not None and worker.rate_limit.earliest(rate, now) > now:
        return "rate"
    if worker.gate is not None and (ready := worker.gate.ready_at(now)) > now:
        return "token" if ready >= NEVER else "rate"
    return None


def held_up(worker: LaneWorker, now: int) -> HeldUp:
    """What only the worker knows about why its lane does not send right now."""
    rate, asked = worker.subscription.rate_limit, worker.hold_until
    limited = 0 if rate is None else worker.rate_limit.earliest(rate, now)
    return HeldUp(
        asked_to_wait_until=asked if asked > now else None,
        rate_limited_until=limited if limited > now else None,
        trouble=TENANT_PAUSED if worker.tenant_is_paused else worker.trouble,
    )
