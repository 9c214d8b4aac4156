"""A change of a document writes what it made otherwise: every page more is written, synced and copied back."""

from pathlib import Path
from typing import Any

import apsw
import pytest
from msgspec.structs import replace

from signalpost.commands.command import DocumentKey
from signalpost.domain.documents.document import DocumentRow, Facets
from signalpost.domain.documents.workflow import Workflow
from signalpost.store.sqlite.connect import connect
from signalpost.store.sqlite.nouns import documents
from signalpost.store.sqlite.schema import migrate

KEY: DocumentKey = (1, "00000000-0000-4000-8000-000000000001")


def row(
    version: int, title: str = "A", status: str = "created", workflow: Workflow | None = None, **facets: Any
) -> DocumentRow:
    found = {"type": "NDA", "status": status, "reference_id": "R1", "owner_email": "a@x", **facets}
    body = f'{{"type":"{found["type"]}","title":"{title}","status":"{status}","n":{version}}}'
    return DocumentRow(KEY[1], version, version, Facets(**found), body.encode(), workflow=workflow)


SIGNING = Workflow("awaitingSignature", expires_at=9)
CHANGES = {
    "what no list asks for": (row(2), 1),
    "the reference": (row(2, reference_id="R2"), 2),
    "the reference, which it has no more": (row(2, reference_id=None), 2),
    "the owner": (row(2, owner_email="b@x"), 2),
    "the status": (row(2, status="approved"), 2),
    "the title": (row(2, title="B"), 2),
    "the reference and the owner": (row(2, reference_id="R2", owner_email="b@x"), 3),
    "a signature request": (row(2, workflow=SIGNING), 2),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_writes_the_document_and_the_index_of_what_it_made_otherwise(tmp_path: Path, what: str) -> None:
    after, expected = CHANGES[what]
    connection = connect(tmp_path / "database")
    migrate(connection, 1)
    pages = [0]

    def note(_connection: apsw.Connection, _name: str, written: int) -> int:
        pages.append(written)
        return apsw.SQLITE_OK

    connection.set_wal_hook(note)

    def write(before: DocumentRow | None, then: DocumentRow) -> int:
        with connection:
            documents.write(connection, {} if before is None else {KEY: before}, {KEY: then})
        return pages[-1] - pages[-2]

    write(None, row(1))
    assert write(row(1), after) == expected
    assert documents.read(connection, [KEY]) == {KEY: after}
    assert connection.pragma("integrity_check") == "ok"


def test_a_document_that_is_deleted_and_comes_back_is_written_whole(tmp_path: Path) -> None:
    connection = connect(tmp_path / "database")
    migrate(connection, 1)
    gone = replace(row(2), facets=None, body=b"", deleted_at=2)
    states = [row(1), gone, replace(gone, source_version=7), replace(row(3, title="B", type="Lease"), source_version=8)]
    before: dict[DocumentKey, DocumentRow] = {}
    for state in states:
        documents.write(connection, before, {KEY: state})
        before = documents.read(connection, [KEY])
        assert before == {KEY: state}
    assert connection.execute("SELECT title_key FROM document").fetchall() == [("b",)]
