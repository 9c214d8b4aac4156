"""What adding and publishing versions comes to, beside all else that happens to a document (C7, C9, C10)."""

import json
from random import Random
from typing import Any

import pytest
from gateway.tests.bodies import document_patch, new_document, snapshot
from hypothesis import given
from hypothesis import strategies as st

from signalpost.api.http.response import Response
from signalpost.api.rendering import kept_answers, respond
from signalpost.commands.batch import Batch, BatchContext, Rows
from signalpost.commands.command import Command, IdempotencyKey
from signalpost.commands.documents import CreateDocument, DeleteDocument, ImportDocument, PatchDocument
from signalpost.commands.versions import AddVersion, PublishVersion
from signalpost.domain.access.tenant import Tenant
from signalpost.domain.documents.links import LIFETIME, Links, LinkTarget
from signalpost.domain.documents.version import Number, StoredFile, read_number
from signalpost.domain.errors import Conflict, NotFound, PreconditionFailed
from signalpost.domain.timestamps import SECOND, parse_timestamp

NOW = 1_700_000_000 * SECOND
ID = "d24c0644-1d31-47fa-960e-b0cc8b4f136c"
NEW = {"type": "NDA", "title": "A", "ownerEmail": "o@example.com", "authorEmail": "a@example.com"}
SNAPSHOT = {**NEW, "status": "created", "createdAt": "2021-09-02T04:37:56.812919+00:00", "sourceApp": "CRM"}
LINKS = Links(b"key", "https://gateway.example.com")


def foreign(number: str = "7.1") -> dict[str, str]:
    return {"number": number, "downloadUrl": f"https://elsewhere.example.com/{number}"}


class Desk:
    """A document, changed one command at a time."""

    def __init__(self) -> None:
        rows = Rows(tenants={1: Tenant(1, "default")})
        self.batch = Batch(rows, NOW, BatchContext(LINKS, kept_answers(LINKS), Random(1).getrandbits))
        self.uploaded = 0

    def run(self, command: Command[Any]) -> Response:
        return respond(self.batch.run(command), LINKS)

    def create(self) -> Response:
        return self.run(CreateDocument(tenant_id=1, document_id=ID, new=new_document(**NEW), source_app="app"))

    def patch(self, **given: Any) -> Response:
        return self.run(PatchDocument(tenant_id=1, document_id=ID, patch=document_patch(**given)))

    def delete(self) -> Response:
        return self.run(DeleteDocument(tenant_id=1, document_id=ID))

    def put(self, source_version: int | None = None, **more: Any) -> Response:
        said = snapshot(**{**SNAPSHOT, **more})
        return self.run(ImportDocument(tenant_id=1, document_id=ID, snapshot=said, source_version=source_version))

    def upload(self, *, publish: bool = False, **more: Any) -> str:
        self.uploaded += 1
        file = StoredFile(f"{self.uploaded:032x}", 10, b"sum", "application/pdf")
        given = {"tenant_id": 1, "document_id": ID, "file": file, "publish": publish, "by": "someone", **more}
        return str(json.loads(self.run(AddVersion(**given)).body)["number"])

    def publish(self, number: str) -> str:
        draft = read_number(number)
        assert draft is not None
        command = PublishVersion(tenant_id=1, document_id=ID, version_number=draft, by="someone else")
        return str(json.loads(self.run(command).body)["number"])

    @property
    def last(self) -> dict[str, Any]:
        """The document in the last event."""
        document: dict[str, Any] = json.loads(self.batch.events[-1].body)["data"]["document"]
        return document

    def shown(self) -> tuple[str | None, str | None]:
        """The numbers of the latest and of the published version, in the last event."""
        latest, published = self.last["latestVersion"], self.last["publishedVersion"]
        return latest and latest["number"], published and published["number"]


@pytest.fixture
def desk() -> Desk:
    made = Desk()
    made.create()
    return made


def test_each_upload_and_each_publication_makes_one_update_that_shows_both_versions(desk: Desk) -> None:
    assert desk.upload() == "0.1"
    assert desk.shown() == ("0.1", None)
    assert desk.upload() == "0.2"
    assert desk.publish("0.1") == "1.0"
    assert desk.shown() == ("1.0", "1.0")
    assert desk.upload() == "1.1"
    assert desk.shown() == ("1.1", "1.0")
    assert desk.upload(publish=True) == "2.0"
    assert desk.shown() == ("2.0", "2.0")
    assert [event.type for event in desk.batch.events] == [1, 2, 2, 2, 2, 2]


def test_a_publication_has_the_draft_s_file_and_the_draft_says_what_became_of_it(desk: Desk) -> None:
    desk.upload()
    desk.publish("0.1")
    draft, made = (desk.batch.versions.changed[1, ID, number] for number in (Number(0, 1), Number(1, 0)))
    assert (draft.published_as, made.published_as) == (Number(1, 0), None)
    assert draft.file == made.file
    assert (draft.created_by, made.created_by) == ("someone", "someone else")


def test_what_is_published_is_not_published_again(desk: Desk) -> None:
    desk.upload()
    desk.publish("0.1")
    for number in ("0.1", "1.0"):
        with pytest.raises(Conflict, match=r"already published, as 1\.0"):
            desk.publish(number)
    assert desk.upload() == "1.1"


def test_only_versions_of_a_document_that_is_there_are_published(desk: Desk) -> None:
    desk.upload()
    with pytest.raises(NotFound):
        desk.publish("0.2")
    desk.delete()
    with pytest.raises(NotFound):
        desk.publish("0.1")
    with pytest.raises(NotFound):
        desk.upload()


def test_an_upload_keeps_to_the_precondition(desk: Desk) -> None:
    desk.patch(title="B")
    with pytest.raises(PreconditionFailed):
        desk.upload(if_match=frozenset({'"1"'}))
    desk.upload(if_match=frozenset({'"2"'}))


def test_an_upload_is_answered_once_for_its_idempotency_key(desk: Desk) -> None:
    key = IdempotencyKey(1, "once", b"the same file")
    assert desk.upload(idempotency=key) == desk.upload(idempotency=key) == "0.1"
    assert len(desk.batch.versions.changed) == 1
    assert len(desk.batch.events) == 2


def test_links_of_an_event_and_of_an_answer_are_good_for_15_minutes_from_its_moment(desk: Desk) -> None:
    desk.upload()
    answered = json.loads(desk.patch(title="B").body)
    event = json.loads(desk.batch.events[-1].body)
    created = parse_timestamp(event["createdAt"])
    url = event["data"]["document"]["latestVersion"]["downloadUrl"]
    assert answered["latestVersion"]["downloadUrl"] == url
    assert LINKS.read(url.rsplit("/", 1)[1]) == LinkTarget(1, ID, Number(0, 1), created + LIFETIME)


def test_a_deletion_carries_links_too(desk: Desk) -> None:
    desk.upload()
    desk.delete()
    assert desk.last["status"] == "other"
    assert desk.last["latestVersion"]["downloadUrl"].startswith("https://gateway.example.com/files/")


# --- Beside another system's versions ---------------------------------------------------------------------------------


def test_links_of_another_system_pass_as_they_are(desk: Desk) -> None:
    desk.put(latestVersion=foreign("7.1"), publishedVersion=foreign("7.0"))
    assert desk.last["latestVersion"] == foreign("7.1")
    assert desk.last["publishedVersion"] == foreign("7.0")


def test_numbers_go_on_after_those_of_another_system(desk: Desk) -> None:
    desk.put(latestVersion=foreign("7.1"), publishedVersion=foreign("7.0"))
    assert desk.upload() == "7.2"
    assert desk.last["publishedVersion"] == foreign("7.0")
    assert desk.publish("7.2") == "8.0"


@pytest.mark.parametrize("number", ["final", "7", "1.1.1", "9" * 40 + ".1"])
def test_a_number_of_another_form_counts_for_nothing(desk: Desk, number: str) -> None:
    desk.put(latestVersion=foreign(number))
    assert desk.upload() == "0.1"


def test_an_import_that_says_nothing_of_versions_leaves_the_gateway_s_own(desk: Desk) -> None:
    desk.upload()
    desk.upload(publish=True)
    desk.upload()
    desk.put(title="B", latestVersion=None)
    assert desk.shown() == ("1.1", "1.0")
    events = len(desk.batch.events)
    desk.put(title="B")
    assert len(desk.batch.events) == events


def test_an_import_that_repeats_the_gateway_s_own_links_changes_nothing(desk: Desk) -> None:
    desk.upload(publish=True)
    desk.put()
    said = {name: desk.last[name] for name in ("latestVersion", "publishedVersion")}
    events = len(desk.batch.events)
    desk.patch(title="A")  # a moment later
    desk.put(**said)
    assert len(desk.batch.events) == events


def test_a_version_that_another_system_gives_takes_the_place(desk: Desk) -> None:
    desk.upload()
    desk.put(latestVersion=foreign("3.1"))
    assert desk.last["latestVersion"] == foreign("3.1")
    assert desk.upload() == "3.2"
    desk.put(latestVersion=foreign("1.0"))
    assert desk.upload() == "3.3", "no number is given twice"


def test_numbers_go_on_after_a_deletion_and_what_went_stays_gone(desk: Desk) -> None:
    desk.upload()
    desk.delete()
    desk.put(source_version=1)
    assert desk.shown() == (None, None)
    with pytest.raises(NotFound):
        desk.publish("0.1")
    assert desk.upload() == "0.2"


STEPS = st.lists(
    st.sampled_from(["upload", "publish", "upload published", "patch", "put", "put foreign", "delete and put"]),
    max_size=25,
)


@given(STEPS)
def test_whatever_happens_no_number_is_given_twice_and_each_is_higher(steps: list[str]) -> None:
    desk, given, draft = Desk(), [], None
    desk.create()
    for at, step in enumerate(steps):
        match step:
            case "upload":
                given.append(draft := desk.upload())
            case "upload published":
                given.append(desk.upload(publish=True))
            case "publish" if draft is not None:
                given.append(desk.publish(draft))
                draft = None
            case "patch":
                desk.patch(title=str(at))
            case "put":
                desk.put(source_version=at)
            case "put foreign":
                desk.put(source_version=at, latestVersion=foreign(f"{at % 3}.{at % 5 + 1}"))
            case "delete and put":
                desk.delete()
                desk.put(source_version=at)
                draft = None
    numbers = [read_number(number) for number in given]
    assert None not in numbers
    assert numbers == sorted(set(numbers))  # type: ignore[type-var]
