"""Which database a URL of MySQL means, and what is said of one that is none."""

from pathlib import Path

import pytest

from signalpost_connect.config import Secret
from signalpost_connect.outbox import statements
from signalpost_connect.outbox.reader import Outbox, OutboxConfig

pytest.importorskip("pymysql", reason="the driver of MySQL is not installed: make .venv/dev")
from signalpost_connect.outbox.mysql import settings_of


def test_a_url_names_everything() -> None:
    settings = settings_of("mysql://reader:p%40ss@127.0.0.1:3307/platform")
    assert [settings[name] for name in ("user", "password", "host", "port", "database")] == [
        "reader",
        "p@ss",
        "127.0.0.1",
        3307,
        "platform",
    ]


def test_another_machine_has_to_prove_who_it_is() -> None:
    """Unless the URL says otherwise."""
    assert settings_of("mysql://reader@db.example.com/platform")["ssl"].check_hostname
    assert settings_of("mysql://reader@db.example.com/platform?ssl-mode=disabled")["ssl_disabled"]
    assert settings_of("mysql://reader@localhost/platform")["ssl_disabled"]
    assert settings_of("mysql://reader@/platform?socket=/run/mysqld/mysqld.sock")["ssl_disabled"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://reader:hunter2@host:port/platform", "is not a URL of MySQL"),
        ("mysql://reader:hunter2@host/", "names a user and a database"),
        ("mysql://host/platform", "names a user and a database"),
        ("mysql://reader:hunter2@host/platform?sslmode=require", "a parameter that there is not: 'sslmode'"),
        ("mysql://reader:hunter2@host/platform?ssl-mode=required", "ssl-mode of the URL is"),
        ("mysql://reader:hunter2@host/platform?ssl-ca=/missing", "ssl-ca of the URL"),
        ("oracle://reader:hunter2@host/platform", "not a URL of PostgreSQL or MySQL"),
    ],
)
def test_what_is_wrong_with_a_url_is_said_without_its_secret(tmp_path: Path, url: str, said: str) -> None:
    file = tmp_path / "url"
    file.write_text(url)
    with pytest.raises(ValueError, match=f"database: .*{said}") as raised:
        Outbox(OutboxConfig(Secret(file=str(file))))
    assert "hunter2" not in str(raised.value)


def test_only_names_are_put_into_the_sql() -> None:
    with pytest.raises(ValueError, match="--table"):
        statements.mysql_tables(None, "reader", "contracts; DROP TABLE contracts")
    with pytest.raises(ValueError, match="--schema"):
        statements.mysql_above("app; DROP TABLE contracts", 7)
