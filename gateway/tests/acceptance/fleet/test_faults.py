"""Faults of nodes and of the database while callers write: nothing that was answered 2xx is lost.

This is the part of `make fleet-faults` that every run of the tests has.
"""

from pathlib import Path

import pytest
import trustme
from gateway.tests.acceptance.client import until
from gateway.tests.acceptance.fleet.conftest import PASSWORD, Database, Fleets
from gateway.tests.acceptance.fleet.cutting_proxy import CuttingProxy
from gateway.tests.acceptance.gateway_process import another_master_key, refused_start

from signalpost_bench import postgres_server

pytestmark = pytest.mark.slow
SUBSCRIPTIONS = 10
"""Enough that each of two nodes owns some."""


def test_a_node_that_wakes_after_its_lease_neither_records_nor_sends_what_others_took_over(
    database: Database, fleets: Fleets
) -> None:
    """N4, C17"""
    fleet = fleets(database.url(database.new()), nodes=2)
    fleet.subscribe(SUBSCRIPTIONS // 2)
    fleet.until_spread(2)
    fleet.subscribe(SUBSCRIPTIONS // 2)  # lanes move to whoever should own them, also where nobody comes or goes
    fleet.until_spread(2)
    other, victim = fleet.nodes  # which owns most of the lanes
    fleet.write(2, [victim])  # what they asked for waits until it wakes
    fleet.write(3, [other])
    fleet.until_delivered_more(10)
    before = fleet.node_ids()
    with fleet.losing():
        victim.freeze()
    fleet.calm_down()
    until(lambda: len(fleet.node_ids()) == 1)
    fleet.until_delivered_more(10)
    victim.thaw()
    until(lambda: len(fleet.node_ids()) == 2 and fleet.node_ids() - before)  # it has noticed, and joined anew
    fleet.until_spread(2)
    fleet.until_delivered_more(10)
    print(fleet.check())
    assert fleet.failures == []


def test_what_became_of_a_commit_that_is_cut_is_found_out(
    database: Database, proxy: CuttingProxy, fleets: Fleets
) -> None:
    name = database.new()
    fleet = fleets(database.url(name, proxy.port, sslmode="disable"), nodes=2)
    fleet.look_at = database.url(name)
    fleet.subscribe(SUBSCRIPTIONS)
    fleet.write(4)
    proxy.share = 0.1
    until(lambda: min(proxy.cuts.values()) >= 5)
    proxy.share = 0
    print(proxy.cuts, fleet.check())
    assert fleet.failures == [], "the outcome of a commit was not found out"


def test_a_gateway_warns_where_those_on_other_machines_may_not_have_its_files(
    database: Database, fleets: Fleets
) -> None:
    fleet = fleets(database.url(database.new()), nodes=2)
    said = "use this database: unless DATA_DIR is the same folder for all, set FILES_URL"
    assert all(said not in node.stderr.read_text() for node in fleet.nodes)
    fleet.rows("UPDATE node SET host = 'another machine' RETURNING id")
    late = fleet.add()
    assert said in late.stderr.read_text()
    assert "another machine" in late.stderr.read_text()


def test_a_server_that_is_not_the_one_it_should_be_is_refused(
    authority: trustme.CA, ca_file: Path, tmp_path: Path, fleets: Fleets
) -> None:
    """N1, on the older server: the newer one's package has no TLS."""
    another = tmp_path / "another.pem"
    trustme.CA().cert_pem.write_to_path(another)
    with Database(postgres_server.OLDER) as database:
        database.use_tls(authority.issue_cert("localhost"))
        name = database.new()

        def start(host: str, authority_file: Path) -> str:
            url = database.url(name, host=host, sslmode="verify-full", sslrootcert=str(authority_file))
            given = {"database_url": url, "master_key": another_master_key(), "operator_key": f"sp_{'a' * 43}"}
            flags = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
            refused = refused_start(tmp_path / "refused", *flags, "--public-url=https://gateway.example.com")
            assert refused.returncode == 1
            assert "The database cannot be reached: " in refused.stderr
            assert PASSWORD not in refused.stderr
            return refused.stderr

        assert "sslrootcert names must have the authority" in start("localhost", another)
        assert 'certificate for "localhost" does not match host name "127.0.0.1"' in start("127.0.0.1", ca_file)
        fleet = fleets(database.url(name, host="localhost", sslmode="verify-full", sslrootcert=str(ca_file)), nodes=1)
        fleet.subscribe(1)
        fleet.write(1)
        fleet.until_delivered_more(1)
        [(encrypted,)] = database.rows(
            "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'gateway'"
        )
        assert encrypted
        print(fleet.check())


def test_metrics_are_answered_without_the_database(database: Database, fleets: Fleets) -> None:
    """Else the alert about a node that does not reach it could never fire. What only the database knows is left out."""
    fleet = fleets(database.url(database.new()), nodes=1)
    fleet.subscribe(1)
    [node] = fleet.nodes
    api = node.api
    assert "signalpost_database_bytes" in api.request("GET", "/metrics").body.decode()
    database.crash()
    until(lambda: api.metric("signalpost_node_beat_age_seconds") > 6)
    text = api.request("GET", "/metrics").body.decode()
    assert "signalpost_database_bytes" not in text
    database.start()
    until(lambda: "signalpost_database_bytes" in api.request("GET", "/metrics").body.decode())
