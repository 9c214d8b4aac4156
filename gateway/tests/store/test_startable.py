"""Whether a gateway would start on a database, as `signalpost check` asks before one tries."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from gateway.tests.patience import PATIENCE

from signalpost.domain.errors import StartError
from signalpost.store.open import default_url, find_database
from signalpost.store.sqlite.connect import connect
from signalpost.store.sqlite.schema import migrate
from signalpost.store.vault import MasterKeys

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop


async def needed(shop: "Shop") -> frozenset[str]:
    """The command asks without a loop that runs."""
    return await asyncio.to_thread(find_database(shop.url).master_keys_needed)


def test_the_master_keys_that_a_database_needs_are_those_that_wrap_its_data_keys(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.subscribe()
        given = MasterKeys(shop.master_keys).current
        assert await needed(shop) == {given}
        shop.meddle("UPDATE data_key SET master_key = '0badf00d' WHERE tenant_id = 1")
        assert await needed(shop) == {given, "0badf00d"}

    play(scenario)


@pytest.mark.parametrize(
    ("meddled", "mended", "said"),
    [
        (
            "INSERT INTO migration VALUES (9999, 'from_the_future', 'x', 0, 9999)",
            "DELETE FROM migration WHERE number = 9999",
            r"9999 \(from_the_future\).*as new as",
        ),
        (
            "UPDATE migration SET checksum = checksum || '!' WHERE number = 2",
            "UPDATE migration SET checksum = rtrim(checksum, '!') WHERE number = 2",
            "Migration 2 .* differs",
        ),
        (
            "UPDATE migration SET number = -number WHERE number > 3",
            "UPDATE migration SET number = -number WHERE number < 0",
            "Start the gateway once to bring it up to date",
        ),
    ],
    ids=["newer", "altered", "half a migration"],
)
def test_a_database_on_which_this_version_does_not_start_says_why(
    play: "Play", meddled: str, mended: str, said: str
) -> None:
    async def scenario(shop: "Shop") -> None:
        shop.meddle(meddled)
        try:
            with pytest.raises(StartError, match=said):
                await needed(shop)
        finally:
            shop.meddle(mended)
        await needed(shop)

    play(scenario)


def test_a_damaged_database_is_said_to_be_damaged(tmp_path: Path) -> None:
    file = tmp_path / "signalpost.db"
    connection = connect(file)
    migrate(connection, 0)
    connection.execute("PRAGMA wal_checkpoint(truncate)")
    connection.close()
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    file.write_bytes(content)
    for ask in (
        find_database(default_url(tmp_path)).master_keys_needed,
        find_database(default_url(tmp_path)).since_backup,
    ):
        with pytest.raises(StartError, match=r"cannot be opened|damaged"):
            ask()


@contextmanager
def old_server() -> Iterator[str]:
    """The URL of a server that says that it is a PostgreSQL 14: none of those can be had here."""
    told = [b"server_version\0" + b"14.9\0", b"server_encoding\0UTF8\0", b"client_encoding\0UTF8\0"]
    parts = [(b"R", bytes(4)), *((b"S", pair) for pair in told), (b"K", bytes(8)), (b"Z", b"I")]
    greeting = b"".join(kind + (4 + len(content)).to_bytes(4, "big") + content for kind, content in parts)

    def greet(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(greeting)
            connection.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(PATIENCE)
        thread = threading.Thread(target=greet, args=(listening,))
        thread.start()
        port = listening.getsockname()[1]
        yield f"postgresql://gateway@127.0.0.1:{port}/signalpost?sslmode=disable&gssencmode=disable"
        thread.join()


def test_a_postgresql_that_is_too_old_or_away_is_named_without_its_password() -> None:
    with old_server() as url, pytest.raises(StartError, match="must be 15 or newer; this one is 14"):
        find_database(url).master_keys_needed()
    with pytest.raises(StartError, match=r"cannot be reached: .*refused") as refused:
        find_database("postgresql://gateway:canary@127.0.0.1:1/signalpost").master_keys_needed()
    assert "canary" not in str(refused.value)
