"""The contract of a store: versions of documents, their deletion, and what is forgotten of them."""

from typing import TYPE_CHECKING

from signalpost.commands.versions import AddVersion, PublishVersion
from signalpost.domain.documents.version import Number, StoredFile, VersionRow
from signalpost.domain.errors import NotFound
from signalpost.domain.timestamps import SECOND

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools


def file(number: int) -> StoredFile:
    return StoredFile(f"{number:032x}", number, bytes([number]) * 32, "application/pdf")


def add(document: int, number: int, *, publish: bool = False) -> AddVersion:
    return AddVersion(tenant_id=1, document_id=identity(document), file=file(number), publish=publish, by="someone")


def publish(document: int, number: Number) -> PublishVersion:
    return PublishVersion(tenant_id=1, document_id=identity(document), version_number=number, by="someone else")


def identity(document: int) -> str:
    return f"00000000-0000-4000-8000-{document:012d}"


async def numbers(shop: "Shop", document: int, below: Number | None = None, limit: int = 50) -> list[str]:
    return [str(v.number) for v in await shop.store.versions.page(1, identity(document), below, limit)]


def test_a_version_is_kept_as_it_was_made(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.create(1), add(1, 3))
        await shop.reopen()
        shop.now += SECOND
        await shop.do(publish(1, Number(0, 1)))
        await shop.reopen()
        draft = await shop.store.versions.get(1, identity(1), Number(0, 1))
        made = await shop.store.versions.get(1, identity(1), Number(1, 0))
        assert draft is not None
        assert (draft.file, draft.published_as, draft.created_by) == (file(3), Number(1, 0), "someone")
        assert made == VersionRow(
            document_id=identity(1),
            number=Number(1, 0),
            file=file(3),
            created_at=shop.now,
            created_by="someone else",
        )
        row = await shop.store.documents.get(1, identity(1))
        assert row is not None
        assert row.last_number == Number(1, 0)

    play(scenario)


def test_numbers_go_on_over_batches_and_restarts(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.do(make.create(1))
        for number in range(1, 6):
            await shop.do(add(1, number, publish=number == 3))
            await shop.reopen()
        await shop.do(make.patch(1, "another title"))
        await shop.publish(add(1, 6), add(1, 7))
        assert await numbers(shop, 1) == ["1.4", "1.3", "1.2", "1.1", "1.0", "0.2", "0.1"]

    play(scenario)


def test_versions_are_listed_by_document_the_highest_first_a_page_at_a_time(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.create(1), make.create(2), *(add(1, n) for n in range(1, 13)), add(2, 20))
        assert await numbers(shop, 1, limit=3) == ["0.12", "0.11", "0.10"]
        assert await numbers(shop, 1, below=Number(0, 10), limit=100) == [f"0.{n}" for n in range(9, 0, -1)]
        assert await numbers(shop, 2) == ["0.1"]
        assert await numbers(shop, 3) == []

    play(scenario)


def test_versions_of_a_deleted_document_are_listed_no_more_and_known_until_they_are_forgotten(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.create(1), add(1, 1), add(1, 2), make.create(2), add(2, 3))
        assert await shop.store.versions.deleted(2**62, 10) == []
        shop.now += SECOND
        await shop.do(make.delete(1))
        at = shop.now
        assert await numbers(shop, 1) == []
        kept = await shop.store.versions.get(1, identity(1), Number(0, 1))
        assert kept is not None
        assert kept.deleted_at == at
        assert await shop.store.versions.deleted(at, 10) == []
        found = await shop.store.versions.deleted(at + 1, 10)
        assert [(tenant, row.document_id, row.file.name) for tenant, row in found] == [
            (1, identity(1), file(1).name),
            (1, identity(1), file(2).name),
        ]
        assert len(await shop.store.versions.deleted(at + 1, 1)) == 1
        await shop.store.versions.forget([(tenant, row.document_id, row.number) for tenant, row in found])
        assert await shop.store.versions.deleted(2**62, 10) == []
        assert await shop.store.versions.get(1, identity(1), Number(0, 1)) is None
        assert await numbers(shop, 2) == ["0.1"]

    play(scenario)


def test_a_document_that_is_imported_again_has_its_new_versions_alone(play: "Play", make: "type[Tools]") -> None:
    """Both imports may come in one batch."""

    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.put(1, 1), add(1, 1), make.delete(1), make.put(1, 2), add(1, 2))
        await shop.publish(make.delete(1))
        await shop.publish(make.put(1, 3), add(1, 3))
        assert await numbers(shop, 1) == ["0.3"]
        published = await shop.publish(
            publish(1, Number(0, 2)), make.delete(1), make.put(1, 4), publish(1, Number(0, 3))
        )
        assert [isinstance(result, NotFound) for result in published.results] == [True, False, False, True]
        assert len(await shop.store.versions.deleted(2**62, 10)) == 3

    play(scenario)
