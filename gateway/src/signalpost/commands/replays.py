"""What clients ask for of replays. Each is a value whose `decide` is pure."""

import msgspec
from msgspec.structs import replace

from signalpost.commands.overlay import Answer, Decision, Stamp, View
from signalpost.commands.subscriptions import SubscriptionCommand
from signalpost.domain.delivery import replay as rules
from signalpost.domain.delivery.replay import Replay, ReplayInput, What
from signalpost.domain.errors import Conflict, NotFound


class StartReplay(SubscriptionCommand, frozen=True, kw_only=True):
    """`replay_id` was made for it. The times were made sequences before, none above the lane's head, and what is there
    to replay was counted."""

    replay_id: str
    what: What
    from_at: int
    to_at: int
    from_sequence: int
    to_sequence: int
    count: int
    count_is_capped: bool

    def decide(self, view: View, stamp: Stamp) -> Decision:
        found = self._found(view, stamp.at)
        if view.running_replays(found.number) >= rules.MAX_RUNNING:
            detail = f"{rules.MAX_RUNNING} replays of this subscription are running: cancel one, or wait for its end."
            raise Conflict("too_many_replays", detail)
        first = max(self.from_sequence, found.starts_after + 1)
        started = Replay(
            number=0,
            id=self.replay_id,
            tenant_id=self.tenant_id,
            subscription_number=found.number,
            what=self.what,
            from_at=self.from_at,
            to_at=self.to_at,
            from_sequence=first,
            to_sequence=min(self.to_sequence, stamp.sequence - 1),
            count=self.count,
            count_is_capped=self.count_is_capped,
            created_at=stamp.at,
            cursor=first - 1,
        )
        location = f"/v1/subscriptions/{found.id}/replays/{started.id}"
        return Decision(answer=replay_answer(started, found.id, 202, ("location", location)), replay=started)


class CancelReplay(SubscriptionCommand, frozen=True, kw_only=True):
    """Nothing more is queued; what was queued is sent."""

    replay_id: str

    def decide(self, view: View, stamp: Stamp) -> Decision:
        found = self._found(view, stamp.at)
        replay = view.replay(found.number, self.replay_id)
        if replay is None:
            raise NotFound("replay_not_found", "This subscription has no replay with this id, or it is no longer kept.")
        after = rules.TRANSITIONS[replay.state].get(ReplayInput.CANCEL)
        if after is None:
            raise Conflict("replay_not_running", f"The replay is {replay.state}: there is nothing left to cancel.")
        cancelled = replace(replay, state=after, finished_at=stamp.at)
        return Decision(answer=replay_answer(cancelled, found.id), replay=cancelled)


def replay_answer(replay: Replay, subscription_id: str, status: int = 200, *headers: tuple[str, str]) -> Answer:
    return Answer(status, msgspec.json.encode(rules.shown(replay, subscription_id)), headers)
