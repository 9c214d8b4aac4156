"""What is said beside events, how they are split, and which configurations of sinks are refused."""

from typing import Any

import msgspec
import pytest
from connect.tests.sink_rig import entry

from signalpost_connect.sink import attributes_of


def test_an_event_of_an_erased_document_has_no_subject() -> None:
    assert attributes_of(entry(1, "d"), "here")["subject"] == "d"
    assert "subject" not in attributes_of(entry(1)._replace(document=None), "here")


def test_no_document_is_twice_in_what_rabbitmq_is_sent_at_once() -> None:
    rabbitmq = pytest.importorskip("signalpost_connect.rabbitmq.sink", exc_type=ImportError)
    log = [entry(number, document) for number, document in enumerate("abcabba", 1)]
    parts = [*rabbitmq.parts_of(log)]
    assert [[each.document for each in part] for part in parts] == [["a", "b", "c"], ["a", "b"], ["b", "a"]]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, ""),
        ({"subject": "contracts.>"}, "at `$.subject`"),
        ({"subject": "two words"}, "at `$.subject`"),
        ({"cursor_subject": "cursors..one"}, "at `$.cursor_subject`"),
        ({"url": {"env": "NOT_THERE"}}, "url: the environment has no NOT_THERE"),
        ({"url": {"env": "WRONG_URL"}}, "url: what it refers to is not a URL such as tls://"),
        ({"url": {"env": "URL_WITH_A_SLASH"}}, "url: what it refers to is not a URL such as tls://"),
        ({"source": ""}, "at `$.source`"),
    ],
)
def test_a_sink_of_nats_that_is_wrong_is_refused_by_its_member(
    config: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nats = pytest.importorskip("signalpost_connect.nats.sink", exc_type=ImportError)
    monkeypatch.setenv("SINK_URL", "tls://drain:hush@nats.example.com:4222")
    monkeypatch.setenv("URL_WITH_A_SLASH", "tls://drain:hush/hush@nats.example.com:4222")
    given = {"url": {"env": "SINK_URL"}, "subject": "contract-events", "cursor_subject": "cursors.contracts", **config}
    _check_refused(nats.NatsSink, given, said, monkeypatch)


@pytest.mark.parametrize(
    ("server", "login"),
    [
        ("tls://drain:hu%2Fsh%40@nats.example.com", {"user": "drain", "password": "hu/sh@"}),
        ("tls://to%2Fken@nats.example.com", {"token": "to/ken"}),
        ("nats://nats.example.com", {}),
    ],
)
def test_what_is_quoted_in_a_url_of_nats_is_sent_as_it_was_meant(server: str, login: dict[str, str]) -> None:
    servers = pytest.importorskip("signalpost_connect.nats.servers", exc_type=ImportError)
    assert servers.login_of(server) == login


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, ""),
        ({"exchange": ""}, "at `$.exchange`"),
        ({"name": "two words"}, "at `$.name`"),
        ({"url": {"env": "WRONG_URL"}}, "url: what it refers to is not a URL such as amqps://"),
        ({"url": {"env": "URL_WITH_A_SLASH"}}, "url: what it refers to is not a URL such as amqps://"),
        ({"queue": "contract-events"}, "unknown field `queue`"),
    ],
)
def test_a_sink_of_rabbitmq_that_is_wrong_is_refused_by_its_member(
    config: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rabbitmq = pytest.importorskip("signalpost_connect.rabbitmq.sink", exc_type=ImportError)
    monkeypatch.setenv("SINK_URL", "amqps://drain:hush@rabbitmq.example.com/")
    monkeypatch.setenv("URL_WITH_A_SLASH", "amqps://drain:hush/hush@rabbitmq.example.com/")
    given = {"url": {"env": "SINK_URL"}, "exchange": "contract-events", **config}
    _check_refused(rabbitmq.RabbitSink, given, said, monkeypatch)


def _check_refused(kind: Any, config: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WRONG_URL", "drain:hush@example.com")
    found = ""
    try:
        kind(msgspec.convert(config, kind.config))
    except ValueError as error:
        found = str(error)
    assert said in found
    assert "hush" not in found
    assert bool(said) == bool(found)
