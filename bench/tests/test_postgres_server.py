"""Servers of one's own. What starts the newer and the older one every day are the tests of the store."""

import time
from pathlib import Path

import psycopg

from signalpost_bench import postgres_server


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
