"""The gateway inside of a program: the same checks, commands and events as through the API."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from signalpost.domain.errors import (
    CallerError,
    Conflict,
    Invalid,
    NotFound,
    StartError,
    Unavailable,
    UnsupportedMedia,
)
from signalpost.files.draft import WRITTEN_AT_ONCE
from signalpost.gateway import Gateway
from signalpost.settings import Settings

UNKNOWN = "00000000-0000-4000-8000-000000000000"
NEW: dict[str, Any] = {"type": "NDA", "title": "Mine", "owner_email": "o@example.com", "author_email": "a@example.com"}
SNAPSHOT = {
    "type": "NDA", "title": "Theirs", "status": "approved", "createdAt": "2021-09-02T04:37:56Z", "sourceApp": "CRM",
    "ownerEmail": "o@example.com", "authorEmail": "a@example.com",
}  # fmt: skip
Play = Callable[[Callable[[Gateway], Awaitable[None]]], None]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    def run(scenario: Callable[[Gateway], Awaitable[None]]) -> None:
        async def whole() -> None:
            async with Gateway(Settings(data_dir=tmp_path / "data")) as gateway:
                await scenario(gateway)

        asyncio.run(whole())

    return run


async def refusal(work: Awaitable[Any], kind: type[CallerError]) -> Any:
    with pytest.raises(kind) as refused:
        await work
    return refused.value


def test_a_document_is_created_read_changed_and_deleted(play: Play) -> None:
    async def scenario(gateway: Gateway) -> None:
        documents = gateway.documents
        made = await documents.create(**NEW, contract_value=5, additional_facts={"a": 1, "b": "x"})
        assert (made.title, made.status, made.source_app, made.contract_value) == ("Mine", "created", "embedded", 5.0)
        assert await documents.read(made.external_id) == made
        changed = await documents.patch(made.external_id, title="Yours", additional_facts={"a": None})
        assert (changed.title, changed.additional_facts, changed.contract_value) == ("Yours", {"b": "x"}, 5.0)
        assert (await documents.patch(made.external_id, contract_value=None)).contract_value is None
        await documents.delete(made.external_id)
        await refusal(documents.read(made.external_id), NotFound)

    play(scenario)


def test_a_snapshot_is_imported(play: Play) -> None:
    async def scenario(gateway: Gateway) -> None:
        documents = gateway.documents
        version = {"number": "7.1", "downloadUrl": "https://elsewhere.example.com/x"}
        made = await documents.import_snapshot(UNKNOWN, {**SNAPSHOT, "latestVersion": version}, source_version=2)
        assert (made.external_id, made.status, made.source_app) == (UNKNOWN, "approved", "CRM")
        assert made.latest_version is not None
        assert made.latest_version.download_url == version["downloadUrl"]
        older = await documents.import_snapshot(UNKNOWN, {**SNAPSHOT, "title": "Older"}, source_version=1)
        assert older.title == "Theirs"

    play(scenario)


def test_versions_are_uploaded_and_published(play: Play) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"%PDF-"
        yield b"1.7"

    async def scenario(gateway: Gateway) -> None:
        documents = gateway.documents
        made = await documents.create(**NEW)
        assert await documents.upload(made.external_id, b"%PDF-1.7") == "0.1"
        assert await documents.upload(made.external_id, parts()) == "0.2"
        assert await documents.publish(made.external_id, "0.1") == "1.0"
        assert await documents.upload(made.external_id, b"a text", publish=True) == "2.0"
        shown = await documents.read(made.external_id)
        assert shown.latest_version == shown.published_version
        assert shown.latest_version is not None
        assert shown.latest_version.download_url.startswith("http://127.0.0.1:8080/files/")
        await refusal(documents.publish(made.external_id, "0.1"), Conflict)
        await refusal(documents.publish(made.external_id, "x"), NotFound)
        await refusal(documents.upload(made.external_id, b"\x7fELF"), UnsupportedMedia)
        await refusal(documents.upload(UNKNOWN, b"a text"), NotFound)

    play(scenario)


def test_every_change_keeps_the_trace_that_it_is_given(play: Play) -> None:
    def parent(number: int) -> str:
        return f"00-4bf92f3577b34da6a3ce929d0e0e4736-{number:016x}-01"

    async def scenario(gateway: Gateway) -> None:
        documents = gateway.documents
        made = (await documents.create(**NEW, trace=parent(1))).external_id
        await documents.patch(made, title="Yours", trace=parent(2))
        await documents.upload(made, b"%PDF-1.7", trace=parent(3))
        await documents.publish(made, "0.1", trace=parent(4))
        await documents.act(made, "requestReview", reviewers=["r@x.org"], trace=parent(5))
        await documents.import_snapshot(made, SNAPSHOT, source_version=2, trace=parent(6))
        await documents.delete(made, trace=parent(7))
        await documents.create(**NEW, trace="nothing of the kind")
        await documents.create(**NEW)
        events = (await gateway._services.store.log.after(1, 0, 100)).events
        assert [event.trace[16:24].hex() for event in events] == [f"{n:016x}" for n in range(1, 8)] + ["", ""]

    play(scenario)


def test_a_document_moves_through_its_workflow(play: Play) -> None:
    async def scenario(gateway: Gateway) -> None:
        documents = gateway.documents
        made = await documents.create(**NEW)
        identity = made.external_id
        assert (await documents.act(identity, "requestReview", reviewers=["r@x.org"])).status == "awaitingReview"
        assert (await documents.act(identity, "approveReview", by="r@x.org")).status == "reviewApproved"
        asked = await documents.act(
            identity, "requestSignature", signers=["s@x.org"], expires_at="2099-01-01T00:00:00Z"
        )
        assert asked.status == "awaitingSignature"
        assert (await documents.act(identity, "sign", by="s@x.org")).status == "executed"
        await refusal(documents.act(identity, "pause"), Conflict)
        invalid = await refusal(documents.act(identity, "requestReview"), Invalid)
        assert [error.pointer for error in invalid.errors] == ["/reviewers"]
        await refusal(documents.act(identity, "fly"), Invalid)

    play(scenario)


def test_every_bad_field_is_named_as_the_api_names_it(play: Play) -> None:
    async def scenario(gateway: Gateway) -> None:
        documents = gateway.documents
        bad: dict[str, Any] = {**NEW, "owner_email": "nobody", "contract_value": "x", "colour": "red"}
        invalid = await refusal(documents.create(**bad), Invalid)
        assert {error.pointer for error in invalid.errors} == {"/ownerEmail", "/contractValue", "/colour"}
        invalid = await refusal(documents.read("no uuid"), Invalid)
        assert [error.pointer for error in invalid.errors] == ["externalId"]
        await refusal(documents.patch(UNKNOWN, title="x"), NotFound)
        await refusal(documents.delete(UNKNOWN), NotFound)

    play(scenario)


def test_a_tenant_that_is_not_there_is_refused(play: Play) -> None:
    async def scenario(gateway: Gateway) -> None:
        with pytest.raises(NotFound):
            gateway.documents_of("nobody's")
        made = await gateway.documents_of("default", name="my application").create(**NEW)
        assert made.source_app == "my application"

    play(scenario)


# --- Its life ---------------------------------------------------------------------------------------------------------


def left_over() -> set[object]:
    """What a gateway may not leave in the program: tasks and threads. Those of asyncio itself stay."""
    tasks = {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}
    return tasks | {thread for thread in threading.enumerate() if not thread.name.startswith("asyncio")}


def test_a_program_may_have_several_gateways_and_none_of_them_leaves_anything(tmp_path: Path) -> None:
    async def whole() -> None:
        before = left_over()
        mine, other = Settings(data_dir=tmp_path / "mine"), Settings(data_dir=tmp_path / "other")
        async with Gateway(mine) as gateway, Gateway(other) as beside:
            made = await gateway.documents.create(**NEW)
            await gateway.documents.upload(made.external_id, b"a text")
            await refusal(beside.documents.read(made.external_id), NotFound)
            with pytest.raises(StartError, match="uses the data directory"):
                await Gateway(mine).__aenter__()
            assert (await gateway.documents.read(made.external_id)).title == "Mine"
        assert left_over() == before
        again = Gateway(mine)
        for _ in range(2):
            async with again:
                assert (await again.documents.read(made.external_id)).title == "Mine"
        with pytest.raises(OSError, match="directory"):
            await Gateway(Settings(data_dir=tmp_path / "mine", ca_file=tmp_path)).__aenter__()
        assert left_over() == before

    asyncio.run(whole())


def test_an_error_of_the_program_closes_its_gateway_and_goes_on(tmp_path: Path) -> None:
    async def whole() -> None:
        before = left_over()
        settings = Settings(data_dir=tmp_path / "data")
        gateway = Gateway(settings)

        async def failing() -> None:
            async with gateway:
                made.append((await gateway.documents.create(**NEW)).external_id)
                raise ZeroDivisionError

        made: list[str] = []
        with pytest.raises(ZeroDivisionError):
            await failing()
        assert left_over() == before
        for late in (gateway.documents.read(made[0]), gateway.documents.create(**NEW)):
            with pytest.raises(Unavailable, match="is stopping"):
                await late
        async with Gateway(settings) as again:
            assert (await again.documents.read(made[0])).title == "Mine"

    asyncio.run(whole())


def test_what_was_answered_while_the_gateway_closed_is_there_when_it_opens_again(tmp_path: Path) -> None:
    async def whole() -> None:
        before = left_over()
        settings = Settings(data_dir=tmp_path / "data")
        answered: list[str] = []

        async def create_until_refused(gateway: Gateway) -> None:
            while True:
                answered.append((await gateway.documents.create(**NEW)).external_id)

        async with Gateway(settings) as gateway:
            subject = (await gateway.documents.create(**NEW)).external_id
            creating = [asyncio.create_task(create_until_refused(gateway)) for _ in range(20)]
            uploading = [asyncio.create_task(gateway.documents.upload(subject, b"a text " * 100_000)) for _ in range(8)]
            while len(answered) < 100:
                await asyncio.sleep(0.001)
        assert all(isinstance(end, Unavailable) for end in await asyncio.gather(*creating, return_exceptions=True))
        numbers = [
            number for number in await asyncio.gather(*uploading, return_exceptions=True) if isinstance(number, str)
        ]
        assert left_over() == before

        async with Gateway(settings) as again:
            for external_id in answered:
                assert (await again.documents.read(external_id)).title == "Mine"
            latest = (await again.documents.read(subject)).latest_version
            assert (latest is None) == (numbers == [])
        assert len(list((tmp_path / "data" / "files").iterdir())) == len(numbers)

    asyncio.run(whole())


def test_an_upload_that_the_program_gives_up_leaves_nothing(tmp_path: Path) -> None:
    async def whole() -> None:
        async def slow() -> AsyncIterator[bytes]:
            yield b"a text"
            began.set()
            await asyncio.Event().wait()

        began = asyncio.Event()
        async with Gateway(Settings(data_dir=tmp_path / "data")) as gateway:
            made = await gateway.documents.create(**NEW)
            uploading = asyncio.create_task(gateway.documents.upload(made.external_id, slow()))
            await began.wait()
            uploading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await uploading
            assert list((tmp_path / "data" / "files").iterdir()) == []
            assert (await gateway.documents.read(made.external_id)).latest_version is None

    asyncio.run(whole())


def test_an_upload_that_outlives_the_gateway_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    async def whole() -> None:
        async def slow() -> AsyncGenerator[bytes, None]:
            for _ in range(2):
                yield b"a text" * WRITTEN_AT_ONCE
                began.set()
                await closed.wait()

        began, closed = asyncio.Event(), asyncio.Event()
        before = left_over()
        async with Gateway(Settings(data_dir=tmp_path / "data")) as gateway:
            made = await gateway.documents.create(**NEW)
            parts = slow()
            uploading = asyncio.create_task(gateway.documents.upload(made.external_id, parts))
            await began.wait()
        closed.set()
        with pytest.raises(Unavailable, match="is stopping"):
            await uploading
        await parts.aclose()
        assert list((tmp_path / "data" / "files").iterdir()) == []
        assert left_over() == before

    asyncio.run(whole())
