"""Versions through the API: uploads, numbers, publishing, lists, downloads (C7, C9)."""

import hashlib
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from signalpost.api.resources.uploads import MAX_FILE_BYTES
from signalpost.domain.timestamps import parse_timestamp
from signalpost.files.content_types import KINDS

if TYPE_CHECKING:
    from gateway.tests.api.conftest import Answer, Client, World

PDF = b"%PDF-1.7 a contract "
BOUNDARY = "b-4f1c"


def form(content: bytes | None, *texts: tuple[str, str], boundary: str = BOUNDARY) -> bytes:
    parts = [f'--{boundary}\r\ncontent-disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'.encode() for n, v in texts]
    if content is not None:
        head = f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="../x"\r\n\r\n'.encode()
        parts.append(head + content + b"\r\n")
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


def upload(
    world: "Client", path: str, content: bytes = PDF, *texts: tuple[str, str], boundary: str = BOUNDARY, **headers: str
) -> "Answer":
    given = {"content-type": f"multipart/form-data; boundary={boundary}"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    return world.send("POST", f"{path}/versions", form(content, *texts, boundary=boundary), given)


def refuses(world: "World", path: str, body: bytes, **more: Any) -> dict[str, Any]:
    headers = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    before = kept(world)
    problem = world.refuses("POST", f"{path}/versions", body, headers=headers, **more)
    assert kept(world) == before, "a failed upload leaves nothing"
    return problem


def kept(world: "World") -> set[str]:
    return {file.name for file in (world.settings.data_dir / "files").iterdir()}


def new_document(world: "World", **fields: Any) -> str:
    return f"/v1/documents/{world.create_document(**fields)['externalId']}"


def numbers(world: "World", path: str) -> tuple[str | None, str | None]:
    shown = world.get(path).ok()
    latest, published = shown["latestVersion"], shown["publishedVersion"]
    return latest and latest["number"], published and published["number"]


# --- Uploading and publishing -----------------------------------------------------------------------------------------


def test_uploads_and_publications_are_numbered_and_make_one_event_each(world: "World") -> None:
    path = new_document(world)
    last = world.last()
    assert upload(world, path).ok(201) == {"number": "0.1"}
    assert upload(world, path, PDF, ("publish", "false")).ok(201) == {"number": "0.2"}
    assert numbers(world, path) == ("0.2", None)
    assert world.send("POST", f"{path}/versions/0.1/publish").ok(201) == {"number": "1.0"}
    assert numbers(world, path) == ("1.0", "1.0")
    assert upload(world, path).ok(201) == {"number": "1.1"}
    assert upload(world, path, PDF, ("publish", "true")).ok(201) == {"number": "2.0"}
    assert numbers(world, path) == ("2.0", "2.0")
    entries = world.events(last)
    assert [entry["event"]["type"] for entry in entries] == ["documentUpdated"] * 5
    shown = [entry["event"]["data"]["document"]["latestVersion"]["number"] for entry in entries]
    assert shown == ["0.1", "0.2", "1.0", "1.1", "2.0"]


def test_the_answer_says_where_the_file_is_and_which_event_was_made(world: "World") -> None:
    path = new_document(world)
    answer = upload(world, path)
    assert answer.headers["location"] == f"{path}/versions/0.1/file"
    assert answer.headers["etag"] == world.get(path).headers["etag"] == '"2"'
    assert answer.headers["signalpost-event"] == world.events(world.last() - 1)[0]["event"]["id"]
    assert world.get(answer.headers["location"]).body == PDF


def test_a_version_is_listed_with_all_that_is_known_of_it(world: "World") -> None:
    path = new_document(world)
    upload(world, path)
    world.send("POST", f"{path}/versions/0.1/publish").ok(201)
    page = world.get(f"{path}/versions").ok()
    assert page["next"] is None
    published, draft = page["data"]
    assert draft == {
        "number": "0.1",
        "publishedAs": "1.0",
        "contentType": "application/pdf",
        "size": len(PDF),
        "sha256": hashlib.sha256(PDF).hexdigest(),
        "createdAt": draft["createdAt"],
        "createdBy": "operator",
        "downloadUrl": draft["downloadUrl"],
    }
    assert published == {
        **draft,
        "number": "1.0",
        "publishedAs": None,
        "createdAt": published["createdAt"],
        "downloadUrl": published["downloadUrl"],
    }
    assert parse_timestamp(published["createdAt"]) > parse_timestamp(draft["createdAt"])


def test_versions_are_listed_a_page_at_a_time(world: "World") -> None:
    path = new_document(world)
    for _ in range(5):
        upload(world, path).ok(201)
    found: list[str] = []
    cursor = ""
    while True:
        page = world.get(f"{path}/versions?limit=2{cursor}").ok()
        found += [version["number"] for version in page["data"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert found == ["0.5", "0.4", "0.3", "0.2", "0.1"]


@pytest.mark.parametrize("number", ["0.1", "1.0"])
def test_what_is_published_is_not_published_again(world: "World", number: str) -> None:
    path = new_document(world)
    upload(world, path)
    world.send("POST", f"{path}/versions/0.1/publish").ok(201)
    problem = world.refuses("POST", f"{path}/versions/{number}/publish", status=409, code="already_published")
    assert problem["publishedAs"] == "1.0"


@pytest.mark.parametrize(
    "number", ["0.2", "1.0", "0.0", "01.1", "1", "x", "1.1.1", "99999999999.1", "%2e%2e", "0.1%00"]
)
def test_what_is_no_number_of_a_version_is_not_there(world: "World", number: str) -> None:
    path = new_document(world)
    upload(world, path)
    for method, what in (("POST", "publish"), ("GET", "file")):
        world.refuses(method, f"{path}/versions/{number}/{what}", status=404)


def test_versions_of_no_document_are_not_there(world: "World") -> None:
    for path in (f"/v1/documents/{uuid.uuid4()}", "/v1/documents/no-uuid"):
        refuses(world, path, form(PDF), status=404, code="document_not_found")
        for method, what in (("GET", ""), ("POST", "/0.1/publish"), ("GET", "/0.1/file")):
            world.refuses(method, f"{path}/versions{what}", status=404)


def test_a_deleted_document_has_no_versions_and_another_life_none_of_the_first(world: "World") -> None:
    path = new_document(world)
    upload(world, path)
    world.send("DELETE", path)
    for what in ("", "/0.1/file"):
        world.refuses("GET", f"{path}/versions{what}", status=404)
    snapshot = {**world.document, "status": "created", "createdAt": "2021-09-02T04:37:56Z", "sourceApp": "x"}
    world.send("PUT", f"{path}?sourceVersion=1", snapshot).ok(201)
    assert world.get(f"{path}/versions").ok()["data"] == []
    world.refuses("GET", f"{path}/versions/0.1/file", status=404)
    assert upload(world, path).ok(201) == {"number": "0.2"}


def test_steps_of_the_workflow_leave_versions_and_numbers_alone(world: "World") -> None:
    path = new_document(world)
    upload(world, path, PDF, ("publish", "true"))
    for action in (
        {"action": "requestReview", "reviewers": ["a@x.org", "b@x.org"]},
        {"action": "approveReview", "by": "a@x.org"},
        {"action": "approveReview", "by": "b@x.org"},
        {"action": "pause"},
    ):
        world.send("POST", f"{path}/actions", action).ok()
        assert numbers(world, path) == ("1.0", "1.0")
    assert upload(world, path).ok(201) == {"number": "1.1"}
    assert world.get(path).ok()["status"] == "paused"


def test_the_history_says_who_uploaded_and_published_what(world: "World") -> None:
    path = new_document(world)
    upload(world, path)
    world.send("POST", f"{path}/versions/0.1/publish").ok(201)
    told = [(each["action"], each["version"], each["key"]) for each in world.get(f"{path}/history").ok()["data"]]
    assert told == [("publish", "1.0", "operator"), ("upload", "0.1", "operator"), ("create", None, "operator")]


# --- What is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "at"),
    [
        (form(None), ("/file",)),
        (form(None, ("publish", "true"), ("x", "y")), ("/file", "/x")),
        (form(PDF, ("publish", "yes")), ("/publish",)),
        (form(PDF, ("publish", "true"), ("publish", "true")), ("/publish",)),
        (form(PDF, ("title", "x")), ("/title",)),
        (form(b""), ("/file",)),
    ],
)
def test_every_bad_field_of_a_form_is_named_and_nothing_stays(world: "World", body: bytes, at: tuple[str, ...]) -> None:
    refuses(world, new_document(world), body, status=422, at=at)


def test_a_form_that_cannot_be_read_is_refused(world: "World") -> None:
    path = new_document(world)
    refuses(world, path, form(PDF)[:-10], status=400, code="incomplete_body")
    refuses(world, path, b"no form", status=400, code="bad_form")


def test_another_media_type_is_refused(world: "World") -> None:
    for content_type in ("application/json", "application/pdf", "multipart/mixed; boundary=x"):
        headers = {"content-type": content_type}
        world.refuses(
            "POST", f"{new_document(world)}/versions", PDF, status=415, headers=headers, code="wrong_media_type"
        )


@pytest.mark.parametrize("content", [b"\x7fELF\x02", b"<html>", b"MZ\x90\x00", b"PK\x03\x04rubbish"])
def test_a_file_of_no_known_kind_is_refused_whatever_it_is_called(world: "World", content: bytes) -> None:
    problem = refuses(world, new_document(world), form(content), status=415, code="file_kind_not_allowed")
    assert "this is no known kind of file" in problem["detail"]


def test_only_kinds_of_the_setting_are_taken(make_world: Callable[..., "World"]) -> None:
    world = make_world(file_kinds=("pdf", "txt"))
    path = new_document(world)
    assert upload(world, path).ok(201) == {"number": "0.1"}
    assert upload(world, path, b"a text").ok(201) == {"number": "0.2"}
    problem = refuses(world, path, form(b"{\\rtf1"), status=415, code="file_kind_not_allowed")
    assert problem["detail"] == "By its content this is rtf. Accepted kinds: pdf, txt."


def test_a_file_of_the_limit_is_taken_and_one_byte_more_is_refused_as_it_comes(world: "World") -> None:
    path = new_document(world)
    content = b"a" * MAX_FILE_BYTES
    assert upload(world, path, content).ok(201) == {"number": "0.1"}
    refuses(world, path, form(content + b"a"), status=413, code="file_too_large")
    assert world.get(f"{path}/versions").ok()["data"][0]["size"] == MAX_FILE_BYTES


def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(world: "World") -> None:
    head = (
        f"POST {new_document(world)}/versions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {world.key}\r\n"
        f"content-type: multipart/form-data; boundary=x\r\ncontent-length: {MAX_FILE_BYTES * 2}\r\n\r\n"
    )
    assert world.raw(head.encode(), 2).startswith(b"HTTP/1.1 413 ")


def test_without_a_length_it_is_bounded_too(world: "World") -> None:
    path = new_document(world)
    head = (
        f"POST {path}/versions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {world.key}\r\nconnection: close\r\n"
        f"content-type: multipart/form-data; boundary={BOUNDARY}\r\ntransfer-encoding: chunked\r\n\r\n"
    ).encode()
    body = form(b"a" * (MAX_FILE_BYTES + 1))
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(part), part)
        for part in (body[at : at + 1_000_000] for at in range(0, len(body), 1_000_000))
    )
    assert world.raw(head + chunks + b"0\r\n\r\n", 30).startswith(b"HTTP/1.1 413 ")
    assert world.get(f"{path}/versions").ok()["data"] == []


@pytest.mark.parametrize("sent", [0, 100, 3_000_000])
def test_an_upload_that_breaks_off_leaves_nothing(world: "World", sent: int) -> None:
    path = new_document(world)
    before = kept(world)
    body = form(b"a" * 5_000_000)
    head = (
        f"POST {path}/versions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {world.key}\r\n"
        f"content-type: multipart/form-data; boundary={BOUNDARY}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    world.raw(head.encode() + body[:sent], 1, hang_up=True)
    world.wait_until(lambda: kept(world) == before)
    assert world.get(f"{path}/versions").ok()["data"] == []


def test_an_upload_that_stops_coming_ends_and_leaves_nothing(make_world: Callable[..., "World"]) -> None:
    world = make_world(idle_seconds=0.5)
    path = new_document(world)
    body = form(b"a" * 5_000_000)
    head = (
        f"POST {path}/versions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {world.key}\r\n"
        f"content-type: multipart/form-data; boundary={BOUNDARY}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    answer = world.raw(head.encode() + body[:2_000_000], 20)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"No more of the body arrived for 0.5 s." in answer
    assert kept(world) == set()


def test_an_upload_keeps_to_its_precondition_before_and_after_it_came(world: "World") -> None:
    path = new_document(world)
    refused = world.send(
        "POST",
        f"{path}/versions",
        form(PDF),
        {"content-type": f"multipart/form-data; boundary={BOUNDARY}", "if-match": '"7"'},
    )
    refused.refused(412, code="precondition_failed")
    assert upload(world, path, if_match='"1"').ok(201) == {"number": "0.1"}
    publish = world.send("POST", f"{path}/versions/0.1/publish", headers={"if-match": '"1"'})
    publish.refused(412, code="precondition_failed")
    assert world.send("POST", f"{path}/versions/0.1/publish", headers={"if-match": '"2"'}).ok(201)


def test_of_uploads_at_once_with_one_precondition_one_wins_and_the_rest_leave_nothing(world: "World") -> None:
    path = new_document(world)
    before = kept(world)
    statuses: list[int] = []

    def one() -> None:
        with closing(world.another()) as client:
            statuses.append(upload(client, path, PDF, if_match='"1"').status)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201] + [412] * 7
    assert len(kept(world) - before) == 1


def test_nothing_is_taken_while_the_disk_is_nearly_full(make_world: Callable[..., "World"]) -> None:
    """Before it is asked for which document."""
    world = make_world(disk_reserve_mb=1_048_576)
    refuses(world, f"/v1/documents/{uuid.uuid4()}", form(PDF), status=503, code="disk_nearly_full")


# --- Idempotency ------------------------------------------------------------------------------------------------------


def test_an_upload_repeated_with_its_key_is_answered_the_same_and_kept_once(world: "World") -> None:
    path = new_document(world)
    before = kept(world)
    key = str(uuid.uuid4())
    first = upload(world, path, idempotency_key=key)
    again = upload(world, path, boundary="another-boundary", idempotency_key=key)
    assert first.ok(201) == again.ok(201) == {"number": "0.1"}
    assert again.headers["idempotent-replayed"] == "true"
    assert len(kept(world) - before) == 1
    assert [each["number"] for each in world.get(f"{path}/versions").ok()["data"]] == ["0.1"]


@pytest.mark.parametrize("other", [(PDF + b"x",), (PDF, ("publish", "true"))])
def test_another_upload_with_that_key_is_refused(world: "World", other: Any) -> None:
    path = new_document(world)
    key = str(uuid.uuid4())
    upload(world, path, idempotency_key=key).ok(201)
    before = kept(world)
    refused = upload(world, path, *other, idempotency_key=key)
    refused.refused(422, "Idempotency-Key", code="idempotency_key_reused")
    assert kept(world) == before


def test_a_bad_key_is_refused_before_the_file_comes(world: "World") -> None:
    head = (
        f"POST {new_document(world)}/versions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {world.key}\r\n"
        "idempotency-key: a b\r\ncontent-type: multipart/form-data; boundary=x\r\ncontent-length: 5000\r\n\r\n"
    )
    assert world.raw(head.encode(), 2).startswith(b"HTTP/1.1 422 ")


# --- Downloading with a key -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large(world: "World") -> tuple[str, bytes]:
    """The path of a file of several parts, and its content."""
    content = PDF + os.urandom(1_000_000)
    path = new_document(world, title="Größe/../x")
    upload(world, path, content)
    return f"{path}/versions/0.1/file", content


def test_a_file_comes_whole_with_what_makes_it_harmless(world: "World", large: tuple[str, bytes]) -> None:
    path, content = large
    answer = world.get(path)
    assert answer.status == 200
    assert answer.body == content
    headers = answer.headers
    assert headers["content-type"] == "application/pdf"
    assert headers["content-length"] == str(len(content))
    assert headers["content-disposition"] == (
        "attachment; filename=\"Groe .. x.pdf\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20..%20x.pdf"
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert headers["cache-control"] == "private, no-store"
    assert headers["accept-ranges"] == "bytes"
    assert headers["etag"] == f'"{hashlib.sha256(content).hexdigest()}"'


def test_a_head_says_the_same_without_the_file(world: "World", large: tuple[str, bytes]) -> None:
    path, _ = large
    got, asked = world.get(path), world.send("HEAD", path)
    varying = ("date", "request-id")
    assert asked.body == b""
    assert {n: v for n, v in asked.headers.items() if n not in varying} == {
        n: v for n, v in got.headers.items() if n not in varying
    }


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [("bytes=0-0", 0, 1), ("bytes=5-300000", 5, 300_001), ("bytes=999000-", 999_000, None), ("bytes=-7", -7, None)],
)
def test_a_range_comes_alone(world: "World", large: tuple[str, bytes], header: str, start: int, stop: int) -> None:
    path, content = large
    expected = content[start:stop]
    for method in ("GET", "HEAD"):
        answer = world.send(method, path, headers={"range": header})
        assert answer.status == 206
        assert answer.body == (expected if method == "GET" else b"")
        assert answer.headers["content-length"] == str(len(expected))
        first = content.index(expected) if len(expected) > 30 else start % len(content)
        assert answer.headers["content-range"] == f"bytes {first}-{first + len(expected) - 1}/{len(content)}"


def test_a_range_outside_is_refused_with_the_size(world: "World", large: tuple[str, bytes]) -> None:
    path, content = large
    answer = world.get(path, range=f"bytes={len(content)}-")
    answer.refused(416, code="no_such_range")
    assert answer.headers["content-range"] == f"bytes */{len(content)}"


def test_a_range_of_another_state_is_answered_with_the_whole(world: "World", large: tuple[str, bytes]) -> None:
    path, content = large
    head = world.send("HEAD", path).headers
    for condition in (head["etag"], head["last-modified"]):
        assert world.send("GET", path, headers={"range": "bytes=0-9", "if-range": condition}).status == 206
    for condition in ('"another"', formatdate(0, usegmt=True)):
        answer = world.send("GET", path, headers={"range": "bytes=0-9", "if-range": condition})
        assert (answer.status, answer.body) == (200, content)


def test_every_kind_comes_back_as_what_it_is(world: "World") -> None:
    samples = {"pdf": PDF, "rtf": b"{\\rtf1 x}", "txt": "Grüße".encode(), "png": b"\x89PNG\r\n\x1a\n" + bytes(9)}
    path = new_document(world)
    for at, (kind, content) in enumerate(samples.items(), 1):
        upload(world, path, content).ok(201)
        answer = world.get(f"{path}/versions/0.{at}/file")
        assert (answer.headers["content-type"], answer.body) == (KINDS[kind].content_type, content)


# --- Damage -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def damaged(world: "World") -> Iterator[tuple[str, Path, bytes]]:
    """The path of a file of several parts, where it is kept, and its content, which the test may spoil there."""
    before = kept(world)
    content = PDF + os.urandom(1_000_000)
    path = new_document(world)
    upload(world, path, content)
    (name,) = kept(world) - before
    file = world.settings.data_dir / "files" / name
    yield f"{path}/versions/0.1/file", file, content
    file.unlink(missing_ok=True)


def spoil(file: Path, content: bytes, at: int) -> None:
    file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])


@pytest.mark.parametrize("at", [0, 500_000, 999_999])
def test_a_damaged_file_is_never_served_as_whole(world: "World", damaged: tuple[str, Path, bytes], at: int) -> None:
    path, file, content = damaged
    spoil(file, content, at)
    request = f"GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {world.key}\r\nconnection: close\r\n\r\n"
    head, _, body = world.raw(request.encode(), 10).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert len(body) < len(content), "its last part is held back"


def test_a_small_damaged_file_is_a_problem_and_so_is_a_range_of_any(
    world: "World", damaged: tuple[str, Path, bytes]
) -> None:
    path, file, content = damaged
    spoil(file, content, 999_999)
    for header in ("bytes=0-9", "bytes=-5"):
        problem = world.get(path, range=header).refused(503, code="file_lost")
        assert "db scrub" in problem["detail"]
    document = new_document(world)
    before = kept(world)
    upload(world, document)
    (name,) = kept(world) - before
    spoil(world.settings.data_dir / "files" / name, PDF, 3)
    world.get(f"{document}/versions/0.1/file").refused(503, code="file_lost")
    assert world.send("HEAD", f"{document}/versions/0.1/file").status == 503


def test_a_missing_file_is_a_problem_to_a_head_too(world: "World", damaged: tuple[str, Path, bytes]) -> None:
    path, file, _ = damaged
    file.unlink()
    for headers in ({}, {"range": "bytes=0-9"}):
        world.send("GET", path, headers=headers).refused(503, code="file_lost")
        assert world.send("HEAD", path, headers=headers).status == 503
