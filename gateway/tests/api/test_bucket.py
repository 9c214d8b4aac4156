"""Files in a bucket, through the API: links lead to a real S3-compatible server, which refuses them once expired."""

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import obstore
import pytest
from gateway.tests.acceptance.gateway_process import run_command
from gateway.tests.api.moved_clock import MovedClock
from gateway.tests.files.seaweed import Seaweed
from gateway.tests.patience import PATIENCE
from gateway.tests.sqlite_file import database_file
from obstore.store import S3Store

from signalpost.domain.documents.links import LIFETIME
from signalpost.domain.errors import StartError
from signalpost.domain.timestamps import SECOND, parse_timestamp
from signalpost.store.sqlite.nouns.file_register import SqliteFileRegister

if TYPE_CHECKING:
    from gateway.tests.api.conftest import Answer, World

pytestmark = pytest.mark.slow
PDF = b"%PDF-1.7 a contract "
URL = "s3://contracts/some/prefix"


@pytest.fixture(scope="module")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    server = Seaweed(tmp_path_factory.mktemp("seaweed"))
    server.make_bucket("contracts")
    os.environ.update(server.environment)
    yield server
    for name in server.environment:
        del os.environ[name]
    server.stop()


class Archive:
    """A gateway whose clock stands still, and a document with a version in the bucket."""

    def __init__(self, make_world: Callable[..., "World"]) -> None:
        self.clock = MovedClock()
        self.world = make_world(clock=self.clock, files_url=URL)
        self.path = f"/v1/documents/{self.world.create_document(title='Größe')['externalId']}"
        self.objects = S3Store.from_url(URL, client_options={"allow_http": True})
        """What the bucket has of it."""
        self.upload().ok(201)

    def put(self, name: str, content: bytes) -> None:
        parts = urlsplit(obstore.sign(self.objects, "PUT", name, timedelta(minutes=1)))
        assert parts.hostname is not None
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE)
        connection.request("PUT", f"{parts.path}?{parts.query}", content)
        assert connection.getresponse().status == 200
        connection.close()

    def upload(self, content: bytes = PDF) -> "Answer":
        body = b'--b\r\ncontent-disposition: form-data; name="file"\r\n\r\n' + content + b"\r\n--b--\r\n"
        headers = {"content-type": "multipart/form-data; boundary=b"}
        return self.world.send("POST", f"{self.path}/versions", body, headers)

    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = self.world.events(self.world.last() - 1)[0]["event"]
        return event

    def follow(self, url: str, method: str = "GET") -> "Answer":
        return self.world.send(method, urlsplit(url).path, headers={"authorization": None})


@pytest.fixture(scope="module")
def archive(seaweed: Seaweed, make_world: Callable[..., "World"]) -> Archive:
    return Archive(make_world)


def fetch(url: str) -> tuple[int, dict[str, str], bytes]:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return answer.status, {n.lower(): v for n, v in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {}, error.read()


def test_a_link_leads_to_the_bucket_for_some_seconds_and_never_longer_than_it_works_itself(archive: Archive) -> None:
    """At its end, where what it would lead to would work for longer, the gateway serves the file itself."""
    event = archive.event()
    url = event["data"]["document"]["latestVersion"]["downloadUrl"]
    created = parse_timestamp(event["createdAt"])
    for left in (LIFETIME, 11 * SECOND, 10 * SECOND):
        archive.clock.now = created + LIFETIME - left
        answer = archive.follow(url)
        assert answer.status == 302
        assert answer.headers["cache-control"] == "no-store"
        location = answer.headers["location"]
        assert parse_qs(urlsplit(location).query)["X-Amz-Expires"] == ["10"]
        status, headers, body = fetch(location)
        assert (status, body) == (200, PDF)
        assert headers["content-type"] == "application/pdf"
        assert headers["content-disposition"].startswith("attachment; ")
        assert "filename*=UTF-8''Gr%C3%B6%C3%9Fe.pdf" in headers["content-disposition"]
    for left in (10 * SECOND - 1, SECOND, 1):
        archive.clock.now = created + LIFETIME - left
        served = archive.follow(url)
        assert (served.status, served.body) == (200, PDF)
    archive.clock.now = created + LIFETIME
    archive.follow(url).refused(403, code="link_refused")


def test_the_bucket_refuses_a_link_that_has_expired(archive: Archive) -> None:
    name = next(iter(obstore.list(archive.objects)))[0]["path"]
    assert fetch(obstore.sign(archive.objects, "GET", name, timedelta(minutes=1)))[0] == 200
    location = obstore.sign(archive.objects, "GET", name, timedelta(seconds=1))  # which ends with the clock's second
    deadline = time.monotonic() + PATIENCE
    while (found := fetch(location))[0] == 200:
        assert time.monotonic() < deadline, "it does not expire"
        time.sleep(0.1)
    assert found[0] == 403
    assert b"expired" in found[2]


def test_a_head_and_a_download_with_a_key_are_answered_by_the_gateway(archive: Archive) -> None:
    document = archive.world.get(archive.path).ok()
    head = archive.follow(document["latestVersion"]["downloadUrl"], "HEAD")
    assert (head.status, head.headers["content-length"]) == (200, str(len(PDF)))
    whole = archive.world.get(f"{archive.path}/versions/0.1/file")
    assert (whole.status, whole.body) == (200, PDF)
    part = archive.world.get(f"{archive.path}/versions/0.1/file", range="bytes=1-3")
    assert (part.status, part.body) == (206, PDF[1:4])


def test_nothing_of_an_upload_stays_on_the_gateway_s_disk(archive: Archive) -> None:
    archive.upload(PDF * 200_000).ok(201)
    archive.upload(b"\x7fELF").refused(415)
    assert list((archive.world.settings.data_dir / "drafts").iterdir()) == []
    newest = archive.world.get(f"{archive.path}/versions").ok()["data"][0]["number"]
    assert archive.world.get(f"{archive.path}/versions/{newest}/file").body == PDF * 200_000


def test_a_scrub_finds_what_is_missing_damaged_and_nobody_s(archive: Archive) -> None:
    """The scrub runs as a command, in a process of its own, beside the gateway."""
    for _ in range(2):
        archive.upload().ok(201)
    data_dir = archive.world.settings.data_dir

    def scrub(*arguments: str) -> tuple[int, Any]:
        scrub = ("db", "scrub", "--data-dir", data_dir, "--json", *arguments)
        done = run_command(*scrub, code=None, SIGNALPOST_FILES_URL=URL)
        return done.returncode, json.loads(done.stdout)

    code, found = scrub()
    assert (code, found["missing"], found["damaged"], found["orphans"]) == (0, [], [], [])
    register = SqliteFileRegister(database_file(data_dir))
    damaged, missing = list(register.versions())[:2]
    register.close()
    orphan = "0" * 32
    for name in (orphan, damaged.file.name):
        archive.put(name, b"x")
    obstore.delete(archive.objects, missing.file.name)

    code, found = scrub("--remove-orphans")
    assert code == 1
    assert [(each["number"], each["file"]) for each in found["damaged"]] == [(damaged.number, damaged.file.name)]
    assert [(each["number"], each["file"]) for each in found["missing"]] == [(missing.number, missing.file.name)]
    assert (found["orphans"], found["removed"]) == ([orphan], 1)
    assert scrub()[1]["orphans"] == []
    for number in (damaged.number, missing.number):
        archive.world.get(f"{archive.path}/versions/{number}/file").refused(503, code="file_lost")


def test_a_gateway_does_not_start_on_a_bucket_that_is_closed_to_it(
    seaweed: Seaweed, make_world: Callable[..., "World"], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(StartError, match=r"FILES_URL s3://contracts/some/prefix cannot be used: .*AWS_… variables"):
        make_world(files_url=URL)


def test_while_the_bucket_is_away_uploads_and_downloads_are_told_so_and_nothing_stays(
    archive: Archive, seaweed: Seaweed
) -> None:
    """The last test: it stops the server."""
    seaweed.stop()
    archive.upload().refused(503, code="files_unavailable")
    assert list((archive.world.settings.data_dir / "drafts").iterdir()) == []
    archive.world.get(f"{archive.path}/versions/0.1/file").refused(503, code="files_unavailable")
