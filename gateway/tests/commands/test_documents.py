"""What the changes of documents come to: events, answers, refusals."""

import json
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalpost.api.http.response import Response
from signalpost.api.rendering import EVENT_HEADER, kept_answers, respond
from signalpost.commands.batch import Batch, BatchContext, Rows
from signalpost.commands.command import Command
from signalpost.commands.documents import CreateDocument, DeleteDocument, ImportDocument, PatchDocument
from signalpost.domain.access.tenant import Tenant
from signalpost.domain.body import read
from signalpost.domain.documents.bodies import DocumentPatch, NewDocument, Snapshot
from signalpost.domain.documents.links import Links
from signalpost.domain.errors import CallerError, Conflict, NotFound, PreconditionFailed
from signalpost.domain.event import EventType
from signalpost.domain.timestamps import SECOND, format_timestamp

LINKS = Links(b"", "")
NOW = 1_700_000_000 * SECOND
ID = "d24c0644-1d31-47fa-960e-b0cc8b4f136c"
NEW = {"type": "NDA", "title": "A", "ownerEmail": "o@example.com", "authorEmail": "a@example.com"}
SNAPSHOT = {**NEW, "status": "awaitingReview", "createdAt": "2021-09-02T04:37:56.812919+00:00", "sourceApp": "CRM"}


class Desk:
    """One tenant's documents, changed one command at a time or several in a batch."""

    def __init__(self) -> None:
        self.tenant = Tenant(1, "default")
        rows = Rows(tenants={1: self.tenant})
        self.batch = Batch(rows, NOW, BatchContext(LINKS, kept_answers(LINKS), Random(1).getrandbits))

    def run(self, command: Command[Any]) -> Response:
        return respond(self.batch.run(command), LINKS)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(event.body) for event in self.batch.events]

    @property
    def types(self) -> list[EventType]:
        return [EventType(event.type) for event in self.batch.events]

    def create(self, body: dict[str, Any] = NEW) -> Response:
        return self.run(CreateDocument(tenant_id=1, document_id=ID, new=read(NewDocument, body), source_app="app"))

    def patch(self, body: dict[str, Any], *if_match: str) -> Response:
        changes = read(DocumentPatch, body)
        return self.run(PatchDocument(tenant_id=1, document_id=ID, patch=changes, if_match=tags(if_match)))

    def delete(self, *if_match: str, source_version: int | None = None) -> Response:
        return self.run(
            DeleteDocument(tenant_id=1, document_id=ID, source_version=source_version, if_match=tags(if_match))
        )

    def put(self, body: dict[str, Any], source_version: int | None = None, *if_match: str) -> Response:
        said = read(Snapshot, body)
        return self.run(
            ImportDocument(
                tenant_id=1, document_id=ID, snapshot=said, source_version=source_version, if_match=tags(if_match)
            )
        )


def tags(given_tags: tuple[str, ...]) -> frozenset[str] | None:
    return frozenset(given_tags) or None


def header(answer: Response, name: str) -> str | None:
    return dict(answer.headers).get(name)


def changed(answer: Response) -> str | None:
    return header(answer, "signalpost-changed")


# --- Creating, patching, deleting -------------------------------------------------------------------------------------


def test_creating_answers_201_with_the_document_and_makes_one_event() -> None:
    """C1, C3, C6, C8"""
    desk = Desk()
    answer = desk.create()
    assert answer.status == 201
    assert header(answer, "etag") == '"1"'
    assert header(answer, "location") == f"/v1/documents/{ID}"
    [event] = desk.events
    assert event["type"] == "documentCreated"
    assert event["createdAt"] == event["data"]["document"]["createdAt"] == format_timestamp(NOW)
    assert json.loads(answer.body) == {**event["data"]["document"], "updatedAt": format_timestamp(NOW)}


def test_an_operator_may_say_whose_document_it_is() -> None:
    desk = Desk()
    assert json.loads(desk.create({**NEW, "sourceApp": "CRM"}).body)["sourceApp"] == "CRM"


def test_a_patch_makes_one_event_and_moves_the_etag_on() -> None:
    desk = Desk()
    desk.create()
    answer = desk.patch({"title": "B"})
    assert answer.status == 200
    assert header(answer, "etag") == '"2"'
    assert [event["type"] for event in desk.events] == ["documentCreated", "documentUpdated"]
    assert desk.events[1]["data"]["document"] == {**desk.events[0]["data"]["document"], "title": "B"}
    assert json.loads(answer.body)["updatedAt"] == desk.events[1]["createdAt"]


@pytest.mark.parametrize(
    "body", [{}, {"title": "A"}, {"referenceId": None}, {"additionalFacts": {}}, {"additionalFacts": None}]
)
def test_a_patch_that_changes_nothing_makes_no_event(body: dict[str, Any]) -> None:
    desk = Desk()
    created = desk.create()
    answer = desk.patch(body)
    assert answer.status == 200
    assert answer.body == created.body
    assert header(answer, "etag") == header(created, "etag")
    assert desk.types == [EventType.CREATED]


@pytest.mark.parametrize(("was", "now"), [(1, True), (True, 1), (1, 1.0), (0.0, -0.0)])
def test_a_fact_that_is_written_otherwise_is_another_and_its_event_keeps_what_it_was(was: Any, now: Any) -> None:
    desk = Desk()
    desk.create({**NEW, "additionalFacts": {"seats": was}})
    desk.patch({"additionalFacts": {"seats": now}})
    assert desk.types == [EventType.CREATED, EventType.UPDATED]
    assert repr(json.loads(desk.batch.events[1].before)) == repr({"additionalFacts": {"seats": was}})
    desk.put({**SNAPSHOT, "additionalFacts": {"seats": was}})
    assert repr(json.loads(desk.batch.events[2].before)["additionalFacts"]) == repr({"seats": now})


def test_deleting_answers_204_and_the_event_carries_the_last_attributes_with_status_other() -> None:
    """C6"""
    desk = Desk()
    desk.create()
    desk.patch({"title": "last"})
    answer = desk.delete()
    created, updated, gone = desk.events
    assert answer == Response(204, headers=(("signalpost-changed", "true"), (EVENT_HEADER, gone["id"])))
    assert gone["type"] == "documentDeleted"
    assert gone["data"]["document"] == {**updated["data"]["document"], "status": "other"}
    assert created["data"]["document"]["status"] == "created"


def test_a_deleted_document_is_not_there() -> None:
    desk = Desk()
    with pytest.raises(NotFound):
        desk.patch({"title": "B"})
    desk.create()
    desk.delete()
    with pytest.raises(NotFound):
        desk.patch({"title": "B"})
    with pytest.raises(NotFound):
        desk.delete()
    assert desk.types == [EventType.CREATED, EventType.DELETED]


def test_a_documents_bytes_are_the_same_in_its_row_its_answer_and_its_event() -> None:
    """C13"""
    desk = Desk()
    answer = desk.create({**NEW, "title": "ü \u2028 \x7f 😀", "contractValue": 1e13})
    [event] = desk.batch.events
    row = desk.batch.documents.changed[1, ID]
    assert event.body.endswith(b'"data":{"document":' + row.body + b"}}")
    assert answer.body.startswith(row.body[:-1])


# --- Preconditions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("if_match", [('"1"',), ("*",), ('"7"', '"1"')])
def test_if_match_lets_a_change_of_what_was_read_pass(if_match: tuple[str, ...]) -> None:
    desk = Desk()
    desk.create()
    assert desk.patch({"title": "B"}, *if_match).status == 200
    assert desk.delete("*").status == 204


def test_if_match_stops_a_change_of_what_moved_on() -> None:
    desk = Desk()
    desk.create()
    desk.patch({"title": "B"})
    attempts: list[Callable[[], Response]] = [
        lambda: desk.patch({"title": "C"}, '"1"'),
        lambda: desk.delete('"1"'),
        lambda: desk.put(SNAPSHOT, 1, '"1"'),
    ]
    for attempt in attempts:
        with pytest.raises(PreconditionFailed):
            attempt()
    assert desk.types == [EventType.CREATED, EventType.UPDATED]


def test_if_match_of_what_is_not_there_stops_an_import() -> None:
    desk = Desk()
    with pytest.raises(PreconditionFailed):
        desk.put(SNAPSHOT, 1, "*")
    desk.put(SNAPSHOT, 1)
    desk.delete()
    with pytest.raises(PreconditionFailed):
        desk.put(SNAPSHOT, 2, "*")


# --- Imports ----------------------------------------------------------------------------------------------------------


def test_the_first_snapshot_creates_the_next_updates() -> None:
    desk = Desk()
    first, second = desk.put(SNAPSHOT, 1), desk.put({**SNAPSHOT, "title": "B"}, 2)
    assert (first.status, changed(first)) == (201, "true")
    assert (second.status, changed(second)) == (200, "true")
    assert desk.types == [EventType.CREATED, EventType.UPDATED]
    assert desk.events[1]["data"]["document"]["createdAt"] == SNAPSHOT["createdAt"]


@pytest.mark.parametrize(("first", "second"), [(1, 1), (1, 2), (None, None), (1, None), (None, 1)])
def test_the_same_snapshot_twice_makes_no_second_event(first: int | None, second: int | None) -> None:
    desk = Desk()
    made = desk.put(SNAPSHOT, first)
    again = desk.put(SNAPSHOT, second)
    assert (again.status, changed(again)) == (200, "false")
    assert again.body == made.body
    assert header(again, "etag") == header(made, "etag")
    assert desk.types == [EventType.CREATED]


def test_an_older_snapshot_changes_nothing() -> None:
    desk = Desk()
    made = desk.put(SNAPSHOT, 5)
    late = desk.put({**SNAPSHOT, "title": "old"}, 4)
    assert (late.status, changed(late), late.body) == (200, "false", made.body)
    assert desk.types == [EventType.CREATED]


def test_an_unchanged_snapshot_still_moves_the_source_version_on() -> None:
    desk = Desk()
    desk.put(SNAPSHOT, 1)
    desk.put(SNAPSHOT, 9)
    assert changed(desk.put({**SNAPSHOT, "title": "old"}, 5)) == "false"
    assert desk.types == [EventType.CREATED]


def test_a_patch_in_between_does_not_make_older_snapshots_newer() -> None:
    desk = Desk()
    desk.put(SNAPSHOT, 5)
    desk.patch({"title": "patched"})
    assert changed(desk.put({**SNAPSHOT, "title": "old"}, 4)) == "false"
    assert json.loads(desk.patch({}).body)["title"] == "patched"


def test_snapshots_without_a_source_version_count_in_the_order_in_which_they_arrive() -> None:
    desk = Desk()
    desk.put(SNAPSHOT, 5)
    assert changed(desk.put({**SNAPSHOT, "title": "B"})) == "true"
    assert changed(desk.put({**SNAPSHOT, "title": "old"}, 4)) == "false"


@pytest.mark.parametrize("again", [None, 4, 5])
def test_after_a_deletion_a_higher_source_version_is_needed(again: int | None) -> None:
    desk = Desk()
    desk.put(SNAPSHOT, 5)
    desk.delete()
    with pytest.raises(Conflict):
        desk.put(SNAPSHOT, again)
    assert desk.types == [EventType.CREATED, EventType.DELETED]
    revived = desk.put(SNAPSHOT, 6)
    assert (revived.status, changed(revived)) == (201, "true")
    assert desk.types == [EventType.CREATED, EventType.DELETED, EventType.CREATED]


# --- Deletions with a version -----------------------------------------------------------------------------------------

DELETED, UNCHANGED = (204, "true"), (200, "false")


def what(answer: Response) -> tuple[int, str | None]:
    return answer.status, changed(answer)


@pytest.mark.parametrize("version", [5, 6])
def test_a_deletion_takes_away_what_is_no_newer(version: int) -> None:
    desk = Desk()
    desk.put(SNAPSHOT, 5)
    assert what(desk.delete(source_version=version)) == DELETED
    assert desk.types == [EventType.CREATED, EventType.DELETED]


def test_a_deletion_takes_away_what_has_no_version() -> None:
    desk = Desk()
    desk.create()
    assert what(desk.delete(source_version=0)) == DELETED


def test_an_older_deletion_changes_nothing() -> None:
    desk = Desk()
    made = desk.put(SNAPSHOT, 5)
    assert what(desk.delete(source_version=4)) == UNCHANGED
    assert header(desk.patch({}), "etag") == header(made, "etag")
    assert desk.types == [EventType.CREATED]


def test_a_repeated_deletion_does_not_take_away_what_came_back_since() -> None:
    desk = Desk()
    desk.put(SNAPSHOT, 5)
    desk.delete(source_version=6)
    assert what(desk.delete(source_version=6)) == UNCHANGED
    assert desk.put(SNAPSHOT, 7).status == 201
    assert what(desk.delete(source_version=6)) == UNCHANGED
    assert desk.types == [EventType.CREATED, EventType.DELETED, EventType.CREATED]


def test_a_late_snapshot_does_not_bring_back_what_a_later_version_deleted() -> None:
    desk = Desk()
    desk.put(SNAPSHOT, 5)
    desk.delete(source_version=7)
    for late in (6, 7):
        with pytest.raises(Conflict) as refused:
            desk.put(SNAPSHOT, late)
        assert refused.value.members == {"sourceVersion": 7}
    assert desk.put(SNAPSHOT, 8).status == 201


def test_a_later_deletion_of_what_is_gone_keeps_out_more_snapshots() -> None:
    desk = Desk()
    desk.put(SNAPSHOT, 5)
    desk.delete()
    assert what(desk.delete(source_version=9)) == UNCHANGED
    with pytest.raises(Conflict):
        desk.put(SNAPSHOT, 9)
    assert desk.types == [EventType.CREATED, EventType.DELETED]


def test_a_deletion_of_what_was_never_there_keeps_out_the_snapshots_that_it_overtook() -> None:
    desk = Desk()
    assert what(desk.delete(source_version=5)) == UNCHANGED
    with pytest.raises(Conflict):
        desk.put(SNAPSHOT, 5)
    with pytest.raises(NotFound):
        desk.patch({"title": "B"})
    assert desk.types == []
    assert desk.put(SNAPSHOT, 6).status == 201
    assert desk.types == [EventType.CREATED]


def test_if_match_stops_a_deletion_with_a_version_too() -> None:
    desk = Desk()
    with pytest.raises(PreconditionFailed):
        desk.delete("*", source_version=5)
    desk.put(SNAPSHOT, 5)
    with pytest.raises(PreconditionFailed):
        desk.delete('"7"', source_version=6)
    assert what(desk.delete('"1"', source_version=6)) == DELETED


@given(st.dictionaries(st.integers(0, 6), st.booleans(), min_size=1), st.data())
def test_in_whatever_order_and_however_often_states_arrive_the_last_one_stands(
    states: dict[int, bool], data: st.DataObject
) -> None:
    """What a queue does to the states of a document, some of which are deletions: each comes at least once, and none
    of them in its place."""
    repeated = data.draw(st.lists(st.sampled_from(sorted(states)), max_size=8))
    desk = Desk()
    for version in data.draw(st.permutations([*states, *repeated])):
        with suppress(Conflict):
            if states[version]:
                desk.delete(source_version=version)
            else:
                desk.put({**SNAPSHOT, "title": f"state {version}"}, version)
    version, is_deletion = max(states.items())
    row = desk.batch.documents.changed[1, ID]
    assert (row.deleted_at is not None, row.source_version) == (is_deletion, version)
    if not is_deletion:
        assert json.loads(row.body)["title"] == f"state {version}"


def test_a_revived_document_never_has_an_etag_that_it_had_before() -> None:
    desk = Desk()
    seen = {header(desk.put(SNAPSHOT, 5), "etag")}
    desk.delete()
    assert header(desk.put(SNAPSHOT, 6), "etag") not in seen | {'"2"'}


@pytest.mark.parametrize("source_version", [-3, 0, 1])
def test_any_source_version_is_higher_than_none(source_version: int) -> None:
    desk = Desk()
    desk.create()
    desk.delete()
    with pytest.raises(Conflict):
        desk.put(SNAPSHOT)
    assert desk.put(SNAPSHOT, source_version).status == 201


@given(st.lists(st.tuples(st.integers(-2, 6), st.sampled_from("ABC"), st.booleans()), max_size=12))
def test_whatever_the_order_of_arrival_the_newest_snapshot_wins(arrivals: list[tuple[int, str, bool]]) -> None:
    """Against a model; a deletion keeps the version that it met."""
    desk = Desk()
    held: tuple[int, str] | None = None
    deleted_at: int | None = None
    expected: list[str] = []
    for version, title, deletes in arrivals:
        if deletes and held is not None:
            desk.delete()
            deleted_at, held = held[0], None
            expected.append("documentDeleted")
            continue
        refused = held is None and deleted_at is not None and version <= deleted_at
        try:
            answer = desk.put({**SNAPSHOT, "title": title}, version)
        except CallerError:
            assert refused
            continue
        assert not refused
        if held is None:
            expected.append("documentCreated")
            held = (version, title)
        elif version >= held[0]:
            if title != held[1]:
                expected.append("documentUpdated")
            held = (version, title)
        assert json.loads(answer.body)["title"] == held[1]
    assert [event["type"] for event in desk.events] == expected
