"""A real gateway that keeps its address, and a real PostgreSQL with an outbox in it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import trustme
from connect.tests.platform import Platform
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.patience import ATTEMPT_TIMEOUT
from gateway.tests.postgres import server

from signalpost_bench.free_port import free_port

if TYPE_CHECKING:
    from connect.tests.mariadb import MariaDb
    from connect.tests.mysql_platform import MySqlPlatform

MARIADB = Path(__file__).parents[2] / ".venv-mariadb"


class FedGateway:
    """A gateway on a port of its own, and the key of a connector."""

    def __init__(self, process: GatewayProcess) -> None:
        self.process = process
        process.start()
        host, port = process.address
        self.url = f"http://{host}:{port}"
        self.operator_key = process.operator_key
        self.key: str = process.api.ask("POST", "/v1/keys", {"name": "contracts", "role": "app"}, expect=201)["key"]

    def stop(self) -> None:
        assert self.process.stop() == 0

    def start(self) -> None:
        self.process.start()

    def kill(self) -> None:
        self.process.kill()


@contextmanager
def fed_gateway(folder: Path) -> Iterator[FedGateway]:
    """A gateway until the end of the block, which may log no fault. `folder` is for its data and logs."""
    authority = folder / "authority.pem"
    trustme.CA().cert_pem.write_to_path(str(authority))
    flags = {"attempt_timeout": f"{ATTEMPT_TIMEOUT:g}", "port": str(free_port())}
    process = GatewayProcess(folder / "data", folder, authority, "http://127.0.0.1:9", **flags)
    try:
        yield FedGateway(process)
        assert process.stop() == 0
    finally:
        process.end()
    assert process.faults == []


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FedGateway]:
    """One gateway for the tests of a file."""
    with fed_gateway(tmp_path_factory.mktemp("fed-gateway")) as made:
        yield made


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """A database of a platform, with contracts and the outbox as `signalpost-connect outbox sql` prints it."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "tests")
    name = f"platform_{worker}"
    shared = server()
    with psycopg.connect(shared.url(), autocommit=True) as connection:
        _drop(connection, name)
        connection.execute(f"CREATE DATABASE {name}")
    made = Platform(shared.url(name), shared.url(name, f"connect_{worker}"), f"connect_{worker}", tmp_path)
    yield made
    made.close()
    with psycopg.connect(shared.url(), autocommit=True) as connection:
        _drop(connection, name)
        connection.execute(f"DROP ROLE IF EXISTS connect_{worker}")


def _drop(connection: "psycopg.Connection[Any]", name: str) -> None:
    connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator["MariaDb"]:
    """A MariaDB that runs, for all tests that need one."""
    if not MARIADB.exists():
        pytest.skip("MariaDB is not here: make connect-mysql")
    pytest.importorskip("pymysql", reason="the driver of MySQL is not installed: make .venv/dev")
    from connect.tests.mariadb import MariaDb

    server = MariaDb(tmp_path_factory.mktemp("mariadb"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def mysql_platform(mariadb: "MariaDb", tmp_path: Path) -> Iterator["MySqlPlatform"]:
    """A database of a platform, with contracts and the outbox as `signalpost-connect outbox sql --mysql` prints it."""
    from connect.tests.mysql_platform import MySqlPlatform

    made = MySqlPlatform(mariadb, tmp_path)
    yield made
    made.close()
