"""What benchmarks fill a database with fits its tables as they are now."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from gateway.tests.postgres import new_database

from signalpost.store.postgres.sessions import EVERY

pytestmark = pytest.mark.slow
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SIZE = "Size(events=300, attempts=20, exceptions=20, documents=30, subscriptions=10)"


def fill(code: str, *arguments: object) -> None:
    begins = "import sys; from pathlib import Path; import aged_postgres; from large_database import Size, build;"
    command = [sys.executable, "-c", f"{begins} {code}", *map(str, arguments)]
    subprocess.run(command, cwd=BENCHMARKS, check=True, stdout=subprocess.DEVNULL)


def test_a_file_of_sqlite_is_filled(tmp_path: Path) -> None:
    file = tmp_path / "signalpost.db"
    fill(f"build(Path(sys.argv[1]), {SIZE})", file)
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT count(*) FROM event").fetchone() == (300,)
    connection.close()


def test_a_database_of_postgresql_is_filled() -> None:
    url = new_database("_filled")
    fill(f"aged_postgres.build(sys.argv[1], {SIZE})", url)
    with psycopg.connect(url) as connection:
        connection.execute("SELECT set_config('signalpost.tenants', %s, true)", (EVERY,))
        assert connection.execute("SELECT count(*) FROM event").fetchone() == (300,)
