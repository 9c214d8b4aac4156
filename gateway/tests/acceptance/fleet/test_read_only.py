"""A PostgreSQL that takes no changes: a standby, or a server that was restored and not promoted yet."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway.tests.acceptance.client import DOCUMENT, until
from gateway.tests.acceptance.fleet.conftest import Database, Fleets
from gateway.tests.acceptance.fleet.nodes import is_ready
from gateway.tests.acceptance.gateway_process import another_master_key, refused_start, run_command
from gateway.tests.examples import cases

from signalpost_bench import postgres_server
from signalpost_bench.postgres_server import PostgresServer

pytestmark = pytest.mark.slow
READ_ONLY = "The PostgreSQL server is read-only: "
SHARED = ("--master-key", another_master_key(), "--operator-key", f"sp_{'a' * 43}")


@pytest.fixture
def primary() -> Iterator[Database]:
    """A server that the test ends."""
    with Database() as made:
        yield made


@pytest.fixture
def standby(primary: Database) -> Iterator[PostgresServer]:
    with postgres_server.following(primary.server) as made:
        yield made


def start_on(url: str, tmp_path: Path) -> str:
    """What a start says that must be refused."""
    flags = (*SHARED, "--database-url", url, "--public-url", "https://gateway.example.com")
    refused = refused_start(tmp_path / "refused", *flags)
    assert refused.returncode == 1
    return refused.stderr


def test_what_would_change_a_standby_is_refused_and_says_what_to_do(
    primary: Database, standby: PostgresServer, tmp_path: Path
) -> None:
    name = primary.new()
    primary.wait_until_followed()
    there = primary.url(name, standby.port)
    assert READ_ONLY in start_on(there, tmp_path)  # the tables are missing
    assert READ_ONLY in run_command("db", "migrate", "--database-url", there, code=1).stderr
    run_command("db", "migrate", "--database-url", primary.url(name))
    primary.wait_until_followed()
    said = start_on(there, tmp_path)
    assert READ_ONLY in said
    assert "pg_promote()" in said
    assert READ_ONLY in start_on(primary.url(name, standby.port, target_session_attrs="read-write"), tmp_path)
    for command in (["db", "prune"], ["db", "scrub", "--remove-orphans", "--data-dir", str(tmp_path)]):
        assert READ_ONLY in run_command(*command, "--database-url", there, code=1).stderr


def test_a_standby_can_be_looked_at_before_it_is_promoted(
    primary: Database, standby: PostgresServer, tmp_path: Path
) -> None:
    name = primary.new()
    run_command("db", "migrate", "--database-url", primary.url(name))
    primary.wait_until_followed()
    there = primary.url(name, standby.port)
    assert "The database is sound." in run_command("db", "check", "--database-url", there).stdout
    assert "migration" in run_command("db", "sizes", "--database-url", there).stdout
    scrubbed = run_command("db", "scrub", "--data-dir", str(tmp_path), "--database-url", there)
    assert "Sound files: 0 of 0" in scrubbed.stdout


def test_a_server_whose_transactions_are_read_only_by_default_is_refused(database: Database, tmp_path: Path) -> None:
    name = database.new()
    run_command("db", "migrate", "--database-url", database.url(name))
    url = database.url(name, options="-c default_transaction_read_only=on")
    assert READ_ONLY in start_on(url.replace("+", "%20"), tmp_path)


@pytest.mark.parametrize("attributes", cases(["any", "read-write"], ["any"]))
def test_nodes_say_that_their_database_is_a_standby_until_it_is_promoted(
    primary: Database, standby: PostgresServer, fleets: Fleets, attributes: str
) -> None:
    """Whether the URL lets them connect to a standby or not."""
    alone = primary.url(primary.new(), target_session_attrs=attributes)
    both = alone.replace(f":{primary.server.port}/", f":{primary.server.port},127.0.0.1:{standby.port}/")
    fleet = fleets(both, nodes=1)
    [node] = fleet.nodes
    fleet.subscribe(1)
    fleet.write(1)
    fleet.until_delivered_more(2)
    fleet.stop_callers()
    fleet.until_all_delivered()
    primary.wait_until_followed()
    before = fleet.node_ids()

    def trouble() -> str:
        return str(node.api.request("GET", "/health/ready").json()["trouble"])

    with fleet.losing():  # what is not recorded yet is sent again
        primary.crash()
        until(lambda: READ_ONLY in trouble())
        assert "does not answer" not in trouble()
        refused = node.api.request("POST", "/v1/documents", DOCUMENT)
        assert refused.status == 503
        assert int(refused.headers["retry-after"]) > 0
        assert "pg_promote" not in refused.body.decode()  # that is not for clients
        assert READ_ONLY in node.stderr.read_text()
        primary.promote(standby)
        fleet.until_begun_anew(before)
    until(lambda: is_ready(node))
    said = node.stderr.read_text()
    for trouble_in_log in ("the marks of tenants could not be read", "the connection for announcements was lost"):
        assert said.count(trouble_in_log) <= 2, "an outage is told of again and again"
    assert "this node beats again" in said
    fleet.write(1)
    fleet.until_delivered_more(2)
    print(fleet.check())
