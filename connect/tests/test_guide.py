"""What the guide and the README show works as it stands there."""

import json
import re
import tomllib
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from connect.tests.conftest import FedGateway
from connect.tests.connector_process import run_command
from connect.tests.platform import Platform

from signalpost_connect import Message
from signalpost_connect.config import convert, read_config, read_drain_config
from signalpost_connect.kinds import make_source
from signalpost_connect.mapping import LineMaker
from signalpost_connect.sqs.queue import SqsQueue

ROOT = Path(__file__).parents[2]
ENTRY_POINTS = tomllib.loads((ROOT / "connect" / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "entry-points"
]
GUIDE = (ROOT / "docs" / "guides" / "outbox.md").read_text(encoding="utf-8")
README = (ROOT / "connect" / "README.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)


def kinds_in(guide: str, folder: Path) -> list[str]:
    """The configurations of a guide, by the names of their classes: of a source, then of a sink."""
    source, drain = blocks((ROOT / "docs" / "guides" / guide).read_text(encoding="utf-8"), "toml")
    file = folder / "given.toml"
    file.write_text(source)
    found = made_of("signalpost.sources", read_config(file).source)
    file.write_text(drain)
    return [found, made_of("signalpost.sinks", read_drain_config(file).sink)]


def made_of(group: str, table: Mapping[str, Any]) -> str:
    """Make a source or a sink of its table, by the entry points of the tree. The name of its configuration."""
    kind = table["kind"]
    made = EntryPoint(kind, ENTRY_POINTS[group][kind], group).load()
    made(convert({name: value for name, value in table.items() if name != "kind"}, made.config, group))
    return str(made.config.__name__)


def mappings_of_the_readme() -> list[LineMaker]:
    return [LineMaker(tomllib.loads(block)["mapping"]) for block in blocks(README, "toml") if "[mapping]" in block]


def test_the_mappings_of_the_readme_are_ones() -> None:
    assert len(mappings_of_the_readme()) == 2


def test_the_mapping_of_the_readme_for_cloud_events_makes_a_state_and_a_deletion() -> None:
    _, make = mappings_of_the_readme()
    people = {"owner": {"email": "O@example.com"}, "author": {"email": "a@example.com"}}
    data = {"name": "Lease", "state": "done", "created": "2026-01-01T00:00:00Z", **people}

    def line_of(type_: str) -> Any:
        about = {"specversion": "1.0", "id": "1", "source": "/crm", "type": type_, "subject": "d1", "sequence": "7"}
        return json.loads(make.line(Message("1", json.dumps({**about, "data": data}).encode())))

    state = line_of("com.example.contract.changed")
    assert (state["externalId"], state["title"], state["status"], state["sourceVersion"]) == (
        "d1",
        "Lease",
        "executed",
        7,
    )
    deletion = line_of("com.example.contract.deleted")
    assert deletion == {"externalId": "d1", "sourceVersion": 7, "deleted": True}


def test_the_configuration_of_the_guide_for_sqs_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [config] = blocks((ROOT / "docs" / "guides" / "sqs.md").read_text(encoding="utf-8"), "toml")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "given")
    file = tmp_path / "sqs.toml"
    file.write_text(config)
    assert isinstance(make_source(read_config(file).source), SqsQueue)


def test_the_configuration_of_the_guide_for_redis_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("redis", reason="the client of Redis is not installed")
    [config] = blocks((ROOT / "docs" / "guides" / "redis.md").read_text(encoding="utf-8"), "toml")
    monkeypatch.setenv("REDIS_URL", "rediss://user:password@redis.example.com:6379/0")
    file = tmp_path / "redis.toml"
    file.write_text(config)
    assert made_of("signalpost.sources", read_config(file).source) == "RedisConfig"


def test_the_configurations_of_the_guide_for_rabbitmq_are_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("aio_pika", reason="the client of RabbitMQ is not installed")
    monkeypatch.setenv("RABBITMQ_URL", "amqps://user:password@rabbitmq.example.com/")
    assert kinds_in("rabbitmq.md", tmp_path) == ["RabbitConfig", "RabbitSinkConfig"]


def test_the_configurations_of_the_guide_for_nats_are_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nats", reason="the client of NATS is not installed")
    monkeypatch.setenv("NATS_URL", "tls://user:password@nats.example.com:4222,tls://nats-2.example.com:4222")
    assert kinds_in("nats.md", tmp_path) == ["NatsConfig", "NatsSinkConfig"]


def test_the_configurations_of_the_guide_for_kafka_are_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("aiokafka", reason="what speaks with Kafka is not installed")
    monkeypatch.setenv("KAFKA_PASSWORD", "given")
    assert kinds_in("kafka.md", tmp_path) == ["KafkaConfig", "KafkaSinkConfig"]


@pytest.mark.slow
def test_the_configuration_of_the_guide_is_one(tmp_path: Path, platform: Platform, gateway: FedGateway) -> None:
    [config] = blocks(GUIDE, "toml")
    key = tmp_path / "key"
    key.write_text(gateway.key)
    for shown, given in (
        ("https://gateway.example.com", gateway.url),
        ("/etc/signalpost/connect.key", str(key)),
        ("/etc/signalpost/connect.database", str(platform.database)),
    ):
        assert shown in config
        config = config.replace(shown, given)
    file = tmp_path / "outbox.toml"
    file.write_text(config)
    done = run_command("check", file)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "The gateway answers, and knows the key.")


@pytest.mark.slow
def test_the_sql_of_the_guide_runs(platform: Platform) -> None:
    """The tables come from the command, as in the guide."""
    platform.sql.execute("INSERT INTO contracts (id, title) SELECT gen_random_uuid(), 'old' FROM generate_series(1, 3)")
    platform.sql.execute("DELETE FROM signalpost_outbox")
    statements = blocks(GUIDE, "sql")
    assert statements
    for statement in statements:
        platform.sql.execute(statement.encode())
    assert platform.left() == 3


@pytest.mark.slow
def test_the_command_prints_the_sql(platform: Platform) -> None:
    printed = run_command(
        "outbox", "sql", "--schema", "app", "--table", "app.contracts", "--role", "of_the_test"
    ).stdout
    with platform.sql.transaction(force_rollback=True):
        platform.sql.execute("CREATE SCHEMA app")
        platform.sql.execute("CREATE TABLE app.contracts (LIKE public.contracts INCLUDING ALL)")
        platform.sql.execute(re.sub(r"^(BEGIN|COMMIT);$", "", printed, flags=re.MULTILINE).encode())
        platform.sql.execute("INSERT INTO app.contracts (id, title) VALUES (gen_random_uuid(), 'one')")
        assert platform.sql.execute("SELECT count(*) FROM app.signalpost_outbox").fetchone() == (1,)
    assert "setval" in run_command("outbox", "above", "7").stdout
