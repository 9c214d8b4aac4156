"""A fleet behind PgBouncer in transaction mode, where each transaction may have another connection to the server.

`make fleet-faults` runs this where PgBouncer is installed (Debian's package `pgbouncer`).
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway.tests.acceptance.client import until
from gateway.tests.acceptance.fleet.conftest import PASSWORD, ROLE, Database, Fleets

from signalpost_bench.free_port import free_port

pytestmark = pytest.mark.slow
PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
SUBSCRIPTIONS = 10


@pytest.fixture
def pooler(database: Database, tmp_path: Path) -> Iterator[int]:
    """The port of a PgBouncer that has three connections to the server for each database."""
    if PGBOUNCER is None:
        pytest.skip("PgBouncer is not installed here: apt-get install pgbouncer")
    folder = Path("/tmp") / f"pgbouncer-{os.getpid()}"  # the user that it runs as must reach it
    folder.mkdir()
    owner = database.server.folder.stat()
    port = free_port()
    (folder / "users").write_text(f'"{ROLE}" "{PASSWORD}"\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={database.server.port}\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = scram-sha-256\n"
        f"auth_file = {folder}/users\npool_mode = transaction\ndefault_pool_size = 3\n"
    )
    for each in (folder, *folder.iterdir()):
        os.chown(each, owner.st_uid, owner.st_gid)
    with (tmp_path / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen(
            [PGBOUNCER, folder / "pgbouncer.ini"],
            stdout=log,
            stderr=log,
            user=owner.st_uid,
            group=owner.st_gid,
            start_new_session=True,
        )
    try:
        until(lambda: is_listening(port))
        yield port
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_fleet_keeps_its_promises_behind_a_pooler(database: Database, pooler: int, fleets: Fleets) -> None:
    name = database.new()
    fleet = fleets(database.url(name, pooler), nodes=2)
    fleet.look_at = database.url(name)
    fleet.subscribe(SUBSCRIPTIONS)
    fleet.until_spread(2)
    fleet.write(4)
    fleet.until_delivered_more(20)
    assert all("a pooler is in front of the database" in node.stderr.read_text() for node in fleet.nodes)
    [(connections,)] = fleet.rows("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
    assert connections <= 3 + 1, "the pooler's, and the one that asks"
    fleet.kill(fleet.nodes[0])
    fleet.until_spread(1)
    fleet.until_delivered_more(20)
    fleet.add()
    fleet.until_spread(2)
    fleet.until_delivered_more(10)
    print(fleet.check())
    assert fleet.failures == []
