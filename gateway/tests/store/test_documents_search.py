"""The contract of a store: documents are found by how their titles, references and owners' addresses begin."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools


def test_documents_are_found_by_how_they_begin(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        titles = ("Mutual NDA, final", "MUTUAL nda", "Mutual", "Lease", "x" * 64 + "y")
        for number, title in enumerate(titles, 1):
            await shop.publish(make.put(number, 1, title, referenceId=f"R-{number}"))
        await shop.publish(make.delete(3))

        async def found(text: str, limit: int = 10) -> set[str]:
            listed = await shop.store.documents.begins_with(1, text, limit)
            assert len({each.external_id for each in listed}) == len(listed)
            return {each.title for each in listed}

        assert await found("mutual N") == {titles[0], titles[1]}
        assert await found("mutual") == {titles[0], titles[1]}
        assert await found("nda") == set()
        assert await found("R-4") == {"Lease"}
        assert await found("R-") == {titles[0], titles[1], titles[3], titles[4]}
        assert await found("x" * 70) == {titles[4]}
        assert len(await found("mutual", 1)) == 1
        await shop.publish(make.edit(4, title="Mutual lease"))
        assert await found("mutual l") == {"Mutual lease"}
        assert await found("lease") == set()
        for title in ('A ","status":"one', 'A ","status":"two'):
            await shop.publish(make.edit(4, title=title))
            assert await found('A ","status":"') == {title}
            assert await found(title) == {title}
        assert await found("%") == await found("100%") == set()
        assert await shop.store.documents.begins_with(2, "mutual", 10) == []

    play(scenario)
