"""What helps an author test a kind: sample events, replies, and attempts without a network."""

import json
import random
import traceback

import pytest
from gateway.tests.testing.broken_kinds import Endless, Endlessly, Kept, Shouting

from signalpost.destinations import Call, Done, Skip, Then, Throttle
from signalpost.destinations.registry import UnusableKind
from signalpost.domain.documents import sample
from signalpost.domain.errors import Invalid
from signalpost.domain.event import EventType
from signalpost.testing import DOCUMENT, Rehearsal, context, reply

HOOK = {"url": "https://pigeon.example/hook", "token": "t0k3n-of-mine"}


def test_a_sample_event_looks_as_real_ones_do() -> None:
    event = json.loads(sample.event(EventType.UPDATED, 1, 1_700_000_000_000_000, random.Random(1).getrandbits).body)
    made = context().event
    assert list(made) == list(event)
    assert list(made["data"]["document"]) == list(event["data"]["document"])
    assert all(value is not None for value in DOCUMENT.values())


def test_a_sample_event_is_about_the_document_that_one_asks_for() -> None:
    made = context("documentDeleted", title="NDA", before={"status": "created"}, attempt=3)
    assert made.event["type"] == "documentDeleted"
    assert made.document == {**DOCUMENT, "title": "NDA"}
    assert made.before == {"status": "created"}
    assert made.attempt == 3


def test_a_sample_event_has_no_attribute_that_no_document_has() -> None:
    with pytest.raises(TypeError, match="attribute titel"):
        context(titel="NDA")


def test_the_kind_gets_what_the_gateway_would_give_it() -> None:
    rehearsal = Rehearsal(Kept, HOOK, {"text": "{{ document.title }} is signed"})
    call = rehearsal.prepare(context(title="NDA"))
    assert call == Call(url=HOOK["url"], json={"text": "NDA is signed", "key": context().key})


def test_bad_json_is_refused_as_the_gateway_refuses_it() -> None:
    with pytest.raises(Invalid) as refused:
        Rehearsal(Kept, {**HOOK, "url": "ftp://pigeon.example"}, {})
    assert [error.pointer for error in refused.value.errors] == ["/config/url"]
    assert "\n/config/url This must be an absolute URL" in "".join(traceback.format_exception(refused.value))


def test_a_kind_that_no_gateway_would_use_is_refused_with_the_reason() -> None:
    with pytest.raises(UnusableKind, match="small letters"):
        Rehearsal(Shouting, HOOK, {"text": "a"})
    with pytest.raises(TypeError, match=r"Texts\.texts: Say with `Meta\(max_length"):
        Rehearsal(Endless, HOOK, {"texts": []})


def test_an_attempt_is_played_to_its_end() -> None:
    rehearsal = Rehearsal(Kept, HOOK, {"text": "{{ document.title }}"})
    assert rehearsal.play(context(), reply(201)).end == Done()
    throttled = rehearsal.play(context(), reply(429, retry_after="7")).end
    assert isinstance(throttled, Throttle)
    assert throttled.after == 7.0
    assert isinstance(rehearsal.play(context(title=" "), reply(201)).end, Skip)


def test_an_attempt_that_wants_more_replies_ends_with_the_call_that_it_wants() -> None:
    played = Rehearsal(Endlessly, HOOK, {"text": "a"}).play(context(), reply(200), reply(200))
    assert len(played.calls) == 3
    assert isinstance(played.end, Then)
    assert played.end.call == played.calls[-1]
