"""Download links through the API (C10): they work until exactly 15 minutes after the event, and tell nothing else."""

import json
import urllib.request
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from gateway.tests.api.moved_clock import MovedClock
from gateway.tests.patience import PATIENCE

from signalpost.domain.documents.links import LIFETIME, Links, LinkTarget
from signalpost.domain.documents.version import Number
from signalpost.domain.timestamps import SECOND, parse_timestamp

if TYPE_CHECKING:
    from gateway.tests.api.conftest import Answer, World

PDF = b"%PDF-1.7 a contract "


class Archive:
    """A gateway whose clock stands still, and a document with a version."""

    def __init__(self, make_world: Callable[..., "World"], **settings: Any) -> None:
        self.clock = MovedClock()
        self.world = make_world(clock=self.clock, **settings)
        self.path = f"/v1/documents/{self.world.create_document(title='A contract')['externalId']}"
        self.upload()

    def upload(self, content: bytes = PDF) -> None:
        body = b'--b\r\ncontent-disposition: form-data; name="file"\r\n\r\n' + content + b"\r\n--b--\r\n"
        headers = {"content-type": "multipart/form-data; boundary=b"}
        self.world.send("POST", f"{self.path}/versions", body, headers).ok(201)

    @property
    def event(self) -> dict[str, Any]:
        """The last one."""
        event: dict[str, Any] = self.world.events(self.world.last() - 1)[0]["event"]
        return event

    def follow(self, url: str, method: str = "GET", **headers: str) -> "Answer":
        """Without a key."""
        return self.world.send(method, urlsplit(url).path, headers={"authorization": None, **headers})


def link_of(document: dict[str, Any]) -> str:
    url: str = document["latestVersion"]["downloadUrl"]
    return url


def refused(answer: "Answer") -> dict[str, Any]:
    """What it tells, without what differs between any two requests."""
    problem = answer.refused(403, code="link_refused")
    told = {name: value for name, value in answer.headers.items() if name not in ("date", "request-id")}
    return {**problem, "requestId": "", "headers": told}


@pytest.fixture(scope="module")
def archive(make_world: Callable[..., "World"]) -> Archive:
    return Archive(make_world)


def test_an_event_s_link_serves_the_file_to_anyone_until_exactly_15_minutes_after_its_creation(
    archive: Archive,
) -> None:
    archive.world.send("PATCH", archive.path, {"title": str(uuid.uuid4())}).ok()
    event = archive.event
    url, created = link_of(event["data"]["document"]), parse_timestamp(event["createdAt"])
    for moment in (created, created + LIFETIME // 2, created + LIFETIME - 1):
        archive.clock.now = moment
        assert archive.follow(url).body == PDF
    for moment in (created + LIFETIME, created + LIFETIME + 1, created + 1000 * LIFETIME):
        archive.clock.now = moment
        refused(archive.follow(url))
    archive.clock.now = created + LIFETIME - SECOND
    assert archive.follow(url).body == PDF, "by the clock alone"


def test_a_read_s_links_work_for_15_minutes_from_the_read(archive: Archive) -> None:
    archive.clock.move(LIFETIME)
    read = archive.clock.now
    answers = [
        link_of(archive.world.get(archive.path).ok()),
        link_of(archive.world.get("/v1/documents").ok()["data"][0]),
        archive.world.get(f"{archive.path}/versions").ok()["data"][0]["downloadUrl"],
    ]
    for at, works in ((read + LIFETIME - 1, True), (read + LIFETIME, False)):
        archive.clock.now = at
        assert [archive.follow(url).status == 200 for url in answers] == [works] * 3


def test_an_event_s_payload_never_changes_and_neither_does_a_document_s_etag_with_its_links(archive: Archive) -> None:
    event, document = archive.event, archive.world.get(archive.path)
    archive.clock.move(SECOND)
    assert archive.event == event
    later = archive.world.get(archive.path)
    assert later.headers["etag"] == document.headers["etag"]
    assert link_of(later.ok()) != link_of(document.ok())


def test_a_patch_that_changes_nothing_makes_no_event_although_links_are_fresh(archive: Archive) -> None:
    title = archive.world.get(archive.path).ok()["title"]
    last = archive.world.last()
    archive.clock.move(SECOND)
    archive.world.send("PATCH", archive.path, {"title": title}).ok()
    assert archive.world.last() == last


def test_a_deletion_s_links_work_too(archive: Archive, make_world: Callable[..., "World"]) -> None:
    own = Archive(make_world)
    own.upload()
    own.world.send("DELETE", own.path)
    event = own.event
    assert event["type"] == "documentDeleted"
    own.clock.now = parse_timestamp(event["createdAt"]) + LIFETIME - 1
    answer = own.follow(link_of(event["data"]["document"]))
    assert answer.body == PDF
    assert answer.headers["content-disposition"] == 'attachment; filename="document.pdf"'


def test_whatever_is_wrong_with_a_link_the_answer_is_the_same(archive: Archive) -> None:
    """Expired, altered, another's, or to what never was."""
    document = archive.world.get(archive.path).ok()
    good = link_of(document)
    head, token = good.rsplit("/", 1)
    foreign = Links(b"another key", head.removesuffix("/files"))
    linked = LinkTarget(1, document["externalId"], Number(0, 1), archive.clock.now + LIFETIME)
    own = archive.world.links(head.removesuffix("/files"))
    told = [
        refused(archive.follow(url))
        for url in (
            f"{head}/{token[:-1]}{'A' if token[-1] != 'A' else 'B'}",
            f"{head}/{token[:40]}{'A' if token[40] != 'A' else 'B'}{token[41:]}",
            f"{head}/{token}x",
            f"{head}/{token[:-1]}",
            f"{head}/x",
            f"{head}/%00",
            f"{head}/{'A' * 92}",
            foreign.link(linked),
            own.link(linked._replace(expires_at=archive.clock.now)),
            own.link(linked._replace(number=Number(9, 9))),
            own.link(linked._replace(tenant_id=2)),
            own.link(linked._replace(document_id=str(uuid.uuid4()))),
        )
    ]
    assert archive.follow(own.link(linked)).body == PDF, "the key is the right one"
    assert all(each == told[0] for each in told)
    assert told[0]["detail"].startswith("A download link works for 15 minutes")


def test_a_link_serves_ranges_and_heads_as_a_download_with_a_key_does(archive: Archive) -> None:
    url = link_of(archive.world.get(archive.path).ok())
    with_key = archive.world.get(f"{archive.path}/versions/0.1/file").headers
    varying = ("date", "request-id")
    for answer in (archive.follow(url), archive.follow(url, "HEAD")):
        assert {n: v for n, v in answer.headers.items() if n not in varying} == {
            n: v for n, v in with_key.items() if n not in varying
        }
    part = archive.follow(url, range="bytes=1-3")
    assert (part.status, part.body, part.headers["content-range"]) == (206, PDF[1:4], f"bytes 1-3/{len(PDF)}")
    archive.follow(url, range="bytes=500-").refused(416)
    whole = archive.follow(url, range="bytes=1-3", **{"if-range": '"other"'})
    assert (whole.status, whole.body) == (200, PDF)


def test_nothing_but_get_and_head_is_taken(archive: Archive) -> None:
    url = link_of(archive.world.get(archive.path).ok())
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        archive.follow(url, method).refused(405)


def test_a_link_begins_with_the_public_url_and_works_behind_it(make_world: Callable[..., "World"]) -> None:
    own = Archive(make_world, public_url="https://signalpost.example.com/hooks")
    url = link_of(own.world.get(own.path).ok())
    assert url.startswith("https://signalpost.example.com/hooks/files/")
    assert own.follow(url.replace("/hooks/files/", "/files/")).body == PDF


def test_without_a_public_url_a_link_leads_to_where_the_gateway_listens(archive: Archive) -> None:
    url = link_of(archive.world.get(archive.path).ok())
    assert url.startswith(f"http://127.0.0.1:{archive.world.port}/files/")
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        assert answer.read() == PDF


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_without_a_public_url_readiness_warns_where_links_lead(make_world: Callable[..., "World"], host: str) -> None:
    world = make_world(host=host)
    ready = world.get("/health/ready").ok()
    assert ready["status"] == "ready"
    assert [text for text in ready["warnings"] if f"lead to http://127.0.0.1:{world.port}." in text]
    assert "PUBLIC_URL" in ready["warnings"][0]


def test_with_a_public_url_readiness_has_no_warning(make_world: Callable[..., "World"]) -> None:
    assert make_world(public_url="https://signalpost.example.com").get("/health/ready").ok()["warnings"] == []


def test_a_link_survives_a_restart_and_not_another_master_key(make_world: Callable[..., "World"]) -> None:
    own = Archive(make_world)
    url = link_of(own.event["data"]["document"])
    settings = own.world.settings
    own.world.stop()
    again = make_world(data_dir=settings.data_dir, clock=own.clock)
    assert again.send("GET", urlsplit(url).path, headers={"authorization": None}).body == PDF
    other = make_world(clock=own.clock)
    other.send("GET", urlsplit(url).path, headers={"authorization": None}).refused(403)


def test_imported_links_pass_as_they_are_everywhere(archive: Archive) -> None:
    external_id = str(uuid.uuid4())
    version = {"number": "7.1", "downloadUrl": "https://elsewhere.example.com/x?signature=%2F&expires=1"}
    snapshot = {**archive.world.document, "status": "created", "createdAt": "2021-09-02T04:37:56Z", "sourceApp": "x"}
    put = archive.world.send("PUT", f"/v1/documents/{external_id}", {**snapshot, "latestVersion": version})
    assert put.ok(201)["latestVersion"] == version
    assert archive.event["data"]["document"]["latestVersion"] == version
    assert archive.world.get(f"/v1/documents/{external_id}").ok()["latestVersion"] == version


def test_a_text_that_looks_like_a_version_without_a_link_stays_a_text(archive: Archive) -> None:
    strange = '"latestVersion":{"number":"0.1","downloadUrl":""}'
    made = archive.world.create_document(title=strange, additionalFacts={"downloadUrl": "", strange: ""})
    assert made["title"] == strange
    assert made["additionalFacts"] == {"downloadUrl": "", strange: ""}
    assert strange in json.dumps(made).replace('\\"', '"')
