"""The data directory of a gateway that is measured: its settings, its tenants, and its database as SQLite has it."""

import base64
from pathlib import Path

import apsw

from signalpost.gateway import Gateway
from signalpost.settings import SETTINGS, Settings
from signalpost_bench.workload import MASTER_KEY

DATABASE = "signalpost.db"


def bench_settings(folder: Path, url: str, ca_file: Path | None) -> Settings:
    """A gateway on `folder` that may deliver to the host and port of `url`. What has a form of its own goes through the
    setting's own reader, so that earlier gateways can be measured too."""
    scheme, _, rest = url.partition("://")
    authority = rest.partition("/")[0]
    return Settings(
        data_dir=folder,
        master_key=SETTINGS["master_key"].read(base64.b64encode(MASTER_KEY).decode()),
        allow_targets=SETTINGS["allow_targets"].read(f"{scheme}://{authority}"),
        ca_file=ca_file,
        public_url="https://signalpost.example.com",
        disk_reserve_mb=0,
    )


def tenant_name(number: int) -> str:
    """The tenants of a run are `default`, t1, t2 and so on; their numbers begin with 1."""
    return "default" if number == 1 else f"t{number - 1}"


async def make_tenants(settings: Settings, count: int) -> None:
    """Make a new database, unless there is one, with so many tenants."""
    if not (settings.data_dir / DATABASE).exists():
        async with Gateway(settings):
            pass
    connection = connect(settings.data_dir)
    with connection:
        connection.executemany(
            "INSERT OR IGNORE INTO tenant (name) VALUES (?)", [(tenant_name(n),) for n in range(1, count + 1)]
        )
    connection.close()


def connect(folder: Path) -> apsw.Connection:
    """To the database of a gateway that does not run."""
    return apsw.Connection(str(folder / DATABASE))
