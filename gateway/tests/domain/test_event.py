"""C1 to C6: the envelope, its id and its time."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalpost.domain.body import read
from signalpost.domain.documents import document
from signalpost.domain.documents.bodies import Snapshot
from signalpost.domain.event import BY_WIRE, OF_DOCUMENTS, EventType, build, event_id, time_of
from signalpost.domain.timestamps import format_timestamp, parse_timestamp
from signalpost_receiver.usual_body import read_usual

EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "page").glob("*.json"))
TIMES = st.integers(0, 253_402_300_799_999_999)
RANDOMS = st.integers(0, 2**62 - 1)
DOCUMENT = b'{"title":"t"}'


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_pages_examples_come_out_as_the_page_has_them(path: Path) -> None:
    """C1, C3, C4, C6, C7: imported, built, and read again; the order of keys included."""
    page = json.loads(path.read_bytes())
    assert json.dumps(json.loads(built_as(page))) == json.dumps(page)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_receiver_kit_recognises_what_is_built_as_a_whole(path: Path) -> None:
    assert read_usual(built_as(json.loads(path.read_bytes()))) is not None


def built_as(page: dict[str, Any]) -> bytes:
    given_document = page["data"]["document"]
    said = read(Snapshot, given_document)
    body = document.encode(document.snapshot(said, given_document["externalId"]))
    return build(BY_WIRE[page["type"]], parse_timestamp(page["createdAt"]), page["id"], body)


@given(st.sampled_from([*OF_DOCUMENTS.values()]), TIMES, RANDOMS)
def test_an_event_has_exactly_four_members_in_order(event_type: EventType, at: int, random: int) -> None:
    """C1, C6"""
    event = json.loads(build(event_type, at, event_id(at, random), DOCUMENT))
    assert list(event) == ["id", "type", "createdAt", "data"]
    assert event["data"] == {"document": json.loads(DOCUMENT)}


def test_a_notice_has_the_same_envelope_around_a_notice() -> None:
    """C1: in the place of the document, and in no tenant with documents."""
    event = json.loads(build(EventType.NOTICE, 0, event_id(0, 0), b'{"sentence":"s"}'))
    assert list(event) == ["id", "type", "createdAt", "data"]
    assert (event["type"], event["data"]) == ("notice", {"notice": {"sentence": "s"}})


def test_the_types_are_those_of_the_page() -> None:
    """C3"""
    built = {name: json.loads(build(kind, 0, event_id(0, 0), DOCUMENT)) for name, kind in OF_DOCUMENTS.items()}
    assert {name: event["type"] for name, event in built.items()} == {
        "documentCreated": "documentCreated",
        "documentUpdated": "documentUpdated",
        "documentDeleted": "documentDeleted",
    }


@given(TIMES, RANDOMS)
def test_an_id_is_a_version_7_uuid_of_its_millisecond(at: int, random: int) -> None:
    """C2"""
    text = event_id(at, random)
    identity = UUID(text)
    assert str(identity) == text
    assert identity.version == 7
    assert identity.variant == "specified in RFC 4122"
    assert identity.int >> 80 == at // 1000


@given(TIMES, RANDOMS)
def test_an_id_carries_its_time_to_the_microsecond(at: int, random: int) -> None:
    """C2, C5: createdAt and id agree."""
    assert time_of(event_id(at, random)) == at
    assert format_timestamp(time_of(event_id(at, random))) == format_timestamp(at)


def test_every_microsecond_of_a_millisecond_can_be_told_apart() -> None:
    """C2"""
    assert [time_of(event_id(at, 0)) for at in range(5_000_000, 5_001_000)] == list(range(5_000_000, 5_001_000))


@given(TIMES, TIMES, RANDOMS, RANDOMS)
def test_ids_sort_as_their_times_do(first: int, second: int, one: int, two: int) -> None:
    """C5"""
    if first != second:
        assert (event_id(first, one) < event_id(second, two)) == (first < second)


@given(TIMES, RANDOMS, RANDOMS)
def test_the_random_part_is_kept_whole(at: int, one: int, two: int) -> None:
    assert (event_id(at, one) == event_id(at, two)) == (one == two)


@given(st.uuids())
def test_of_anothers_uuid_the_time_is_just_some_number_that_a_database_can_hold(identity: UUID) -> None:
    assert 0 <= time_of(str(identity)) < 2**63
