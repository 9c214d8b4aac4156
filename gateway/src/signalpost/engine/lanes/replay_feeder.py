"""Feeds the replays of one lane to it, the oldest first.

Each write of the lane also asks the store for the next part of its replay. The lane queues what the answer brings, and
the next write records both the rows and how far the replay has come. A lane that is loaded again also takes its replays
from the store, and finds again what was queued but not recorded.
"""

from collections.abc import Container, Iterable

from signalpost.domain.delivery.lane import Lane
from signalpost.domain.delivery.replay import ATTEMPTS, Replay, ReplayState
from signalpost.domain.wishes import Wishes
from signalpost.store.nouns.replays import Fed, ReplayPart


class ReplayFeeder:
    def __init__(self, replays: Iterable[Replay]) -> None:
        self._running = {replay.number: replay for replay in replays}
        """The running replays as far as they have come, by number, the oldest first."""
        self._further: dict[int, Replay] = {}
        """The replays that have come further since the last record."""
        self.is_asking = False
        """Whether the subscription's condition is being asked about the next part. Meanwhile the store is not."""
        self._answers: tuple[Wishes | None, dict[str, bool]] = None, {}
        """The wishes that were asked about the next part, and which events of it they want, by id."""

    @property
    def next(self) -> Replay | None:
        """The replay that is fed next; None if none runs."""
        return next(iter(self._running.values()), None)

    @property
    def running(self) -> tuple[Replay, ...]:
        """The running replays as far as they have come, the oldest first."""
        return tuple(self._running.values())

    def follow(self, replay: Replay) -> None:
        """Take up a replay that was started, and feed no more of one that was cancelled."""
        if replay.state is ReplayState.RUNNING:
            self._running.setdefault(replay.number, replay)
        else:
            self._running.pop(replay.number, None)

    def take_inbox(self, running: Iterable[Replay]) -> None:
        """Follow what was started and cancelled through other nodes. `running` is what the store has."""
        there = {replay.number: replay for replay in running}
        for number in [number for number in self._running if number not in there]:
            del self._running[number]
        for number, replay in there.items():
            if number not in self._further:  # of which this lane knows more
                self._running.setdefault(number, replay)

    def end_those_until(self, skipped_at: int) -> None:
        """Feed no more of what was started until the subscription's backlog was skipped, which cancelled it."""
        self._running = {number: replay for number, replay in self._running.items() if replay.created_at > skipped_at}

    def answers_of(self, wishes: Wishes) -> dict[str, bool]:
        """Which events of the next part a subscription wants, by id, as far as its present wishes were asked."""
        if self._answers[0] is not wishes:
            self._answers = wishes, {}
        return self._answers[1]

    def queue(
        self,
        lane: Lane,
        unwanted: Container[int],
        asked: ReplayPart,
        fed: Fed,
        steady: int,
        wall: int,
    ) -> None:
        """Hand the deliveries that were found to the lane, without those of the sequences that its subscription does
        not want, unless the replay was cancelled meanwhile."""
        self._answers = None, {}
        number = asked.replay.number
        if number not in self._running:
            return
        if asked.replay.what == "waiting":
            queued = sum(lane.retry_early(sequence, row, steady, number) for sequence, _, row in fed.candidates)
        else:
            queued = sum(
                lane.replay(*candidate, ATTEMPTS, number)
                for candidate in fed.candidates
                if candidate.sequence not in unwanted
            )
        replay = asked.replay.fed(fed.cursor, queued, asked.up_to, wall)
        self._further[number] = self._running[number] = replay
        self.follow(replay)

    def changes(self) -> tuple[Replay, ...]:
        """The replays that have come further since the last call."""
        further, self._further = self._further, {}
        return tuple(further.values())
