"""URLs of subscriptions are sealed."""

from typing import TYPE_CHECKING

import apsw
from gateway.tests.sqlite_file import database_file

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

CANARY = "canary-of-a-query"
URL = f"https://hooks.example.com/in?sig={CANARY}"


def holds(shop: "Shop", text: str) -> bool:
    """Whether the files of the database have a text in plain."""
    return any(text.encode() in file.read_bytes() for file in shop.folder.iterdir() if "signalpost.db" in file.name)


def test_a_url_is_nowhere_in_the_database(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.subscribe(1, url=URL, name="a name in plain"))
        await shop.publish(make.change(1, url=f"{URL}2"))
        assert not holds(shop, CANARY)
        await shop.reopen()
        assert holds(shop, "a name in plain")
        assert not holds(shop, CANARY)
        assert (await shop.subscription(1)).url == f"{URL}2"

    play(scenario)


def test_a_url_that_somebody_writes_beside_the_seal_is_not_sent_to(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.subscribe(1, url=URL))
        connection = apsw.Connection(str(database_file(shop.folder)))
        config = connection.execute("SELECT config FROM subscription").get
        forged = config[:-1] + b',"url":"https://elsewhere.example.com/"}'
        connection.execute("UPDATE subscription SET config = ?", (forged,))
        connection.close()
        assert (await shop.subscription(1)).url == URL
        await shop.reopen()
        assert (await shop.subscription(1)).url == URL

    play(scenario)
