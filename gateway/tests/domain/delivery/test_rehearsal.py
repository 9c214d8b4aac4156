"""What a rehearsal remembers of later events, how it counts, and what its id says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from signalpost.domain.delivery.rehearsal import (
    MAX_EXAMPLES,
    NOT_LOOKED_AT,
    SENT,
    EventWithSubject,
    Judgement,
    JudgementTally,
    LaterEvents,
    RehearsalId,
    read_rehearsal_id,
    refused,
    wants_of,
)
from signalpost.domain.errors import Invalid
from signalpost.domain.event import EventType, PastEvent
from signalpost.domain.language.subject import subject_of
from signalpost.domain.subscription import UNSAVED

NOT = refused("no")
UNABLE = refused("unable", is_unable=True)


def event(sequence: int, at: int, document: str = "a") -> PastEvent:
    return PastEvent(sequence, EventType.UPDATED, at, document.encode())


@given(
    st.lists(st.tuples(st.integers(1, 5), st.sampled_from("ab"), st.sampled_from((None, "x", "y"))), max_size=40),
    st.integers(0, 12),
    st.sampled_from((1, 3, 1_000)),
)
def test_what_is_remembered_of_later_events_is_what_the_newest_at_the_end_of_the_delay_says(
    drawn: list[tuple[int, str, str | None]], delay: int, forgets_every: int
) -> None:
    at, log = 0, []
    for sequence, (step, document, why) in enumerate(drawn, 1):
        at += step
        log.append((event(sequence, at, document), why))
    later = LaterEvents(delay)
    for number, (each, why) in enumerate(reversed(log)):
        later.note(each, why)
        known = [said for one, said in log if one.document == each.document and one.at <= each.at + delay]
        assert later.why_no_longer(each) == known[-1]
        if number % forgets_every == 0:
            later.forget_before(each.at)


def test_only_documents_with_an_event_in_the_delay_are_remembered() -> None:
    later = LaterEvents(10)
    for sequence in range(100, 0, -1):
        later.note(event(sequence, sequence * 5, f"document {sequence}"), None)
        later.forget_before(sequence * 5)
    assert later.documents == 3


@given(st.lists(st.tuples(st.sampled_from((SENT, NOT)), st.sampled_from((SENT, NOT, UNABLE))), max_size=60))
def test_every_event_is_counted_under_what_both_sides_say(drawn: list[tuple[Judgement, Judgement]]) -> None:
    tally = JudgementTally()
    for sequence, (now, then) in enumerate(drawn, 1):
        tally.count(EventWithSubject(event(sequence, sequence), NOT_LOOKED_AT, subject_of), now, then)
    sent = [(now.is_sent, then.is_sent) for now, then in drawn]
    assert tally.now == sum(now for now, _ in sent)
    assert tally.then == sum(then for _, then in sent)
    assert tally.counts == {
        "both": sent.count((True, True)),
        "more": sent.count((False, True)),
        "less": sent.count((True, False)),
        "cannot": sum(then is UNABLE for _, then in drawn),
    }
    assert all(len(found) == min(MAX_EXAMPLES, tally.counts[name]) for name, found in tally.examples.items())
    assert len(tally.shown) == min(3, tally.then)


def test_an_id_says_what_was_rehearsed_and_another_text_is_none() -> None:
    identity = RehearsalId(3, 400, wants_of(UNSAVED))
    assert read_rehearsal_id(identity.text) == identity
    for text in ("", "WzEsMiwz", "é", identity.text[:-4], "A" * 300):
        with pytest.raises(Invalid):
            read_rehearsal_id(text)


def test_what_a_subscription_wants_does_not_depend_on_where_it_goes_or_how_fast() -> None:
    wants = wants_of(UNSAVED)
    same = replace(
        UNSAVED, url="https://b.example/", rate_limit=3, name="b", filters=((0, 1), (9, UNSAVED.filters[-1][1]))
    )
    assert wants_of(same) == wants
    when = {"field": "document.title", "is": "x"}
    for each in ({"when": when}, {"filters": ((0, 1),)}, {"config": {"text": "x"}}, {"connection_id": "x"}):
        assert wants_of(replace(UNSAVED, **each)) != wants
