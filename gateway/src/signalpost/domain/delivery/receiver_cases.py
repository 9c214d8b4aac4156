"""The ten cases of a test run: what arrives at a receiver sooner or later, so that its author sees today whether it
stands it (`docs/contract.md`).

Pure: a case says in words what is sent and what to do if the answer is not the right one, and makes its request; a
`CaseRun` decides what is sent, and judges what came back. Every request says that it is a sample. All but the last are
genuine, and 2xx is the right answer to them. If the first that is sent is not taken, there is no use in the others.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from signalpost.domain.delivery.diagnosis import diagnose, symptom_of_test
from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.documents import sample
from signalpost.domain.documents.bodies import MAX_FACT_VALUE_BYTES, MAX_FACTS
from signalpost.domain.event import Event, EventType
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import DAY, SECOND

SECONDS: Final = 20
"""After so long no further case is sent, so that a slow endpoint is no reason to wait for minutes."""


class Signature(StrEnum):
    """Who signs the request of a case."""

    OWN = "own"
    """The subscription, as it signs events."""
    OVERLAP = "overlap"
    """The subscription, and a second secret, as while a secret is rotated (C21)."""
    FORGED = "forged"
    """A secret that the subscription does not have."""


class CaseRequest(Struct, frozen=True):
    event: Event
    attempt: int = 1
    is_replay: bool = False
    signature: Signature = Signature.OWN


class Samples:
    """What the events of one run are made of."""

    def __init__(self, subscription: Subscription, now: int, random_bits: Callable[[int], int]) -> None:
        self.types = subscription.filters[-1][1]
        """The types that the subscription wants, as bits."""
        self.tenant_id = subscription.tenant_id
        self.now = now
        self.random_bits = random_bits
        self.type = next(each for each in (EventType.UPDATED, *EventType) if each & self.types)
        """The type of events of which any will do."""
        self.known = sample.document_of(self.type, now, random_bits)
        """The document of `first`."""
        self.first = self.of_known(now)
        """An event that is sent more than once."""

    def of(self, event_type: EventType) -> Event:
        """An event of this type: `first` if that is one."""
        if event_type is self.type:
            return self.first
        return sample.event(event_type, self.tenant_id, self.now, self.random_bits)

    def new(self, at: int | None = None, **attributes: object) -> Event:
        """An event of another document with these attributes."""
        at = self.now if at is None else at
        shown = replace(sample.document_of(self.type, at, self.random_bits), **attributes)
        return sample.event_of(self.type, shown, self.tenant_id, at, self.random_bits)

    def of_known(self, at: int) -> Event:
        """An event of the document of `first`, created at `at` in µs."""
        return sample.event_of(self.type, self.known, self.tenant_id, at, self.random_bits)


class Case(Struct, frozen=True):
    name: str
    title: str
    """What a good receiver does."""
    sent: str
    mend: str
    """What to do if it does something else."""
    clause: str
    """The clause of the contract behind it."""
    make: Callable[[Samples], CaseRequest]
    event_type: EventType | None = None
    """The type that the subscription must want, or the case is left out; None if any will do."""
    is_forged: bool = False
    """Whether 4xx is the right answer, instead of 2xx."""


def _sample(event_type: EventType, happened: str) -> Case:
    return Case(
        name=event_type.wire,
        title=f"Takes {event_type.wire}",
        sent=f"A sample of {event_type.wire}, as it arrives when a document {happened}.",
        mend=f"Answer 2xx to {event_type.wire} once it is stored, even if you do nothing with it.",
        clause="C3",
        make=lambda samples: CaseRequest(samples.of(event_type)),
        event_type=event_type,
    )


def _unknown_attribute(samples: Samples) -> CaseRequest:
    event = samples.new()
    body = event.body[:-3] + b',"addedLater":{"by":"a later version"}}}}'
    return CaseRequest(replace(event, body=body))


LARGE_FACTS: Final = {f"fact {number}": '"' * MAX_FACT_VALUE_BYTES for number in range(MAX_FACTS)}

CASES: Final[Sequence[Case]] = (
    _sample(EventType.CREATED, "is created"),
    _sample(EventType.UPDATED, "changes"),
    _sample(EventType.DELETED, "is deleted"),
    Case(
        name="retry",
        title="Answers 2xx to a repeated event",
        sent="An event that you have already taken, with the same id, as a second attempt. That happens whenever your "
        "answer is lost on its way.",
        mend="A repeated event is not an error: answer 2xx, or it is retried in vain.",
        clause="C2",
        make=lambda samples: CaseRequest(samples.first, attempt=2),
    ),
    Case(
        name="late",
        title="Answers 2xx to a late event",
        sent="An event of a document that is older than one of the same document that you have taken: order is not "
        "promised.",
        mend="Order is not promised: skip events older than your state, and answer 2xx.",
        clause="C17",
        make=lambda samples: CaseRequest(samples.of_known(samples.now - SECOND)),
    ),
    Case(
        name="replay",
        title="Accepts replays of old events",
        sent="An event of three days ago, sent again by a replay and signed now.",
        mend="Judge the age by webhook-timestamp, the signed time of the attempt, not by createdAt.",
        clause="C16",
        make=lambda samples: CaseRequest(samples.new(samples.now - 3 * DAY), is_replay=True),
    ),
    Case(
        name="rotation",
        title="Accepts events while its secret is rotated",
        sent="An event that a second secret signs too, as while your secret is being rotated.",
        mend="Check only the header plexus-webhook-signature, or each entry of webhook-signature: one has to match.",
        clause="C21",
        make=lambda samples: CaseRequest(samples.new(), signature=Signature.OVERLAP),
    ),
    Case(
        name="large",
        title="Takes large events",
        sent="An event of half a MiB. Events have at most 1 MiB.",
        mend="Raise the limit of your framework's bodies to 1 MiB (Express has 100 KB by default).",
        clause="C13",
        make=lambda samples: CaseRequest(samples.new(additional_facts=LARGE_FACTS)),
    ),
    Case(
        name="unknown",
        title="Accepts what later versions may add",
        sent="An event whose document has an attribute that there is not today.",
        mend="Tolerate attributes that you do not know, and answer 2xx: more may be added.",
        clause="C7",
        make=_unknown_attribute,
    ),
    Case(
        name="forged",
        title="Refuses what another secret signed",
        sent="An event that is not from us: it is signed with another secret than yours.",
        mend="Verify the signature before anything else, of samples too, and answer 401 if it does not fit: as it is, "
        "anybody who knows your URL could send you events.",
        clause="C19",
        make=lambda samples: CaseRequest(samples.new(), signature=Signature.FORGED),
        is_forged=True,
    ),
)  # fmt: skip
MENDS: Final = {case.name: case.mend for case in CASES}


def signing(subscription: Subscription, signature: Signature, stranger: str, now: int) -> Subscription:
    """The subscription as it signs a case at `now`; `stranger` is a secret that it does not have."""
    if signature is Signature.FORGED:
        return subscription.signing_with(stranger)
    if signature is Signature.OVERLAP and subscription.with_secrets_of(now).next_secret is None:
        return replace(subscription.with_secrets_of(now), next_secret=stranger, promote_at=now + DAY)
    return subscription


# --- What came of it --------------------------------------------------------------------------------------------------


class Verdict(StrEnum):
    PASSED = "passed"
    MEND = "mend"
    NOT_SENT = "notSent"


class CaseFinding(Struct, frozen=True):
    """The result of one case."""

    case: Case
    verdict: Verdict
    advice: str | None
    """What to mend, or why the case was not sent; None if it passed."""
    event_id: str | None = None
    outcome: Outcome | None = None
    """None if the case was not sent."""


NOT_WANTED: Final = "The subscription does not ask for events of this type."
FIRST_FAILED: Final = "It could not be judged. Mend what is above, and run the test again."
TOOK_TOO_LONG: Final = f"The test ends after {SECONDS} s, and the cases before took them all."
TOO_MANY: Final = "Too many tests are running. Run this one again in a moment."
STOPPED: Final = "Signalpost was stopped meanwhile. Run the test again."
REPORTS_ERROR: Final = (
    "Its answer speaks of an error, and yet 2xx says that the event was taken: it is not sent again. Answer 4xx or 5xx "
    "if you could not store it."
)
_OF_THE_CASE: Final = frozenset({Failure.STATUS, Failure.RESET, Failure.PROTOCOL})
"""Failures that may be due to what was sent."""
_OF_OTHERS: Final = frozenset({429, 502, 503, 504})
"""Answers of a limit or a proxy, whatever was sent."""


class CaseRun:
    """One test run."""

    def __init__(self, host: str, types: int) -> None:
        """`types` are the types of events that the subscription wants, as bits."""
        self._host = host
        self._types = types
        self.findings: list[CaseFinding] = []

    def why_not(self, case: Case, elapsed: int) -> str | None:
        """Why a case is not sent, when the run began `elapsed` µs ago; None if it is."""
        if case.event_type is not None and not case.event_type & self._types:
            return NOT_WANTED
        if self._was_stopped:
            return STOPPED
        if self.was_any_sent and not self._was_any_taken:
            return FIRST_FAILED
        return TOOK_TOO_LONG if elapsed >= SECONDS * SECOND else None

    def leave_out(self, case: Case, why: str) -> None:
        self.findings.append(CaseFinding(case, Verdict.NOT_SENT, why))

    def take(self, case: Case, event_id: str, outcome: Outcome) -> None:
        """A case has been sent."""
        if outcome.failure is Failure.INTERRUPTED:
            self.leave_out(case, STOPPED)
            return
        advice = self._advice(case, outcome)
        verdict = Verdict.PASSED if advice is None else Verdict.MEND
        self.findings.append(CaseFinding(case, verdict, advice, event_id, outcome))

    @property
    def was_any_sent(self) -> bool:
        """Whether something came back already."""
        return any(each.outcome is not None for each in self.findings)

    @property
    def _was_stopped(self) -> bool:
        return any(each.advice is STOPPED for each in self.findings)

    @property
    def _was_any_taken(self) -> bool:
        return any(each.outcome is not None and each.outcome.failure is None for each in self.findings)

    def _advice(self, case: Case, outcome: Outcome) -> str | None:
        if case.is_forged and _refuses(outcome):
            return None
        if outcome.failure is None and not case.is_forged:
            return REPORTS_ERROR if _tells_of_error(outcome.answer) else None
        is_of_the_case = outcome.failure in _OF_THE_CASE and outcome.status not in _OF_OTHERS and self._was_any_taken
        symptom = None if is_of_the_case else symptom_of_test(self._host, outcome)
        cause = None if symptom is None else diagnose(symptom)
        return case.mend if cause is None else cause.for_customer


def has_passed(findings: Sequence[CaseFinding]) -> bool:
    """Whether every event that the subscription asks for was taken, and the forged one refused."""
    return all(each.verdict is Verdict.PASSED or each.advice is NOT_WANTED for each in findings)


def _refuses(outcome: Outcome) -> bool:
    status = outcome.status
    return outcome.failure is Failure.STATUS and status is not None and 400 <= status < 500 and status not in _OF_OTHERS


class _Said(Struct):
    """Where answers in JSON say that something went wrong."""

    error: object = None
    errors: object = None
    ok: object = True
    success: object = True


_decode_said: Final = msgspec.json.Decoder(_Said).decode


def _tells_of_error(answer: bytes) -> bool:
    try:
        said = _decode_said(answer)
    except msgspec.DecodeError:  # no JSON object, or one that is cut off
        return False
    return bool(said.error or said.errors) or said.ok is False or said.success is False
