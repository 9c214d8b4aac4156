"""A standby takes over from a server that is gone, under load. `make fleet-faults` runs this.

With a synchronous standby nothing that was answered 2xx is lost. An asynchronous one may lack the last commits: nodes
notice that the database is not what it was, let go of what they remember, and go on from what there is.
"""

from collections.abc import Iterator

import pytest
from gateway.tests.acceptance.fleet.conftest import Database, Fleets
from gateway.tests.acceptance.fleet.cutting_proxy import CuttingProxy
from gateway.tests.acceptance.fleet.nodes import Fleet

from signalpost_bench import postgres_server
from signalpost_bench.postgres_server import PostgresServer

pytestmark = pytest.mark.slow
SUBSCRIPTIONS = 10


@pytest.fixture
def primary() -> Iterator[Database]:
    """A server that the test ends."""
    with Database() as made:
        yield made


def url_of_both(primary: Database, standby: PostgresServer, name: str) -> str:
    """Where a database is: on whichever of the two servers takes changes."""
    alone = primary.url(name, target_session_attrs="read-write")
    return alone.replace(f":{primary.server.port}/", f":{primary.server.port},127.0.0.1:{standby.port}/")


def fail_over(fleet: Fleet, primary: Database, standby: PostgresServer) -> None:
    before = fleet.node_ids()
    with fleet.losing():  # what is in flight is let go of
        primary.crash()
        primary.promote(standby)
        fleet.write(3)  # before nodes have noticed
        fleet.until_begun_anew(before)


def test_a_synchronous_standby_takes_over_with_everything_that_was_answered(primary: Database, fleets: Fleets) -> None:
    name = primary.new()
    with postgres_server.following(primary.server) as standby:
        primary.wait_for_standby()
        fleet = fleets(url_of_both(primary, standby, name), nodes=2)
        fleet.subscribe(SUBSCRIPTIONS)
        fleet.until_spread(2)
        fleet.write(4)
        fleet.until_delivered_more(10)
        fail_over(fleet, primary, standby)
        fleet.until_delivered_more(10)
        print(fleet.check())
        assert {failure.code for failure in fleet.failures} <= {"unavailable", "outcome_unknown"}


def test_nodes_notice_that_a_standby_lacks_commits_and_go_on_from_what_it_has(
    primary: Database, fleets: Fleets
) -> None:
    """Numbers of what was lost are given again, and the lanes have been beyond them."""
    name = primary.new()
    with CuttingProxy(primary.server.port) as proxy, postgres_server.following(primary.server, proxy.port) as standby:
        fleet = fleets(url_of_both(primary, standby, name), nodes=2)
        fleet.subscribe(SUBSCRIPTIONS)
        fleet.until_spread(2)
        fleet.write(2)
        fleet.until_delivered_more(10)
        fleet.stop_callers()
        fleet.until_all_delivered()
        kept = list(fleet.nodes[0].api.feed())
        primary.wait_until_followed()
        proxy.is_silent = True
        promised = fleet.callers
        fleet.callers = []
        fleet.write(2)
        fleet.until_delivered_more(10)
        fleet.stop_callers()
        fleet.until_all_delivered()
        before = {entry["event"]["id"] for entry in fleet.nodes[0].api.feed()}
        fleet.callers = promised
        fail_over(fleet, primary, standby)
        fleet.until_delivered_more(30)
        fleet.stop_callers()
        now = list(fleet.rotation.nodes[0].api.feed())
        lost = before - {entry["event"]["id"] for entry in now}
        assert now[: len(kept)] == kept
        assert len(lost) == len(before) - len(kept) > 0
        fleet.forget(lost)
        print(len(lost), "events lost;", fleet.check())
