"""Titles are found that nodes without migration 8 wrote, which know nothing of the keys of titles."""

from typing import TYPE_CHECKING

import msgspec
from gateway.tests.postgres import OWNER

from signalpost.store.postgres.connect import Statement, connect, trip
from signalpost.store.postgres.sessions import EVERY_TENANT, limits
from signalpost.store.postgres.tables import DOCUMENT, updating
from signalpost.store.postgres.title_keys import AT_ONCE

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

TENANT = 1
JOIN = "INSERT INTO node (beat, beat_at, role, program, schema) VALUES (1, 1, 'all', 'before', 7)"
LEAVE = "DELETE FROM node WHERE program = 'before'"


async def ask(shop: "Shop", *statements: Statement) -> None:
    """Let the earlier node do something."""
    url = shop._implementation.url(shop.folder)
    assert f"{OWNER}@" in url
    async with await connect(url) as connection:
        await trip(connection, [Statement("BEGIN"), limits(EVERY_TENANT, "5s"), *statements, Statement("COMMIT")])


def write(document_id: str, title: str) -> list[Statement]:
    """A document as versions before migration 8 write it, whether it is there or not."""
    body = msgspec.json.encode({"title": title})
    row = (TENANT, document_id, 9, 9, "NDA", "created", None, "a@example.com", body, None, None, None, None, None)
    return DOCUMENT.insert([row], updating("tenant_id, external_id", *DOCUMENT.columns.split(", ")[2:]))


async def titles(shop: "Shop", text: str) -> set[str]:
    return {each.title for each in await shop.store.documents.begins_with(TENANT, text, 99)}


def test_titles_of_an_earlier_version_are_found_once_its_last_node_has_gone(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.put(1, 1, "Changed by both"), make.put(2, 1, "Of this version"))
        await shop.store.documents.key_titles()
        await ask(
            shop, Statement(JOIN), *write(make.document_id(1), "Äußerst new"), *write(make.document_id(3), "Made")
        )
        await shop.store.documents.key_titles()
        assert await titles(shop, "changed") == {"Äußerst new"}, "it may change more of them: nothing is done yet"
        await ask(shop, *write(make.document_id(4), "Made later"), Statement(LEAVE))
        await shop.store.documents.key_titles()
        assert await titles(shop, "changed") == set()
        assert await titles(shop, "ÄUSS") == set()
        assert await titles(shop, "ÄUß") == {"Äußerst new"}
        assert await titles(shop, "made") == {"Made", "Made later"}
        assert await titles(shop, "of this") == {"Of this version"}

    play(scenario)


def test_more_documents_are_looked_at_than_go_in_one_part(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        count = AT_ONCE + 1
        await ask(shop, *(each for number in range(count) for each in write(make.document_id(number), f"Old {number}")))
        assert await titles(shop, "old") == set()
        await shop.store.documents.key_titles()
        assert len(await shop.store.documents.begins_with(TENANT, "old", 2 * count)) == count

    play(scenario)
