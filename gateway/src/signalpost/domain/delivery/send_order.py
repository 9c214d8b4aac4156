"""Which of a lane's documents sends next: first those of which a person asked to have something sent now; after them
first attempts and retries take turns, so that neither can starve the other.

A document is listed while something of it is ready and may be sent, and nothing of it is in flight. Its lane adds it
when that becomes so, and says when something may hold it back.
"""

from collections import deque

from signalpost.domain.delivery.delivery import Delivery, State
from signalpost.domain.delivery.document_queue import DocumentQueue

OPEN = State.OPEN  # every delivery asks for it, and from its class it takes ten times as long


class SendOrder:
    def __init__(self) -> None:
        self._by_hand: deque[DocumentQueue] = deque()
        """Documents with a ready delivery that a person asked to have sent now. Where an earlier one of the document is
        ready too, that goes first (C17), and the document stays here."""
        self._asked_for: set[int] = set()
        """The sequences of those deliveries."""
        self._first_attempts: deque[DocumentQueue] = deque()
        """Documents whose lowest ready delivery was never sent."""
        self._retries: deque[DocumentQueue] = deque()
        """Documents whose lowest ready delivery is a retry."""
        self._retry_next = False
        self.listed = 0
        """How many documents may send."""

    def add(self, document: DocumentQueue) -> None:
        """List a document, unless it is listed or has nothing that may be sent now."""
        if document.listed or document.in_flight is not None:
            return
        following = document.next
        if following is not None:
            document.listed = True
            self.listed += 1
            if self._asked_for and document.has_any_ready(self._asked_for):
                self._by_hand.append(document)
            else:
                (self._first_attempts if following.state is OPEN else self._retries).append(document)

    def ask_for(self, document: DocumentQueue, sequence: int) -> None:
        """Let a document, of which that delivery is ready, go before those that were not asked for."""
        self._asked_for.add(sequence)
        self._drop(document)
        self.add(document)

    def hold_back(self, document: DocumentQueue) -> None:
        """Something of a document holds back what is later: it may have nothing to send any more."""
        if document.listed and document.next is None:
            self._drop(document)

    def _drop(self, document: DocumentQueue) -> None:
        if document.listed:
            for listed in (self._by_hand, self._first_attempts, self._retries):
                if document in listed:
                    listed.remove(document)
            document.listed = False
            self.listed -= 1

    def forget(self, sequence: int) -> None:
        """A delivery that may have been asked for was given up."""
        self._asked_for.discard(sequence)

    @property
    def has_by_hand(self) -> bool:
        """Whether the next document is one that a person asked for something of."""
        return bool(self._by_hand)

    def take_next(self) -> Delivery | None:
        """Take the delivery whose turn it is from its document, which is no longer listed; None if there is none."""
        if self._by_hand:
            listed = self._by_hand
        elif self._retries and (self._retry_next or not self._first_attempts):
            listed, self._retry_next = self._retries, False
        elif self._first_attempts:
            listed, self._retry_next = self._first_attempts, True
        else:
            return None
        document = listed.popleft()
        document.listed = False
        self.listed -= 1
        delivery = document.take_next()
        if self._asked_for:
            self._asked_for.discard(delivery.sequence)
        return delivery

    def clear(self) -> None:
        """List nothing. The lane marks its documents as not listed."""
        self._by_hand.clear()
        self._first_attempts.clear()
        self._retries.clear()
        self.listed = 0
