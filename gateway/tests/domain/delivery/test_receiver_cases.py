"""The ten cases of a test run: what is sent, and what an answer means."""

import itertools
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.delivery.receiver_cases import (
    CASES,
    FIRST_FAILED,
    NOT_WANTED,
    REPORTS_ERROR,
    SECONDS,
    STOPPED,
    TOOK_TOO_LONG,
    Case,
    CaseRequest,
    CaseRun,
    Samples,
    Signature,
    Verdict,
    has_passed,
    signing,
)
from signalpost.domain.event import EventType
from signalpost.domain.subscription import UNSAVED, Subscription
from signalpost.domain.timestamps import DAY, SECOND

NOW = 1_767_225_600 * SECOND
EVERY_DOCUMENT = 7
NAMED = {case.name: case for case in CASES}
FIRST = CASES[0]
TAKEN = Outcome(status=204)


def answered(status: int, answer: bytes = b"") -> Outcome:
    redirect = 300 <= status < 400
    failure = None if 200 <= status < 300 else Failure.REDIRECT if redirect else Failure.STATUS
    return Outcome(failure=failure, status=status, answer=answer, detail=f"It answered {status}.", started_at=NOW)


def unanswered(failure: Failure) -> Outcome:
    return Outcome(failure=failure, detail="Nothing came.", started_at=NOW)


def subscribed(types: int = EVERY_DOCUMENT) -> Subscription:
    return replace(UNSAVED, tenant_id=1, url="https://example.com/hooks", secret="a secret", filters=((0, types),))


def samples(types: int = EVERY_DOCUMENT) -> Samples:
    return Samples(subscribed(types), NOW, random.Random(0).getrandbits)


def body_of(made: CaseRequest) -> Any:
    return json.loads(made.event.body)


def run_of(outcomes: dict[str, Outcome], otherwise: Outcome = TAKEN, types: int = EVERY_DOCUMENT) -> CaseRun:
    """A run in which these cases were answered so, and the forged one refused unless it is among them."""
    run = CaseRun("example.com", types)
    for case in CASES:
        if (why_not := run.why_not(case, 0)) is not None:
            run.leave_out(case, why_not)
        else:
            refusal = answered(401) if case.is_forged and otherwise is TAKEN else otherwise
            run.take(case, "an id", outcomes.get(case.name, refusal))
    return run


def verdicts(run: CaseRun) -> dict[str, Verdict]:
    return {each.case.name: each.verdict for each in run.findings}


def advice(run: CaseRun, name: str) -> str:
    (found,) = [each.advice for each in run.findings if each.case.name == name]
    return found or ""


# --- What is sent -----------------------------------------------------------------------------------------------------


def test_there_are_ten_and_each_says_what_it_sends_and_what_to_mend() -> None:
    assert len(CASES) == len(NAMED) == 10
    for case in CASES:
        assert case.title
        assert case.sent.endswith(".")
        assert case.mend.endswith(".")
        assert case.clause.startswith("C")


def test_every_case_is_an_event_of_the_contract() -> None:
    """C1, C2, C5 to C7, C13: an attribute more, in one of them, is all that differs."""
    for case in CASES:
        made = case.make(samples())
        sent = body_of(made)
        assert list(sent) == ["id", "type", "createdAt", "data"]
        assert sent["id"] == made.event.id
        assert sent["type"] in ("documentCreated", "documentUpdated", "documentDeleted")
        assert set(sent["data"]["document"]) - {"addedLater"} == set(body_of(FIRST.make(samples()))["data"]["document"])
        assert ("addedLater" in sent["data"]["document"]) is (case.name == "unknown")
        assert len(made.event.body) <= 1024 * 1024
        assert made.event.sequence == 0


def test_a_retry_repeats_what_was_sent_and_a_late_event_is_older_than_it() -> None:
    """C2, C17"""
    of_run = samples()
    first, retry, late = (NAMED[name].make(of_run) for name in ("documentUpdated", "retry", "late"))
    assert (retry.event, retry.attempt) == (first.event, 2)
    assert late.event.document_id == first.event.document_id
    assert late.event.at < first.event.at
    assert body_of(late)["createdAt"] < body_of(first)["createdAt"]
    others = [case.make(of_run).event.id for case in CASES if case.name != "retry"]
    assert len(set(others)) == len(CASES) - 1


@given(st.integers(1, EVERY_DOCUMENT))
def test_only_types_are_sent_that_the_subscription_asks_for(types: int) -> None:
    """C3. A retry repeats what was sent before, whatever it asks for."""
    of_run, run, sent = samples(types), CaseRun("example.com", types), set()
    for case in CASES:
        why_not = run.why_not(case, 0)
        assert (why_not == NOT_WANTED) is (case.event_type is not None and not case.event_type & types)
        if why_not is None:
            made = case.make(of_run).event
            assert made.type & types
            assert case.name != "retry" or made.id in sent
            sent.add(made.id)


def test_the_sizes_and_ages_are_those_that_receivers_stumble_over() -> None:
    """C13, C16"""
    assert 512 * 1024 < len(NAMED["large"].make(samples()).event.body) < 1024 * 1024
    replay = NAMED["replay"].make(samples())
    assert replay.is_replay
    assert NOW - replay.event.at == 3 * DAY


def test_an_overlap_is_that_of_the_rotation_if_one_is_in_progress() -> None:
    """C21"""
    alone = subscribed()
    rotating = replace(alone, next_secret="the next one", promote_at=NOW + DAY)
    assert signing(alone, Signature.OWN, "a stranger", NOW) is alone
    assert signing(rotating, Signature.OVERLAP, "a stranger", NOW) is rotating
    both = signing(alone, Signature.OVERLAP, "a stranger", NOW)
    assert (both.secret, both.next_secret) == ("a secret", "a stranger")
    over = signing(replace(rotating, promote_at=NOW), Signature.OVERLAP, "a stranger", NOW)
    assert (over.secret, over.next_secret) == ("the next one", "a stranger")
    for each in (alone, rotating):
        forged = signing(each, Signature.FORGED, "a stranger", NOW)
        assert (forged.secret, forged.next_secret) == ("a stranger", None)


# --- What an answer means ---------------------------------------------------------------------------------------------


def test_a_receiver_that_takes_what_is_genuine_and_refuses_the_rest_passes() -> None:
    run = run_of({})
    assert set(verdicts(run).values()) == {Verdict.PASSED}
    assert has_passed(run.findings)


@pytest.mark.parametrize("case", [case for case in CASES[1:] if not case.is_forged], ids=lambda case: case.name)
@pytest.mark.parametrize(
    "outcome", [answered(400), answered(413), answered(500), unanswered(Failure.RESET)], ids=lambda it: it.detail
)
def test_what_the_first_was_no_trouble_for_is_due_to_the_case(case: Case, outcome: Outcome) -> None:
    run = run_of({case.name: outcome})
    assert [name for name, verdict in verdicts(run).items() if verdict is not Verdict.PASSED] == [case.name]
    assert advice(run, case.name) == case.mend
    assert not has_passed(run.findings)


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (answered(302), "redirect"),
        (answered(429), "429"),
        (answered(503), "503"),
        (unanswered(Failure.TIMEOUT), "5 s"),
        (unanswered(Failure.TLS_EXPIRED), "certificate"),
    ],
    ids=["302", "429", "503", "timeout", "tls"],
)
def test_what_has_nothing_to_do_with_the_case_is_told_as_it_is_of_every_delivery(outcome: Outcome, said: str) -> None:
    for case in CASES:
        run = run_of({case.name: outcome})
        assert said in advice(run, case.name), case.name
        assert case.mend not in advice(run, case.name)


@pytest.mark.parametrize(
    "outcome",
    [answered(401, b"bad signature"), answered(302), unanswered(Failure.TIMEOUT), unanswered(Failure.CONNECT)],
    ids=lambda it: it.failure,
)
def test_nothing_more_is_sent_to_one_that_does_not_take_the_first(outcome: Outcome) -> None:
    run = run_of({}, otherwise=outcome)
    first, *others = run.findings
    assert first.verdict is Verdict.MEND
    assert first.advice != first.case.mend
    assert {each.advice for each in others} == {FIRST_FAILED}
    assert {each.verdict for each in others} == {Verdict.NOT_SENT}
    assert not has_passed(run.findings)


def test_a_receiver_that_takes_everything_is_told_that_it_does_not_verify() -> None:
    """C19"""
    for outcome in (TAKEN, answered(500), answered(200, b'{"error": "bad signature"}'), unanswered(Failure.RESET)):
        run = run_of({"forged": outcome})
        assert advice(run, "forged") == NAMED["forged"].mend
        assert verdicts(run)["forged"] is Verdict.MEND


@pytest.mark.parametrize(
    ("answer", "tells"),
    [
        (b'{"error": "bad signature"}', True),
        (b'{"errors": [1]}', True),
        (b'{"ok": false}', True),
        (b'{"success": false}', True),
        (b'{"ok": true, "error": null, "errors": []}', False),
        (b'{"error', False),
        (b"[]", False),
        (b"error", False),
        (b"\xff", False),
        (b"", False),
    ],
)
def test_a_2xx_that_speaks_of_an_error_is_pointed_out(answer: bytes, tells: bool) -> None:
    """C15: it counts as taken, and is never sent again."""
    run = run_of({"retry": answered(200, answer)})
    assert advice(run, "retry") == (REPORTS_ERROR if tells else "")
    assert has_passed(run.findings) is not tells


def test_after_some_time_no_further_case_is_sent() -> None:
    run = CaseRun("example.com", EVERY_DOCUMENT)
    run.take(FIRST, "an id", TAKEN)
    assert run.why_not(CASES[1], SECONDS * SECOND - 1) is None
    assert run.why_not(CASES[1], SECONDS * SECOND) == TOOK_TOO_LONG
    run.leave_out(CASES[1], TOOK_TOO_LONG)
    assert not has_passed(run.findings)


def test_a_stop_of_the_gateway_says_nothing_about_the_receiver() -> None:
    for case in CASES:
        run = run_of({case.name: unanswered(Failure.INTERRUPTED)})
        later = itertools.dropwhile(lambda each, case=case: each.case is not case, run.findings)  # type: ignore[misc]
        assert {each.advice for each in later} == {STOPPED}
        assert Verdict.MEND not in verdicts(run).values()


def test_types_that_are_not_wanted_are_no_reason_to_fail() -> None:
    run = run_of({}, types=int(EventType.DELETED))
    assert [name for name, verdict in verdicts(run).items() if verdict is Verdict.NOT_SENT] == [
        "documentCreated",
        "documentUpdated",
    ]
    assert has_passed(run.findings)
