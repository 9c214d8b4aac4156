"""The promises that kinds are held to can be broken, and the suite says by which."""

import re
import unittest
from collections.abc import Callable
from typing import Any

import pytest
from gateway.tests.testing import broken_kinds as broken

from signalpost.destinations import Destination
from signalpost.testing import Conformance, reply


class TestKept(Conformance):
    kind = broken.Kept
    connection = {"url": "https://pigeon.example/hook", "token": "t0k3n-of-mine"}
    config = {"text": "{{ document.title }}"}
    accepted = reply(201, {"id": "m-1"})
    refused = (reply(429, {"extras": {"wait": 7}}),)


class TestThreading(TestKept):
    kind = broken.Threading


def promise(kind: type[Destination[Any, Any]], name: str) -> Callable[[], None]:
    suite = type("Suite", (TestKept,), {"kind": kind})()
    kept: Callable[[], None] = getattr(suite, f"test_{name}")
    return kept


BROKEN: tuple[tuple[type[Destination[Any, Any]], str, str], ...] = (
    (broken.Future, "this_gateway_can_use_it", "version 2 of the interface"),
    (broken.Shouting, "this_gateway_can_use_it", "small letters"),
    (broken.Endless, "this_gateway_can_use_it", "Texts.texts: Say with `Meta(max_length"),
    (broken.Untitled, "this_gateway_can_use_it", "It has no title, no connection."),
    (broken.Mute, "every_member_says_what_it_is", "Untold.text has no title, no description, no examples"),
    (broken.BadExample, "every_member_says_what_it_is", "The example 'too long' of Short.text is refused"),
    (broken.BadDefault, "every_member_says_what_it_is", "The default '{{ title }}' of Signed.text is refused"),
    (broken.Undescribed, "every_member_says_what_it_is", "Undescribed has no docstring"),
    (broken.LostBlank, "the_presets_are_subscriptions", "has no room for a value at /config/lines/0/text"),
    (broken.BadPreset, "the_presets_are_subscriptions", "The config of the preset kept-signed is refused"),
    (broken.WrongType, "the_presets_are_subscriptions", "events of the types ['documentSigned']"),
    (broken.BadCondition, "the_presets_are_subscriptions", "/field There is no document.titel; did you mean"),
    (broken.ClumsyCheck, "bad_input_is_refused_by_its_pointer", "`check` fails on the config"),
    (broken.Trusting, "any_event_becomes_a_call_or_a_skip", "`prepare` raises AttributeError"),
    (broken.ThreadingByLuck, "any_event_becomes_a_call_or_a_skip", "on documentCreated with made={'id': 'm-1'}"),
    (broken.Silent, "any_event_becomes_a_call_or_a_skip", "No event at all"),
    (broken.Speechless, "any_event_becomes_a_call_or_a_skip", "a skip must say why"),
    (broken.Nonsense, "any_event_becomes_a_call_or_a_skip", "it must return a Call, a Mail, a Skip or a Reject"),
    (broken.Unwritable, "any_event_becomes_a_call_or_a_skip", "cannot be written as JSON"),
    (broken.Injecting, "any_event_becomes_a_call_or_a_skip", "header x-title"),
    (broken.Straying, "calls_go_only_where_the_connection_says", "A call goes to https://elsewhere.example"),
    (broken.StrayingLater, "calls_go_only_where_the_connection_says", "A further call goes to"),
    (broken.ThreadingAstray, "calls_go_only_where_the_connection_says", "A call goes to https://elsewhere.example"),
    (broken.StrayingProbe, "calls_go_only_where_the_connection_says", "The probe goes to"),
    (broken.StrayingGrant, "calls_go_only_where_the_connection_says", "The question for a token goes to"),
    (broken.NoOrigin, "calls_go_only_where_the_connection_says", "is no origin"),
    (broken.Dialling, "it_does_nothing_but_compute", "socket."),
    (broken.Writing, "it_does_nothing_but_compute", "open"),
    (broken.Greedy, "it_changes_nothing_that_it_is_given", "changes the event"),
    (broken.Remembering, "the_same_event_makes_the_same_call", "after other events"),
    (broken.Clocked, "the_same_event_makes_the_same_call", "another call"),
    (broken.ThreadingByTheClock, "the_same_event_makes_the_same_call", "another call"),
    (broken.Counting, "a_retry_makes_the_same_call", "Another attempt"),
    (broken.SigningByLuck, "a_signature_is_headers", "is signed in another way"),
    (broken.SigningBadly, "a_signature_is_headers", "header x-signed"),
    (broken.NeverPleased, "an_accepted_event_is_done", "comes to Retry"),
    (broken.Endlessly, "an_accepted_event_is_done", "A further call is made"),
    (broken.Credulous, "any_answer_becomes_a_ruling", "`classify` raises"),
    (broken.Forgetful, "any_answer_becomes_a_ruling", "that is no ruling"),
    (broken.Numbers, "any_answer_becomes_a_ruling", "names and texts"),
    (broken.Accepting, "any_answer_becomes_a_ruling", "names and texts"),
    (broken.Waiting, "any_answer_becomes_a_ruling", "from 0 to a day"),
    (broken.Hopeful, "any_answer_becomes_a_ruling", "although the server failed"),
    (broken.Patient, "any_answer_becomes_a_ruling", "from 0 to a day"),
    (broken.Nameless, "any_answer_becomes_a_ruling", "the vendor's name"),
    (broken.BadProbe, "any_answer_about_the_account_is_understood", "`probed` raises"),
    (broken.BadDiscovery, "any_answer_about_the_account_is_understood", "`discovered` raises"),
    (broken.Open, "no_secret_is_shown", "repr(connection) shows"),
    (broken.Unmarked, "no_secret_is_shown", "UnmarkedHook.token sounds like a secret"),
    (broken.SecretConfig, "no_secret_is_shown", "belong to the connection"),
    (broken.Talkative, "no_secret_is_shown", "A Reject shows"),
    (broken.TalkativeReject, "no_secret_is_shown", "The reason of a Reject shows"),
    (broken.TalkativeSkip, "no_secret_is_shown", "Skip shows"),
    (broken.Sleepy, "it_is_fast", "more than 10 ms"),
)


@pytest.mark.parametrize(
    ("kind", "name", "reason"), BROKEN, ids=lambda each: each.__name__ if isinstance(each, type) else ""
)
def test_a_broken_promise_is_found_and_named(kind: type[Destination[Any, Any]], name: str, reason: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(reason)):
        promise(kind, name)()


def test_every_promise_has_a_kind_that_breaks_it() -> None:
    promises = {name.removeprefix("test_") for name in dir(Conformance) if name.startswith("test_")}
    assert promises == {name for _, name, _ in BROKEN}


def test_an_example_that_is_refused_is_named_before_any_promise() -> None:
    suite = type("Suite", (TestKept,), {"config": {"txt": "a"}})()
    with pytest.raises(AssertionError, match=r"The example connection or config is refused.*/config/txt"):
        suite.test_it_is_fast()


def test_unittest_runs_the_promises_too() -> None:
    suite = type("Suite", (TestKept, unittest.TestCase), {})
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(suite).run(result)
    assert result.wasSuccessful()
    assert result.testsRun == len({name for _, name, _ in BROKEN})
