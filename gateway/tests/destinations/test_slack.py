"""Slack: which message an event becomes, and what its answers mean."""

from collections.abc import Mapping
from typing import Any

import pytest
from gateway.tests.destinations.kinds import KINDS, config, connection, context, pointers, reply

from signalpost.destinations.access import Fixed
from signalpost.destinations.calls import Call, Skip
from signalpost.destinations.rulings import Done, Reauthorise, Reject, Retry, Ruling, Then, Throttle
from signalpost.destinations.slack import Slack

SLACK = Slack()
URL = "https://hooks.slack.com/services/T0/B0/secret"
WEBHOOK = connection("slack", signIn={"with": "webhook", "url": URL})
BOT = connection("slack", signIn={"with": "bot", "token": "xoxb-1", "channel": "#contracts"})
MESSAGE = config("slack", BOT, text="Signed.")
THREAD = config("slack", BOT, text="Signed.", oneThreadPerDocument=True)


def prepared(on: Any, said: Any, **given: Any) -> Call:
    call = SLACK.prepare(on, said, context(**given))
    assert isinstance(call, Call)
    return call


def ruled(
    on: Any, said: Any, status: int, body: Any = b"", *, made: Mapping[str, str] = {}, headers: Mapping[str, str] = {}
) -> Ruling:
    here = context(made=made)
    call = SLACK.prepare(on, said, here)
    assert isinstance(call, Call)
    return SLACK.classify(on, said, here, call, reply(status, body, **headers))


def test_a_webhook_posts_the_text_to_its_url_and_sends_no_token() -> None:
    call = prepared(WEBHOOK, config("slack", WEBHOOK, text="Signed."))
    assert call == Call(url=URL, json={"text": "Signed."}, authorised=False)
    assert SLACK.origins(WEBHOOK) == ("https://hooks.slack.com",)
    assert SLACK.access(WEBHOOK) is None


def test_a_bot_posts_to_the_channel_of_the_connection_or_of_the_subscription() -> None:
    url = "https://slack.com/api/chat.postMessage"
    assert prepared(BOT, MESSAGE) == Call(url=url, json={"channel": "#contracts", "text": "Signed."})
    elsewhere = config("slack", BOT, text="Signed.", channel="C012")
    assert prepared(BOT, elsewhere).json == {"channel": "C012", "text": "Signed."}
    assert SLACK.access(BOT) == Fixed("Bearer xoxb-1")
    assert SLACK.origins(BOT) == ("https://slack.com",)


def test_a_stand_in_takes_the_place_of_both_origins() -> None:
    for sign_in in ({"with": "webhook", "url": URL}, {"with": "bot", "token": "xoxb-1", "channel": "C0"}):
        proxied = connection("slack", signIn=sign_in, standIn="https://proxy.example.com:8443/")
        call = prepared(proxied, config("slack", proxied, text="Hi"))
        assert call.url.startswith("https://proxy.example.com:8443/")
        assert SLACK.origins(proxied) == ("https://proxy.example.com:8443",)


def test_an_empty_message_is_not_sent() -> None:
    assert isinstance(SLACK.prepare(BOT, config("slack", BOT, text=" "), context()), Skip)


def test_nothing_that_a_document_brings_is_markup() -> None:
    assert SLACK.escape("<!channel> & <https://x|y>") == "&lt;!channel&gt; &amp; &lt;https://x|y&gt;"


def test_the_first_message_begins_a_thread_that_the_later_ones_go_into() -> None:
    first = ruled(BOT, THREAD, 200, {"ok": True, "ts": "17.1", "channel": "C7"})
    assert first == Done(made={"channel": "#contracts", "ts": "17.1"})
    made = {"channel": "#contracts", "ts": "17.1"}
    assert prepared(BOT, THREAD, made=made).json == {"channel": "#contracts", "text": "Signed.", "thread_ts": "17.1"}
    assert ruled(BOT, THREAD, 200, {"ok": True, "ts": "17.2"}, made=made) == Done()


def test_a_subscription_that_changed_its_channel_begins_a_new_thread() -> None:
    call = prepared(BOT, THREAD, made={"channel": "#other", "ts": "17.1"})
    assert call.json == {"channel": "#contracts", "text": "Signed."}


def test_a_thread_that_is_gone_is_begun_again() -> None:
    made = {"channel": "#contracts", "ts": "17.1"}
    ruling = ruled(BOT, THREAD, 200, {"ok": False, "error": "thread_not_found"}, made=made)
    assert isinstance(ruling, Then)
    assert ruling.call.json == {"channel": "#contracts", "text": "Signed."}
    begun = SLACK.classify(BOT, THREAD, context(made=made), ruling.call, reply(200, {"ok": True, "ts": "18.1"}))
    assert begun == Done(made={"channel": "#contracts", "ts": "18.1"})


@pytest.mark.parametrize(
    ("status", "body", "headers", "expected"),
    [
        (200, {"ok": True, "ts": "1.2"}, {}, Done()),
        (200, {"ok": False, "error": "fatal_error"}, {}, Retry("Slack refused: fatal_error.")),
        (200, {"ok": False, "error": "internal_error"}, {}, Retry("Slack refused: internal_error.")),
        (503, {"ok": False, "error": "service_unavailable"}, {}, Retry("Slack refused: service_unavailable.")),
        (200, {"ok": False, "error": "ratelimited"}, {}, Throttle("Slack refused: ratelimited.", 60.0)),
        (
            429,
            {"ok": False, "error": "ratelimited"},
            {"retry_after": "7"},
            Throttle("Slack refused: ratelimited.", 7.0),
        ),
        (429, b"", {"retry_after": "30"}, Throttle("The vendor answered 429.", 30.0)),
        (200, {"ok": False, "error": "invalid_auth"}, {}, Reauthorise("Slack refused: invalid_auth.")),
        (200, {"ok": False, "error": "token_revoked"}, {}, Reauthorise("Slack refused: token_revoked.")),
        (200, {"ok": False, "error": "not_in_channel"}, {}, Reject("not_in_channel", "Slack refused: not_in_channel.")),
        (200, b"<html>", {}, Retry("Slack's answer is not one of its API.")),
        (500, b"<html>", {}, Retry("The vendor answered 500.")),
        (302, b"", {}, Reject("302", "The vendor answered 302.")),
    ],
)
def test_what_the_answers_to_a_bot_mean(status: int, body: Any, headers: dict[str, str], expected: Ruling) -> None:
    assert ruled(BOT, MESSAGE, status, body, headers=headers) == expected


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b"ok", Done()),
        (404, b"no_service", Reject("no_service", "Slack answered 404: no_service.")),
        (403, b"invalid_token", Reject("invalid_token", "Slack answered 403: invalid_token.")),
        (400, b"<html>", Reject("400", "The vendor answered 400.")),
        (429, b"", Throttle("The vendor answered 429.", 60.0)),
        (500, b"", Retry("The vendor answered 500.")),
    ],
)
def test_what_the_answers_to_a_webhook_mean(status: int, body: bytes, expected: Ruling) -> None:
    assert ruled(WEBHOOK, config("slack", WEBHOOK, text="Hi"), status, body) == expected


def test_the_test_of_a_connection_asks_whose_the_token_is() -> None:
    assert SLACK.probe(BOT) == Call(url="https://slack.com/api/auth.test", json={})
    assert SLACK.probed(BOT, reply(200, {"ok": True})) == Done()
    assert isinstance(SLACK.probed(BOT, reply(200, {"ok": False, "error": "invalid_auth"})), Reauthorise)
    assert SLACK.probe(WEBHOOK) is None


def test_a_bad_connection_is_named_by_pointers() -> None:
    def refused(**given: Any) -> dict[str, str]:
        return pointers(lambda: connection("slack", **given))

    assert refused() == {"/config/signIn": "required"}
    assert refused(signIn={"with": "pigeon"}) == {"/config/signIn/with": "not_allowed"}
    assert refused(signIn={"with": "bot", "token": "hunter2"}) == {"/config/signIn/token": "wrong_form"}
    assert refused(signIn={"with": "webhook", "url": "hooks"}) == {"/config/signIn/url": "not_https"}
    assert refused(signIn={"with": "webhook", "url": URL}, standIn="https://a/b") == {"/config/standIn": "bad_url"}
    for elsewhere in ("https://hooks.slack.com.evil.example/services/x", "https://evilhooks.slack.com/services/x"):
        assert refused(signIn={"with": "webhook", "url": elsewhere}) == {"/config/signIn/url": "not_the_vendors"}
    assert refused(signIn={"with": "webhook", "url": URL}, extra=1) == {"/config/extra": "unknown_field"}


def test_a_bad_config_is_named_by_pointers() -> None:
    bare = connection("slack", signIn={"with": "bot", "token": "xoxb-1"})
    assert pointers(lambda: config("slack", bare, text="Hi")) == {"/config/channel": "required"}
    assert pointers(lambda: config("slack", bare, channel="a b")) == {
        "/config/channel": "wrong_form",
        "/config/text": "required",
    }
    assert pointers(lambda: config("slack", WEBHOOK, text="Hi", channel="#a", oneThreadPerDocument=True)) == {
        "/config/channel": "not_allowed",
        "/config/oneThreadPerDocument": "not_allowed",
    }


def test_each_channel_has_a_rate_of_its_own() -> None:
    bot = connection("slack", signIn={"with": "bot", "token": "xoxb-1", "channel": "#general"})
    names = [Slack().paced_by(bot, config("slack", bot, text="Hi", **more)) for more in ({}, {"channel": "#contracts"})]
    assert names == ["#general", "#contracts"]
    assert Slack().paced_by(WEBHOOK, config("slack", WEBHOOK, text="Hi")) == ""


def test_it_is_registered() -> None:
    assert isinstance(KINDS.kind("slack"), Slack)
