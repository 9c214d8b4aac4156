"""Servers of one's own. What starts the newer and the older one every day are the tests of the store."""

import time
from pathlib import Path

import psycopg

from signalpost_bench import postgres_server
from signalpost_bench.postgres_place import rows_of


def _is_there(url: str) -> bool:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


def test_processes_share_a_server_that_ends_with_the_last_of_them(tmp_path: Path) -> None:
    meeting_point = tmp_path / "server"
    with postgres_server.share(meeting_point) as first:
        with postgres_server.share(meeting_point) as second:
            assert second == first
        assert _is_there(first.url())
        assert _is_there(first.loopback_url())
    while first.folder.exists():
        time.sleep(0.02)
    with postgres_server.share(meeting_point) as another:
        assert _is_there(another.url())


def test_a_cluster_is_there_again_when_its_server_is_started_again(tmp_path: Path) -> None:
    with postgres_server.running() as server:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("CREATE TABLE kept ()")
        server.stop()
        again = postgres_server.start(server.folder)
        with psycopg.connect(again.url()) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
        again.stop()


def test_rows_are_counted_as_the_write_ahead_log_has_them() -> None:
    stats = """
Heap2/PRUNE_ON_ACCESS                       5859 (  2.77)               383748 (  0.66)
Heap/INSERT                                   20 ( 16.98)             25273002 ( 43.72)
Heap/HOT_UPDATE                                3 (  6.76)              7451447 ( 12.89)
Heap/LOCK                                  24424 ( 11.55)              1318896 (  2.28)
Heap/INSERT+INIT                               1 (  2.02)              5701515 (  9.86)
Heap2/MULTI_INSERT                             2 (  2.02)              5701515 (  9.86)
Btree/INSERT_LEAF                          96685 ( 45.73)              8408656 ( 14.55)
"""
    assert rows_of(stats) == 26
