"""Keeps a database of this version, for later ones to be tried with: `make keep-release`, which a release does once."""

from collections.abc import Callable, Mapping
from contextlib import closing

import apsw
import psycopg
import pytest
import trustme
from gateway.tests.acceptance import kept_release as kept
from gateway.tests.acceptance.conftest import Endpoints, Gateways
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.acceptance.receiver import FAIL, Receiver
from gateway.tests.acceptance.test_destinations import served
from gateway.tests.fakes.mail_server import MailServer
from gateway.tests.sqlite_file import database_file

from signalpost import VERSION
from signalpost_bench import postgres_server

Lived = Callable[..., GatewayProcess]
FOLDER = kept.KEPT / VERSION


@pytest.fixture
def lived(gateways: Gateways, endpoint: Endpoints, authority: trustme.CA, receiver: Receiver) -> Lived:
    """Has a gateway with these settings live, keeps what it answers, and stops it: `lived("sqlite")`."""

    def live(kind: str, **settings: str) -> GatewayProcess:
        with MailServer(authority) as mail, served() as vendors:
            targets = f"{receiver.origin},{vendors.targets},{mail.url}"
            gateway = gateways(**{**kept.SETTINGS, "allow_targets": targets, **settings})
            kept.fill(gateway.api, vendors, mail.url, endpoint(), endpoint(FAIL))
            kept.pack_answers(FOLDER, kind, kept.answers(gateway.api))
            assert gateway.stop() == 0
        return gateway

    return live


def test_keep_a_database_of_sqlite(lived: Lived) -> None:
    file = database_file(lived("sqlite").data_dir)
    with closing(apsw.Connection(str(file))) as database:
        names = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        counts = {name: database.execute(f'SELECT count(*) FROM "{name}"').fetchall()[0][0] for (name,) in [*names]}
        database.execute("VACUUM")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    check_filled(counts)
    kept.pack(FOLDER / kept.SQLITE, file.read_bytes())


def test_keep_a_database_of_postgresql(lived: Lived) -> None:
    with postgres_server.running(postgres_server.OLDER, postgres_server.THROWAWAY) as server:
        lived("postgres", database_url=server.loopback_url())
        with psycopg.connect(server.loopback_url()) as database:
            tables = database.execute(
                "SELECT relname, format('SELECT 1 FROM %I LIMIT 1', relname) FROM pg_class"
                " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition"
            ).fetchall()
            counts = {name: len(database.execute(query).fetchall()) for name, query in tables}
        check_filled(counts)
        kept.pack(FOLDER / kept.POSTGRES, kept.dump(server))


def check_filled(counts: Mapping[str, object]) -> None:
    """Fail if a table has nothing, so that none is forgotten that was added."""
    assert {name for name, count in counts.items() if not count} <= kept.EMPTY
