"""What a replay would send: counted before it starts, and shown if that is all that was asked for."""

from typing import NamedTuple

from msgspec import UNSET
from msgspec.structs import replace

from signalpost.api.routing.context import RequestContext
from signalpost.commands.command import IdempotencyKey
from signalpost.commands.replays import StartReplay, not_as_rehearsed
from signalpost.domain.delivery.rehearsal import read_rehearsal_id, wants_of
from signalpost.domain.delivery.replay import (
    NOTHING_LEFT_OUT,
    RehearsedReplayRequest,
    ReplayChoice,
    ReplayRange,
    ReplayRequest,
)
from signalpost.domain.erasure import is_erased
from signalpost.domain.errors import FieldError, Forbidden, Invalid
from signalpost.domain.language.subject import subject_of
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import parse_timestamp
from signalpost.domain.wishes import wishes_of

MAX_PARTS_ASKED = 40
"""In how many parts of a replay a condition is asked of each event before the count ends: some 10,000 events."""


class PlannedReplay(NamedTuple):
    """What a replay of one subscription would send."""

    subscription: Subscription
    command: StartReplay

    @property
    def may_send(self) -> bool:
        """Whether it would send anything, as far as was counted."""
        return self.command.count > 0 or self.command.count_is_capped


async def plan(
    context: RequestContext, found: Subscription, asked: ReplayRequest, idempotency: IdempotencyKey | None
) -> PlannedReplay | None:
    """What a replay of a subscription sends and leaves out; None if the subscription went a moment ago. Raises
    Invalid."""
    to_at = context.services.clock.wall() if asked.to is UNSET else parse_timestamp(asked.to)
    _check_beginning(asked, to_at)
    store = context.services.store
    head = await context.services.lane_views.head_of(found)
    if head is None:
        return None
    end = await store.log.sequence_at(context.tenant_id, to_at)
    first, from_at = await _beginning(context, asked, end, to_at)
    last = min(end - 1, head)
    choice = asked.choice
    count, capped, unmet = await _counted(context, found, first, last, choice)
    command = StartReplay(
        tenant_id=context.tenant_id,
        subscription_id=found.id,
        replay_id=context.new_id(),
        choice=choice,
        range=ReplayRange(from_at=from_at, to_at=to_at, from_sequence=first, to_sequence=last),
        count=count,
        count_is_capped=capped,
        left_out=replace(
            await store.replays.left_out(found, first, end - 1, head, choice),
            unmet=unmet,
        ),
        idempotency=idempotency,
    )
    return PlannedReplay(found, command)


async def plan_rehearsed(
    context: RequestContext, found: Subscription, asked: RehearsedReplayRequest, idempotency: IdempotencyKey | None
) -> PlannedReplay:
    """What a replay sends of what a rehearsal found missing. Raises Conflict unless the subscription is as it was
    rehearsed, and Forbidden for a customer, who may never have been meant to get it."""
    if context.portal is not None:
        raise Forbidden("not_in_portal_link", "Only what was sent before can be sent again here.")
    rehearsed = read_rehearsal_id(asked.rehearsal)
    if rehearsed.wants != wants_of(found):
        raise not_as_rehearsed()
    log = context.services.store.log
    first = max(rehearsed.from_sequence, await log.floor(context.tenant_id))
    kept = (await log.after(context.tenant_id, first - 1, 1)).events
    choice = ReplayChoice("unsent", types=found.filters[-1][1])
    head = await context.services.lane_views.head_of(found) or 0
    count, capped, unmet = await _counted(context, found, first, min(rehearsed.to_sequence, head), choice)
    command = StartReplay(
        tenant_id=context.tenant_id,
        subscription_id=found.id,
        replay_id=context.new_id(),
        choice=choice,
        range=ReplayRange(
            from_at=kept[0].at if kept else context.services.clock.wall(),
            to_at=context.services.clock.wall(),
            from_sequence=first,
            to_sequence=rehearsed.to_sequence,
        ),
        count=count,
        count_is_capped=capped,
        left_out=replace(NOTHING_LEFT_OUT, unmet=unmet),
        idempotency=idempotency,
    )
    return PlannedReplay(found, command)


async def _counted(
    context: RequestContext, found: Subscription, first: int, last: int, choice: ReplayChoice
) -> tuple[int, bool, int]:
    """How many deliveries a replay would queue, whether there may be more, and how many events of the range do not meet
    the subscription's condition as it is now. A condition is asked of a bounded number of events. Of those that do not
    meet it, customers are told only what failed at their endpoint: they may never have been meant to get the others."""
    store = context.services.store.replays
    wishes = wishes_of(found)
    asks = wishes is not None and wishes.asks_event and choice.what != "waiting"
    if not asks and choice.what != "unsent":
        return *await store.count(found, first, last, choice), 0
    counted = unmet = 0
    for _ in range(MAX_PARTS_ASKED):
        part = await store.part(found, first, last, choice)
        await context.turn()
        left_out = {
            event.sequence
            for event in part.events.values()
            if is_erased(event) or (asks and wishes is not None and wishes.why_not(subject_of(event)))
        }
        counted += len(part.candidates) - len(left_out)
        unmet += sum(
            each.sequence in left_out and (context.portal is None or each.row is not None) for each in part.candidates
        )
        if part.cursor < first or part.cursor >= last:
            return counted, False, unmet
        first = part.cursor + 1
    return counted, True, unmet


def _check_beginning(asked: ReplayRequest, to_at: int) -> None:
    """Raises Invalid unless the range begins in one way, and before its end."""
    if asked.from_ is UNSET:
        if asked.from_sequence is UNSET:
            raise Invalid([FieldError("/from", "required", "Send `from` or `fromSequence`.")])
    elif asked.from_sequence is not UNSET:
        raise Invalid([FieldError("/fromSequence", "not_with_from", "Send either this or `from`.")])
    elif to_at <= parse_timestamp(asked.from_):
        raise Invalid([FieldError("/to", "empty_range", "This must be later than `from`.")])


async def _beginning(context: RequestContext, asked: ReplayRequest, end: int, to_at: int) -> tuple[int, int]:
    """The first sequence of a range that ends before another one, and the moment from which its events are."""
    log = context.services.store.log
    if asked.from_ is not UNSET:
        from_at = parse_timestamp(asked.from_)
        return await log.sequence_at(context.tenant_id, from_at), from_at
    assert asked.from_sequence is not UNSET, "it was checked that one of them is given"
    first = min(asked.from_sequence, end)
    kept = (await log.after(context.tenant_id, first - 1, 1)).events
    return first, min(kept[0].at, to_at) if kept else to_at
