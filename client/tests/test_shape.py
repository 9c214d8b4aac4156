"""What is made of an answer."""

from typing import Any

import msgspec
import pytest

from signalpost_client import shapes
from signalpost_client.shape import read

VERSION = {"number": "1.0", "downloadUrl": "https://gateway.example.com/files/x"}
DOCUMENT: dict[str, Any] = {
    "type": "NDA", "title": "Mutual NDA", "status": "created", "createdAt": "2026-01-15T09:30:00.000000+00:00",
    "sourceApp": "archive", "startDate": "2026-02-01", "executedAt": None, "expiryDate": None,
    "externalId": "d24c0644-1d31-47fa-960e-b0cc8b4f136c", "ownerEmail": "o@example.com",
    "authorEmail": "a@example.com", "referenceId": None, "contractValue": 1500, "latestVersion": VERSION,
    "additionalFacts": {}, "counterpartyName": None, "publishedVersion": None,
    "updatedAt": "2026-01-15T09:30:00.000000+00:00",
}  # fmt: skip


def test_members_have_the_names_of_python_and_times_a_zone() -> None:
    document = read(shapes.Document, DOCUMENT)
    assert (document.external_id, document.start_date) == (DOCUMENT["externalId"], "2026-02-01")
    assert document.created_at.utcoffset() is not None
    assert document.latest_version is not None
    assert document.latest_version.number == "1.0"


def test_members_and_words_that_are_not_known_are_kept_wherever_they_are() -> None:
    later = {**DOCUMENT, "status": "notarised", "seal": {"of": "wax"}, "latestVersion": {**VERSION, "pages": 3}}
    page = read(shapes.DocumentPage, {"data": [later], "next": None, "total": 1})
    assert page.unknown_members == {"total": 1}
    [document] = page.data
    assert (document.status, document.unknown_members) == ("notarised", {"seal": {"of": "wax"}})
    assert document.latest_version is not None
    assert document.latest_version.unknown_members == {"pages": 3}


def test_whole_numbers_of_facts_stay_exact() -> None:
    facts = {"count": 2**63 + 1, "share": 0.5, "is": True, "text": "a"}
    assert read(shapes.Document, {**DOCUMENT, "additionalFacts": facts}).additional_facts == facts


def test_headers_are_with_the_answer_and_not_with_its_parts() -> None:
    document = read(shapes.Document, DOCUMENT, {"etag": '"1"'})
    assert document.response_headers == {"etag": '"1"'}
    assert document.latest_version is not None
    assert document.latest_version.response_headers == {}


def test_an_answer_becomes_the_json_that_it_was() -> None:
    assert msgspec.to_builtins(read(shapes.ImportedLine, {"line": 1, "status": 200, "externalId": None})) == {
        "line": 1, "status": 200, "externalId": None,
    }  # fmt: skip


def test_a_secret_is_not_printed_with_its_answer() -> None:
    key = {
        "id": "1", "name": "A", "role": "viewer", "tenant": "default", "createdAt": "2026-01-15T09:30:00Z",
        "createdBy": None, "expiresAt": None, "lastUsedAt": None, "key": "sp_secret",
    }  # fmt: skip
    made = read(shapes.NewKey, key)
    assert made.key == "sp_secret"
    assert "sp_secret" not in f"{made} {made!r} {[made]}"
    assert "name='A'" in repr(made)


@pytest.mark.parametrize("wrong", [{**DOCUMENT, "title": 1}, {"title": "A"}, [], None, {**DOCUMENT, "createdAt": "no"}])
def test_what_is_no_such_answer_is_refused(wrong: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(shapes.Document, wrong)
