"""What records of Kafka are as messages, what verdicts mean for offsets, and which configurations are refused."""

import json
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from signalpost_connect import AGAIN, APPLIED, UNCHANGED, Verdict, dead
from signalpost_connect.kafka.settlement import (
    LONGEST_PROBLEM,
    Place,
    headers_of_dead,
    message_of,
    settlement_of,
)


@dataclass
class RecordInMemory:
    """A record, as the client of Kafka has it."""

    partition: int = 0
    offset: int = 0
    key: bytes | None = b"k"
    value: bytes | None = b"{}"
    headers: Any = ()
    topic: str = "t"
    timestamp: int = 0


def settled(*judged: tuple[RecordInMemory, Verdict]) -> Any:
    return settlement_of(judged)


def test_a_partition_is_done_below_the_first_message_that_comes_again() -> None:
    found = settled(
        (RecordInMemory(0, 5), APPLIED),
        (RecordInMemory(1, 8), AGAIN),
        (RecordInMemory(0, 6), dead("No.")),
        (RecordInMemory(1, 9), dead("Behind it.")),
        (RecordInMemory(0, 9), UNCHANGED),
        (RecordInMemory(2, 1), AGAIN),
    )
    assert found.done == {Place("t", 0): 10}
    assert found.again == {Place("t", 1): 8, Place("t", 2): 1}
    assert [problem for _, problem in found.dead] == ["No."]


def test_a_record_is_a_message_with_its_offset_as_version() -> None:
    message = message_of(RecordInMemory(2, 7, b"k", b'{"a": 1}', [("traceparent", b"00-1"), ("empty", None)]))
    assert (message.id, message.version, message.body) == ("t/2@7", 7, b'{"a": 1}')
    assert message.headers == {"traceparent": "00-1", "empty": "", "key": "k"}


@pytest.mark.parametrize(
    ("key", "line"), [(b"k", {"externalId": "k", "deleted": True}), (None, {"deleted": True}), (b"\xff", None)]
)
def test_a_record_without_a_value_deletes_the_document_of_its_key(key: bytes | None, line: object) -> None:
    body = json.loads(message_of(RecordInMemory(key=key, value=None)).body)
    assert body == (line or {"externalId": "\N{REPLACEMENT CHARACTER}", "deleted": True})


def test_a_dead_record_has_its_headers_and_the_reason_of_the_last_time() -> None:
    headers = headers_of_dead(RecordInMemory(headers=[("a", None), ("problem", b"Former.")]), "x" * 5000)
    assert headers == [("a", b""), ("problem", b"x" * LONGEST_PROBLEM), ("origin", b"t/0@0")]


def refused(config: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> str:
    """What is said of a configuration that is made worse."""
    kafka = pytest.importorskip("signalpost_connect.kafka.source", reason="aiokafka is not installed")
    monkeypatch.setenv("KAFKA_PASSWORD", "hush")
    given = {"servers": ["k.example.com:9093"], "topic": "contracts", "dead_topic": "dead", **config}
    try:
        kafka.KafkaTopic(msgspec.convert(given, kafka.KafkaConfig))
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, ""),
        ({"username": "u", "password": {"env": "KAFKA_PASSWORD"}}, ""),
        ({"username": "u", "password": {"env": "KAFKA_PASSWORD"}, "mechanism": "PLAIN"}, ""),
        ({"servers": []}, "length >= 1 - at `$.servers`"),
        ({"servers": ["k.example.com"]}, "servers: each is host:port"),
        ({"topic": "a topic"}, "at `$.topic`"),
        ({"dead_topic": "contracts"}, "dead_topic: it must be another topic"),
        ({"username": "u"}, "password: it goes with a username"),
        ({"username": "u", "password": {"env": "NOT_THERE"}}, "password: the environment has no NOT_THERE"),
        (
            {"username": "u", "password": {"env": "KAFKA_PASSWORD"}, "mechanism": "PLAIN", "tls": False},
            "mechanism: PLAIN sends the password as it is",
        ),
        ({"ca_file": "/nowhere/ca.pem"}, "ca_file: /nowhere/ca.pem cannot be read"),
        ({"ca_file": "ca.pem", "tls": False}, "ca_file: it is of no use with tls = false"),
        ({"certificate_file": "c.pem"}, "certificate_file: it goes with a key_file"),
        ({"certificate_file": "c.pem", "key_file": "k.pem"}, "certificate_file: it and the key_file cannot be read"),
        ({"group": "a group"}, "at `$.group`"),
    ],
)
def test_a_configuration_that_is_wrong_is_refused_by_its_member(
    config: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = refused(config, monkeypatch)
    assert said in found
    assert "hush" not in found
    assert bool(said) == bool(found)
