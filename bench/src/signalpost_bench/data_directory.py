"""The data directory of a gateway that is measured: its settings, its tenants, and its database as SQLite has it."""

import base64
from pathlib import Path

import apsw
from msgspec.structs import replace

from signalpost.gateway import Gateway
from signalpost.settings import SETTINGS, Settings
from signalpost_bench import postgres_place
from signalpost_bench.workload import MASTER_KEY, OPERATOR_KEY, PUBLIC_URL, tenant_name

DATABASE = "signalpost.db"


def bench_settings(folder: Path, url: str, ca_file: Path | None, database_url: str | None = None) -> Settings:
    """A gateway on `folder`, or on a PostgreSQL, that may deliver to the host and port of `url`. What has a form of its
    own goes through the setting's own reader, so that earlier gateways can be measured too."""
    scheme, _, rest = url.partition("://")
    authority = rest.partition("/")[0]
    settings = Settings(
        data_dir=folder,
        master_key=SETTINGS["master_key"].read(base64.b64encode(MASTER_KEY).decode()),
        allow_targets=SETTINGS["allow_targets"].read(f"{scheme}://{authority}"),
        ca_file=ca_file,
        public_url=PUBLIC_URL,
        disk_reserve_mb=0,
    )
    if database_url is None:
        return settings
    return replace(settings, database_url=database_url, operator_key=OPERATOR_KEY)


async def make_tenants(settings: Settings, count: int) -> None:
    """Make a new database, unless there is one, with so many tenants."""
    database_url = getattr(settings, "database_url", None)  # which earlier gateways cannot have
    if database_url is not None or not (settings.data_dir / DATABASE).exists():
        async with Gateway(settings):
            pass
    if database_url is not None:
        postgres_place.make_tenants(database_url, count)
        return
    connection = connect(settings.data_dir)
    with connection:
        connection.executemany(
            "INSERT OR IGNORE INTO tenant (name) VALUES (?)", [(tenant_name(n),) for n in range(1, count + 1)]
        )
    connection.close()


def connect(folder: Path) -> apsw.Connection:
    """A connection to the database of a gateway that does not run."""
    return apsw.Connection(str(folder / DATABASE))
