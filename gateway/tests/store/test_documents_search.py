"""The contract of a store: documents are found by what is in their titles, references and owners' addresses, whether or
not the texts that a search reads through were written, or were emptied since."""

from typing import TYPE_CHECKING, Any

from signalpost.store.nouns.searched_text import TOGETHER

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools


def test_documents_are_found_by_how_they_begin(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        titles = ("Mutual NDA, final", "MUTUAL nda", "Mutual", "Lease", "x" * 64 + "y")
        for number, title in enumerate(titles, 1):
            await shop.publish(make.put(number, 1, title, referenceId=f"R-{number}"))
        await shop.publish(make.delete(3))

        async def found(text: str, limit: int = 10) -> set[str]:
            listed = await shop.store.documents.search(1, text, limit)
            assert len({each.external_id for each in listed}) == len(listed)
            return {each.title for each in listed}

        assert await found("mutual N") == {titles[0], titles[1]}
        assert await found("mutual") == {titles[0], titles[1]}
        assert await found("nda") == await found("AL ND") == {titles[0], titles[1]}
        assert await found("da") == set(), "that needs three characters"
        assert await found("R-4") == {"Lease"}
        assert await found("R-") == {titles[0], titles[1], titles[3], titles[4]}
        assert await found("x" * 64 + "Y") == await found("xxy") == {titles[4]}
        assert len(await found("mutual", 1)) == 1
        await shop.publish(make.edit(4, title="Mutual lease"))
        assert await found("mutual l") == {"Mutual lease"}
        assert await found("lease") == {"Mutual lease"}
        assert await found("l lease") == {"Mutual lease"}
        for title in ('A ","status":"one', 'A ","status":"two'):
            await shop.publish(make.edit(4, title=title))
            assert await found('A ","status":"') == {title}
            assert await found(title) == {title}
        assert await found("%") == await found("100%") == set()
        assert await shop.store.documents.search(2, "mutual", 10) == []

    play(scenario)


def test_a_part_is_found_among_documents_old_and_new_changed_deleted_and_of_its_tenant_alone(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        texts = shop.store.searched_text

        async def found(text: str) -> list[str]:
            return [each.title for each in await shop.store.documents.search(1, text, 10)]

        async def kept(text: str) -> int:
            either: Any = shop.store
            lines = await either.readers.rows(1, "SELECT text FROM document_text WHERE tenant_id = $1", 1)
            return sum(str(each).count(text) for each in lines)

        async def write() -> int:
            return sum([await texts.write_some(tenant_id) for tenant_id in await texts.tenants()])

        for number in range(1, TOGETHER):
            await shop.publish(make.put(number, 1, f"Paper {number:04}z", referenceId=f"No. {number:04}R"))
        assert await write() == 0, "there are not enough of them"
        assert await found("0007Z") == ["Paper 0007z"]
        await shop.publish(make.put(TOGETHER, 1, "The last ÜBER all", ownerEmail="Zoe@desk.example"))
        await shop.publish(make.put(TOGETHER + 1, 1, "The newest 0007z"))
        await shop.publish(make.edit(9, title="[a-z]* 100%?"))
        assert await write() == 1
        assert await write() == 0
        assert await found("0007z") == ["The newest 0007z", "Paper 0007z"]
        assert await found("0200r") == ["Paper 0200z"]
        assert await found("oe@DESK") == await found("ast ÜB") == ["The last ÜBER all"]
        assert await found("-z]* 100%") == ["[a-z]* 100%?"]
        assert await found("pap?r") == await found("p*r 0") == await found("p[a]per") == await found("p%per") == []
        assert await found("0007z no") == [], "no text goes on in another"

        await shop.publish(make.edit(7, title="Another one"))
        assert await found("nother") == ["Another one"]
        assert await found("0007z") == ["The newest 0007z"]
        assert await found("0200r") == ["Paper 0200z"], "beside one that changed"
        assert await write() == 1
        assert await found("nother") == ["Another one"]
        assert await kept("another") == 1
        await shop.publish(make.delete(7))
        assert await kept("another") == 0, "what is erased is not kept for searches"
        assert await found("nother") == []
        assert await write() == 1
        await shop.publish(make.put(7, 3, "It came back"))
        assert await found("ame bac") == ["It came back"]
        assert await write() == 1
        assert await found("ame bac") == ["It came back"]
        assert await shop.store.documents.search(2, "0200r", 10) == []

    play(scenario)
