"""What may, must and must not be handed out to the readers of a subscription, and what their acknowledgements settle.

A reader that is cut off does not learn what it was handed. So a call without an answer may have handed out anything,
and an acknowledgement without one may count."""

from collections.abc import Iterator
from math import inf

from gateway.tests.world.model import sayings
from gateway.tests.world.model.log import LoggedEvent
from gateway.tests.world.model.sayings import Saying
from gateway.tests.world.model.verdicts import MUST, Duty, Model
from gateway.tests.world.model.wishes import Wish

SOON = 3.0
"""The seconds within which a reader that waits is handed what is there."""
Complaint = tuple[Saying, str]


class HandOut:
    """A call of a reader for what is next."""

    def __init__(self, begun: float, lease: float) -> None:
        self.begun = begun
        self.lease = lease
        self.done = inf
        """When it was answered, or cut off."""
        self.is_answered = False
        self.receipt = ""
        self.sequences: tuple[int, ...] = ()

    @property
    def may_hold(self) -> bool:
        """Whether something may have been handed out."""
        return bool(self.sequences) or not self.is_answered

    def __repr__(self) -> str:
        end = f"{[*self.sequences]}" if self.is_answered else "no answer"
        return f"hand-out from {self.begun:.3f} to {self.done:.3f} for {self.lease} s: {end}"


class Acknowledgement:
    """An acknowledgement, up to a sequence or of all that was handed out."""

    def __init__(self, handed: HandOut, through: int | None, begun: float) -> None:
        self.handed = handed
        self.through = through
        self.begun = begun
        self.done = inf
        self.is_answered = False
        self.count: int | None = None
        """How many events it settled, as its answer says; None if it was refused, or there is no answer."""

    @property
    def may_count(self) -> bool:
        return self.count is not None or not self.is_answered

    @property
    def named(self) -> tuple[int, ...]:
        """What it settles."""
        return tuple(each for each in self.handed.sequences if self.through is None or each <= self.through)

    def __repr__(self) -> str:
        return f"acknowledgement of {self.handed} through {self.through} at {self.begun:.3f}: {self.count}"


class ReadModel:
    """The model of one subscription that is read."""

    def __init__(self, model: Model, wish: Wish, soon: float = SOON) -> None:
        """`soon` is for how many seconds at the end of a call it surely saw what was there."""
        self._model = model
        self._soon = soon
        self.wish = wish
        self.hand_outs: list[HandOut] = []
        self.acknowledgements: list[Acknowledgement] = []

    # --- Something was handed out -------------------------------------------------------------------------------------

    def handed(self, handed: HandOut) -> Iterator[Complaint]:
        """What is wrong with an answer that hands out events."""
        if [*handed.sequences] != sorted(set(handed.sequences)):
            yield sayings.READ_IN_ORDER, f"{handed} is not in order"
        for sequence in handed.sequences:
            event, is_again = self._model.log.at(sequence), self._may_have_been_handed(sequence, handed)
            why = self._model.why_not_read(self.wish, event, handed.begun, handed.done, is_again=is_again)
            if why is not None:
                yield why, f"{handed} has event {sequence}"
            for each in self.acknowledgements:
                if each.count is not None and sequence in each.named and handed.begun > each.handed.done:
                    yield sayings.READ_ONCE, f"{handed} has event {sequence}, after the {each}"
        for other in self.hand_outs:
            if other is not handed and other.sequences and not self._may_follow(handed, other):
                yield sayings.HELD, f"{handed}, although another reader has what was handed out in {other}"
        for event in self._model.log.events[: handed.sequences[-1]]:
            if event.sequence not in handed.sequences and self._must_be_there(event, handed, handed.begun):
                yield sayings.READ_IN_ORDER, f"{handed} leaves out event {event.sequence}"

    def _may_have_been_handed(self, sequence: int, handed: HandOut) -> bool:
        others = [each for each in self.hand_outs if each is not handed and each.begun <= handed.done]
        return any(sequence in each.sequences or not each.is_answered for each in others)

    def _may_follow(self, handed: HandOut, other: HandOut) -> bool:
        """Whether one of both may have come once the other was over."""
        if handed.done >= other.begun + other.lease or other.done >= handed.begun + handed.lease:
            return True
        if any(self._model.is_perhaps_removed(self._model.log.at(each), handed.done) for each in other.sequences):
            return True
        return self._may_have_skipped(other.begun) or any(
            each.handed is other and each.may_count and each.begun <= handed.done for each in self.acknowledgements
        )

    def _may_have_skipped(self, since: float) -> bool:
        return self.wish.status.changes[-1].done is None or any(each.done >= since for each in self.wish.skips)

    # --- Nothing was handed out ---------------------------------------------------------------------------------------

    def empty(self, handed: HandOut) -> Iterator[Complaint]:
        """What is wrong with an answer that hands out nothing."""
        at = max(handed.begun, handed.done - self._soon)
        if self.is_perhaps_held(at, handed) or {*self.wish.status.between(at, handed.done)} != {"active"}:
            return
        for event in self._model.log.events:
            if self._must_be_there(event, handed, at):
                yield sayings.HANDED_AGAIN, f"{handed} leaves out event {event.sequence}"

    def is_perhaps_held(self, at: float, but: HandOut | None = None) -> bool:
        """Whether some reader may still have what was handed out."""
        return any(
            each is not but and each.may_hold and each.done + each.lease >= at and not self._is_given_back(each, at)
            for each in self.hand_outs
        )

    def _is_given_back(self, handed: HandOut, at: float) -> bool:
        return any(
            each.handed is handed and each.count is not None and each.done <= at for each in self.acknowledgements
        )

    def _must_be_there(self, event: LoggedEvent, handed: HandOut, at: float) -> bool:
        """Whether this event was surely there for a call, ever since this moment."""
        if any(event.sequence in each.named and each.may_count for each in self.acknowledgements):
            return False
        skipped = any(event.sequence <= each.most for each in self.wish.skips)
        if skipped or self._may_have_skipped(inf) or event.document_id in self._model.erased:
            return False
        if True in self.wish.deleted.ever() or self._model.is_perhaps_removed(event, handed.done):
            return False
        if any(event.sequence in each.sequences and each.done < at for each in self.hand_outs):
            return True
        return self._model.is_surely_due(self.wish, event, handed.done, handed.done - at)

    # --- Something was acknowledged -----------------------------------------------------------------------------------

    def acknowledged(self, said: Acknowledgement) -> Iterator[Complaint]:
        """What is wrong with an acknowledgement that counts."""
        for other in self.hand_outs:
            if other.sequences and other.begun > said.handed.done and other.done < said.begun:
                yield sayings.LEASE_OVER, f"{said}, although there was a {other}"
        assert said.count is not None
        if said.count > len(said.named):
            yield sayings.READ_ONCE, f"{said} settles more than {[*said.named]}"
        others = [each for each in self.acknowledgements if each.handed is said.handed and each is not said]
        named = [self._model.log.at(each) for each in said.named]
        is_gone = any(each.document_id in self._model.erased for each in named)
        is_gone = is_gone or any(self._model.is_perhaps_removed(each, said.done) for each in named)
        if said.count < len(said.named) and not (others or is_gone or self._may_have_skipped(said.handed.begun)):
            yield sayings.READ_ONCE, f"{said} settles less than {[*said.named]}"

    def refused(self, said: Acknowledgement) -> Iterator[Complaint]:
        """What is wrong with an acknowledgement that is refused because its lease is over."""
        others = [each for each in self.hand_outs if each is not said.handed and each.may_hold]
        if not any(each.done > said.handed.begun for each in others):
            yield sayings.LEASE_OVER, f"{said} is refused, and nothing was handed out since"

    # --- In the end ---------------------------------------------------------------------------------------------------

    def is_surely_settled(self, event: LoggedEvent) -> bool:
        """An acknowledgement settles nothing of a backlog that was skipped before it."""
        return any(
            event.sequence in each.named and each.count is not None and not self._may_be_skipped(event, each)
            for each in self.acknowledgements
        )

    def _may_be_skipped(self, event: LoggedEvent, said: Acknowledgement) -> bool:
        """Whether the event may have been skipped after it was handed out and before it was acknowledged."""
        return any(
            event.sequence <= each.most and each.begun <= said.done and each.done >= said.handed.begun
            for each in self.wish.skips
        )

    def may_be_settled(self, event: LoggedEvent) -> bool:
        return any(event.sequence in each.named and each.may_count for each in self.acknowledgements)

    def waits(self, event: LoggedEvent, at: float) -> bool:
        """Whether the event may still be handed out later."""
        wait = self.wish.after.last
        is_early = wait is not None and event.at + wait.seconds > at
        is_wanted = self._model.in_the_end(self.wish, event, at).duty is not Duty.MUST_NOT
        is_early = is_early and not self._model.is_perhaps_removed(event, at)
        return is_early and is_wanted and not self.is_surely_settled(event)

    def missing(self, at: float) -> Iterator[Complaint]:
        """What was never acknowledged, although everything had its time."""
        for event in self._model.log.events:
            if self._model.is_perhaps_removed(event, at) or self.may_be_settled(event):
                continue
            if self._model.in_the_end(self.wish, event, at) == MUST:
                yield sayings.READ_IN_ORDER, f"event {event.sequence} was never read"
