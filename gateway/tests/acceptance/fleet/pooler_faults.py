"""A fleet behind PgBouncer in transaction mode, where each transaction may have another connection to the server.

`make fleet-faults` runs this where PgBouncer is installed (Debian's package `pgbouncer`).
"""

from collections.abc import Iterator

import pytest
from gateway.tests.acceptance.fleet.conftest import PASSWORD, ROLE, Database, Fleets
from gateway.tests.acceptance.fleet.pooler import PGBOUNCER, SERVER_CONNECTIONS, Pooler, pooling

from signalpost_bench import postgres_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed here: apt-get install pgbouncer"),
]
SUBSCRIPTIONS = 10


@pytest.fixture
def server() -> Iterator[Database]:
    """The server that the pooler hands on to at first. A test may end it."""
    with Database() as made:
        yield made


@pytest.fixture
def pooler(server: Database) -> Iterator[Pooler]:
    with pooling(server.server, ROLE, PASSWORD) as made:
        yield made


def test_a_fleet_keeps_its_promises_behind_a_pooler(server: Database, pooler: Pooler, fleets: Fleets) -> None:
    name = server.new()
    fleet = fleets(server.url(name, pooler.port), nodes=2)
    fleet.look_at = server.url(name)
    fleet.subscribe(SUBSCRIPTIONS)
    fleet.until_spread(2)
    fleet.write(4)
    fleet.until_delivered_more(20)
    assert all("a pooler is in front of the database" in node.stderr.read_text() for node in fleet.nodes)
    [(connections,)] = fleet.rows("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
    assert connections <= SERVER_CONNECTIONS + 1, "the pooler's, and the one that asks"
    fleet.kill(fleet.nodes[0])
    fleet.until_spread(1)
    fleet.until_delivered_more(20)
    fleet.add()
    fleet.until_spread(2)
    fleet.until_delivered_more(10)
    print(fleet.check())
    assert fleet.failures == []


def test_a_pooler_that_is_pointed_to_a_synchronous_standby_loses_nothing_that_was_answered(
    server: Database, pooler: Pooler, fleets: Fleets
) -> None:
    """The nodes' connections to the pooler hold meanwhile, so they work on the new server until a beat tells them."""
    name = server.new()
    with postgres_server.following(server.server) as standby:
        server.wait_for_standby()
        fleet = fleets(server.url(name, pooler.port), nodes=2)
        fleet.look_at = server.url(name)
        fleet.subscribe(SUBSCRIPTIONS)
        fleet.until_spread(2)
        fleet.write(4)
        fleet.until_delivered_more(10)
        before = fleet.node_ids()
        with fleet.losing(), fleet.losing():  # in flight is let go of twice: with the server, and when a beat tells
            server.crash()
            server.promote(standby)
            pooler.point_to(standby)
            fleet.look_at = server.url(name, standby.port)
            fleet.write(3)  # before nodes have noticed
            fleet.until_begun_anew(before)
        fleet.until_delivered_more(10)
        print(fleet.check())
        assert {failure.code for failure in fleet.failures} <= {"unavailable", "outcome_unknown"}
