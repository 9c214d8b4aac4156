"""Commands that start and cancel replays."""

from typing import ClassVar

from msgspec import Struct

from signalpost.commands.command import BatchView, Decision, Reads, RowKey, Stamp
from signalpost.commands.deliveries import not_sent_but_read, sent_once
from signalpost.commands.subscriptions import (
    SubscriptionCommand,
    running_replays,
)
from signalpost.domain.delivery import replay as rules
from signalpost.domain.delivery.replay import NOTHING_LEFT_OUT, LeftOut, Replay, ReplayChoice, ReplayInput, ReplayRange
from signalpost.domain.errors import Conflict, NotFound
from signalpost.domain.subscription import Subscription, widened


class ReplayStarted(Struct, frozen=True):
    replay: Replay
    subscription_id: str
    left_out: LeftOut


class ReplayCancelled(Struct, frozen=True):
    replay: Replay
    subscription_id: str


def not_as_rehearsed() -> Conflict:
    detail = "The subscription does not want what was rehearsed. Save the change first, or rehearse it again."
    return Conflict("not_as_rehearsed", detail)


class _ReplayCommand(SubscriptionCommand, frozen=True, kw_only=True):
    replay_id: str

    @property
    def reads(self) -> Reads:
        return Reads(
            rows=(
                RowKey(Subscription, self.subscription_id),
                RowKey(Replay, self.replay_id),
                RowKey(Replay, self.subscription_id, "running of"),
            )
        )


class StartReplay(_ReplayCommand, frozen=True, kw_only=True):
    """`replay_id` is the id of the new replay. No sequence of the range is above the lane's head.
    `count` says how many deliveries of the range there were to replay when the client asked. If it is about what was
    never sent, the subscription's types count from its first event on: what is sent is then a delivery as any other."""

    audited_as: ClassVar[str] = "replay.start"
    adds: ClassVar[type[Replay]] = Replay
    choice: ReplayChoice
    range: ReplayRange
    count: int
    count_is_capped: bool
    left_out: LeftOut = NOTHING_LEFT_OUT

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[ReplayStarted]:
        found = self._found(view, stamp.now)
        if found.shadow_of is not None:
            raise sent_once()
        if found.is_read:
            raise not_sent_but_read()
        if self.choice.what == "unsent" and self.choice.types != found.filters[-1][1]:
            raise not_as_rehearsed()  # they changed after it was counted; `when` is asked as it is then
        if len(running_replays(view, found)) >= rules.MAX_RUNNING:
            detail = f"{rules.MAX_RUNNING} replays of this subscription are running: cancel one, or wait for its end."
            raise Conflict("too_many_replays", detail)
        first = max(self.range.from_sequence, found.starts_after + 1)
        started = Replay(
            number=view.next_number(Replay),
            id=self.replay_id,
            tenant_id=self.tenant_id,
            subscription_number=found.number,
            what=self.choice.what,
            types=self.choice.types,
            document_id=self.choice.document_id,
            created_by=self.actor.name,
            from_at=self.range.from_at,
            to_at=self.range.to_at,
            from_sequence=first,
            to_sequence=min(self.range.to_sequence, stamp.sequence - 1),
            count=self.count,
            count_is_capped=self.count_is_capped,
            created_at=stamp.at,
            cursor=first - 1,
        )
        changed = widened(found, first, stamp.at) if self.choice.what == "unsent" else found
        rows = (started,) if changed is found else (started, changed)
        return Decision(result=ReplayStarted(started, found.id, self.left_out), rows=rows)


class CancelReplay(_ReplayCommand, frozen=True, kw_only=True):
    """No more deliveries are queued. Those that are queued already are sent."""

    audited_as: ClassVar[str] = "replay.cancel"

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[ReplayCancelled]:
        found = self._found(view, stamp.now)
        replay = view.row(Replay, self.replay_id, self.tenant_id)
        if replay is None or replay.subscription_number != found.number:
            raise NotFound("replay_not_found", "This subscription has no replay with this id, or it is no longer kept.")
        if ReplayInput.CANCEL not in rules.TRANSITIONS[replay.state]:
            raise Conflict("replay_not_running", f"The replay is {replay.state}: there is nothing left to cancel.")
        cancelled = replay.cancelled(stamp.at)
        return Decision(result=ReplayCancelled(cancelled, found.id), rows=(cancelled,))
