"""Files in the real process: memory while large ones come and go, and SIGKILL at any moment of an upload."""

import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import obstore
import pytest
from gateway.tests.acceptance.client import Client, Lost, until
from gateway.tests.acceptance.gateway_process import GatewayProcess, run_command
from gateway.tests.files.seaweed import Seaweed
from gateway.tests.patience import PATIENCE
from obstore.store import S3Store

Gateways = Callable[..., GatewayProcess]
pytestmark = pytest.mark.slow
MIB = 1024 * 1024
LARGE = 100 * MIB
MAX_GROWTH = 24
"""MiB: buffers of an upload and a download, and what the allocator keeps of them."""
KILLS = 3


# --- Where files are --------------------------------------------------------------------------------------------------


class Place:
    """Where a gateway keeps its files, seen from outside."""

    def __init__(self, url: str | None = None) -> None:
        """Without a URL a folder of each gateway."""
        self._url = url
        self.flags = {} if url is None else {"files_url": url}

    def names(self, gateway: GatewayProcess) -> set[str]:
        """The names of files, and of drafts of objects."""
        folder = gateway.data_dir / ("drafts" if self._url else "files")
        return {file.name for file in folder.iterdir()} | set(self._objects())

    def _objects(self) -> Iterator[str]:
        if self._url is not None:
            for some in obstore.list(S3Store.from_url(self._url, client_options={"allow_http": True})):
                yield from (each["path"] for each in some)

    def scrub(self, gateway: GatewayProcess, *arguments: str) -> Any:
        """Run the command, as an operator does."""
        own: dict[str, Any] = {f"SIGNALPOST_{name.upper()}": value for name, value in self.flags.items()}
        return json.loads(
            run_command("db", "scrub", "--data-dir", gateway.data_dir, "--json", *arguments, **own).stdout
        )


@pytest.fixture(scope="module")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    server = Seaweed(tmp_path_factory.mktemp("seaweed"))
    yield server
    server.stop()


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Place:
    if request.param == "folder":
        return Place()
    server: Seaweed = request.getfixturevalue("seaweed")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return Place(f"s3://tests/{uuid4()}")


# --- Memory -----------------------------------------------------------------------------------------------------------


class Resident:
    """The process's memory in MiB, sampled all the time."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._stop = threading.Event()
        self.most = self.now()
        self._thread = threading.Thread(target=self._sample)

    def now(self) -> int:
        (found,) = (line for line in self._status.read_text().splitlines() if line.startswith("VmRSS:"))
        return int(found.split()[1]) // 1024

    def __enter__(self) -> "Resident":
        self.most = self.now()
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(0.005):
            self.most = max(self.most, self.now())


def parts() -> Iterator[bytes]:
    yield b'--b\r\ncontent-disposition: form-data; name="file"\r\n\r\n'
    for _ in range(LARGE // MIB):
        yield b"a" * MIB
    yield b"\r\n--b--\r\n"


def send_large(gateway: GatewayProcess, external_id: str) -> None:
    connection = http.client.HTTPConnection(*gateway.address, timeout=PATIENCE)
    headers = {
        "authorization": f"Bearer {gateway.operator_key}",
        "content-type": "multipart/form-data; boundary=b",
        "content-length": str(sum(map(len, parts()))),
    }
    connection.request("POST", f"/v1/documents/{external_id}/versions", parts(), headers)
    answer = connection.getresponse()
    assert answer.status == 201, answer.read()
    answer.read()
    connection.close()


def fetch_large(gateway: GatewayProcess, path: str) -> int:
    connection = http.client.HTTPConnection(*gateway.address, timeout=PATIENCE)
    connection.request("GET", path, headers={"authorization": f"Bearer {gateway.operator_key}"})
    answer = connection.getresponse()
    size = 0
    while part := answer.read(MIB):
        size += len(part)
    connection.close()
    return size


def test_memory_stays_the_same_while_100_mib_come_and_go(gateways: Gateways, place: Place) -> None:
    gateway = gateways(**place.flags)
    document = gateway.api.create()["externalId"]
    gateway.api.upload(document, b"a text")
    before = Resident(gateway.pid).now()
    with Resident(gateway.pid) as resident:
        for number in (2, 3):
            send_large(gateway, document)
            assert fetch_large(gateway, f"/v1/documents/{document}/versions/0.{number}/file") == LARGE
    assert resident.most - before <= MAX_GROWTH, f"{before} MiB before, {resident.most} MiB at the most"


# --- Crashes ----------------------------------------------------------------------------------------------------------


def test_kills_at_any_moment_of_uploads_leave_no_orphan_that_a_scrub_does_not_find(
    gateways: Gateways, place: Place
) -> None:
    """No file is lost whose upload was answered."""
    gateway = gateways(**place.flags)
    chance = random.Random(7)
    documents = [gateway.api.create()["externalId"] for _ in range(4)]
    kept: dict[tuple[str, str], bytes] = {}
    for round_ in range(KILLS):
        stopping = threading.Event()
        threads = [
            threading.Thread(target=keep_uploading, args=(gateway, document, kept, stopping)) for document in documents
        ]
        for thread in threads:
            thread.start()
        if round_ == 0:
            until(lambda: kept)
        time.sleep(chance.uniform(0.05, 0.4))
        gateway.kill()
        stopping.set()
        for thread in threads:
            thread.join()
        left = place.names(gateway)
        found = place.scrub(gateway, "--remove-orphans")
        assert (found["missing"], found["damaged"]) == ([], [])
        # A bucket may still take in an upload whose gateway is gone: the scrub counts it, and it was not listed before.
        assert len(left) <= found["files"] + len(found["orphans"]), "every file is a version's or an orphan"
        assert found["removed"] == len(found["orphans"])
        assert place.names(gateway) == left - set(found["orphans"])
        gateway.start()
    assert gateway.stop() == 0
    place.scrub(gateway, "--remove-orphans")  # what a bucket still took in after the last look
    assert place.scrub(gateway)["orphans"] == []
    gateway.start()
    assert kept
    for (document, number), content in kept.items():
        reply = gateway.api.request("GET", f"/v1/documents/{document}/versions/{number}/file")
        assert reply.body == content


def keep_uploading(
    gateway: GatewayProcess, document: str, kept: dict[tuple[str, str], bytes], stopping: threading.Event
) -> None:
    address, key = gateway.address, gateway.operator_key
    client = Client(lambda: address, lambda: key)
    size = random.Random(document)
    with suppress(Lost):
        while not stopping.is_set():
            content = b"a text " + str(len(kept)).encode() * size.randrange(1, 200_000)
            kept[document, client.upload(document, content)] = content


def test_a_scrub_beside_an_upload_leaves_it_alone(gateways: Gateways) -> None:
    gateway, place = gateways(), Place()
    document = gateway.api.create()["externalId"]
    half = b'--b\r\ncontent-disposition: form-data; name="file"\r\n\r\n' + b"a" * (3 * MIB)
    rest = b"b" * MIB + b"\r\n--b--\r\n"
    connection = http.client.HTTPConnection(*gateway.address, timeout=PATIENCE)
    connection.putrequest("POST", f"/v1/documents/{document}/versions")
    for name, value in (
        ("authorization", f"Bearer {gateway.operator_key}"),
        ("content-type", "multipart/form-data; boundary=b"),
        ("content-length", str(len(half) + len(rest))),
    ):
        connection.putheader(name, value)
    connection.endheaders(half)
    until(lambda: bool(place.names(gateway)))
    assert place.scrub(gateway, "--remove-orphans")["orphans"] == []
    assert place.names(gateway)
    connection.send(rest)
    assert connection.getresponse().status == 201
    connection.close()
    found = place.scrub(gateway)
    assert (found["files"], found["missing"], found["orphans"]) == (1, [], [])


def test_no_link_is_in_what_the_process_writes(gateways: Gateways) -> None:
    """Who reads logs or metrics gets no file by them."""
    gateway = gateways(log_level="debug")
    document = gateway.api.create()["externalId"]
    gateway.api.upload(document, b"a text")
    url = gateway.api.ask("GET", f"/v1/documents/{document}")["latestVersion"]["downloadUrl"]
    token = url.rsplit("/", 1)[1]
    for path in (f"/files/{token}", f"/files/{token[:-1]}", f"/files/{token}?x=y"):
        gateway.api.request("GET", path)
    metrics = gateway.api.request("GET", "/metrics").body.decode()
    assert gateway.stop() == 0
    written = gateway.stderr.read_text() + gateway.stdout.read_text() + metrics
    assert "/files/{token}" in written
    assert token[:40] not in written
