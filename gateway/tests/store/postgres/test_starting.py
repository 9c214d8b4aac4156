"""A node that is started while its PostgreSQL is."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from urllib.parse import parse_qs, urlsplit

from gateway.tests.captured_log import captured_log
from gateway.tests.postgres import emptied_database

from signalpost.api.rendering import kept_answers
from signalpost.commands.batch import BatchContext
from signalpost.domain.documents.links import Links
from signalpost.store.open import open_store
from signalpost.store.vault import MasterKeys

LINKS = Links(bytes(32), "https://gateway.example.com")


@contextmanager
def starting(url: str, refusing: int) -> Iterator[str]:
    """The URL of a database whose server refuses so many connections first."""
    asked = parse_qs(urlsplit(url).query)
    socket = f"{asked['host'][0]}/.s.PGSQL.{asked['port'][0]}"
    program = str(Path(__file__).with_name("starting_server.py"))
    command = [sys.executable, program, socket, str(refusing)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline())
            yield urlsplit(url)._replace(netloc=f"gateway@127.0.0.1:{port}", query="").geturl()
        finally:
            process.kill()


def test_a_node_that_starts_while_its_database_does_waits_for_it_and_says_so_once() -> None:
    async def scenario(url: str) -> None:
        store = await open_store(
            url,
            master_keys=MasterKeys([bytes(range(32))]),
            context=BatchContext(LINKS, kept_answers(LINKS), Random(1).getrandbits),
            on_broken=lambda _error: None,
        )
        assert [tenant.name for tenant in await store.access.tenants()] == ["operations", "default"]
        await store.close()

    with starting(emptied_database(), refusing=3) as url, captured_log() as lines:
        asyncio.run(scenario(url))
    assert [line["message"] for line in lines if "is starting" in line["message"]] == [
        "the database is starting, and takes no connections yet; waiting for it"
    ]
