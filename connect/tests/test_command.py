"""The command, with a real database and a real gateway."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from connect.tests.conftest import FedGateway
from connect.tests.connector_process import ConnectorProcess, configure, run_command
from connect.tests.platform import Platform
from gateway.tests.acceptance.client import until

from signalpost_connect.testing import Change

pytestmark = pytest.mark.slow


@pytest.fixture
def connector(tmp_path: Path, platform: Platform, gateway: FedGateway) -> Iterator[ConnectorProcess]:
    made = ConnectorProcess(tmp_path, platform, gateway)
    yield made
    made.end()


def test_check_shows_the_first_ten_lines_and_changes_nothing(
    tmp_path: Path, platform: Platform, gateway: FedGateway
) -> None:
    changes = [Change(str(uuid.uuid4()), version, f"v{version}") for version in range(1, 13)]
    platform.put(changes)
    done = run_command("check", configure(tmp_path, platform, gateway))
    first, *shown = done.stdout.splitlines()
    assert (done.returncode, first) == (0, "The gateway answers, and knows the key.")
    lines = [json.loads(line.partition(": ")[2]) for line in shown]
    assert [(line["externalId"], line["sourceVersion"]) for line in lines] == [
        (each.document, each.version) for each in changes[:10]
    ]
    assert platform.left() == len(changes)


def test_check_says_what_a_mapping_lacks(tmp_path: Path, platform: Platform, gateway: FedGateway) -> None:
    platform.put([Change(str(uuid.uuid4()), 1, "v1")])
    file = configure(tmp_path, platform, gateway)
    file.write_text(file.read_text() + '[mapping]\ntitle = "{{ body.titel }}"\n')
    done = run_command("check", file)
    assert done.returncode == 1
    assert "would be dead. mapping.title: the message has no body.titel" in done.stdout


def test_check_says_that_the_key_is_wrong(tmp_path: Path, platform: Platform, gateway: FedGateway) -> None:
    file = configure(tmp_path, platform, gateway)
    (tmp_path / "connect.key").write_text("sp_wrong")
    done = run_command("check", file)
    assert done.returncode == 1
    assert "401" in done.stdout
    assert "sp_wrong" not in done.stdout + done.stderr


def test_run_feeds_and_tells_how_it_does(connector: ConnectorProcess, platform: Platform, gateway: FedGateway) -> None:
    document = str(uuid.uuid4())
    platform.put([Change(document, 7, "v7"), Change(document, 8, is_poison=True)])
    connector.start()
    until(lambda: platform.left() == 0, connector.log)
    until(lambda: 'outcome="dead"} 1' in connector.metrics())
    assert connector.health() == {"status": "ok"}
    assert 'signalpost_connect_messages_total{outcome="applied"} 1' in connector.metrics()
    assert "signalpost_connect_last_version 7" in connector.metrics()
    until(lambda: [each["name"] for each in gateway.process.api.ask("GET", "/v1/sources")["data"]] == ["outbox"])
    assert connector.stop() == 0
    assert "is dead: 422" in connector.log()


def test_run_says_that_the_database_cannot_be_used_and_goes_on_when_it_can(
    connector: ConnectorProcess, platform: Platform
) -> None:
    platform.sql.execute("ALTER TABLE signalpost_outbox RENAME TO away")
    connector.start()
    until(lambda: (connector.health() or {}).get("status") == "failing", connector.log)
    assert "signalpost-connect outbox sql" in connector.health()["trouble"]
    platform.sql.execute("ALTER TABLE away RENAME TO signalpost_outbox")
    until(lambda: connector.health() == {"status": "ok"}, connector.log)


def test_run_takes_up_a_key_that_was_rotated(
    tmp_path: Path, connector: ConnectorProcess, platform: Platform, gateway: FedGateway
) -> None:
    """The former key is revoked before the file has the new one, so that the connector meets a refusal of both."""
    ask = gateway.process.api.ask
    keys = [ask("POST", "/v1/keys", {"name": "rotated", "role": "app"}, expect=201) for _ in range(2)]
    (tmp_path / "connect.key").write_text(keys[0]["key"])
    connector.start()
    until(lambda: connector.health() == {"status": "ok"}, connector.log)
    ask("DELETE", f"/v1/keys/{keys[0]['id']}", expect=204)
    platform.put([Change(str(uuid.uuid4()), 1, "v1")])
    until(lambda: "401" in connector.health().get("trouble", ""), connector.log)
    (tmp_path / "connect.key").write_text(keys[1]["key"])
    until(lambda: platform.left() == 0 and connector.health() == {"status": "ok"}, connector.log)
    assert connector.stop() == 0
    assert all(each["key"] not in connector.log() for each in keys)


@pytest.mark.parametrize(
    ("replaced", "by", "said"),
    [
        ('kind = "outbox"', 'kind = "kafkaesque"', "source.kind: say which source; installed are"),
        ("[source]", "[source]\ntable = 1", "source: Object contains unknown field `table`"),
        ("[gateway]", "[gateway", "is not TOML"),
        ("url =", "address =", "gateway: Object contains unknown field `address`"),
        ("connect.key", "missing.key", "gateway.key: the file"),
        ("url = ", "tenant = 1\nurl = ", "gateway.tenant: Expected `str | null`, got `int`"),
        ("http://127", "127", "gateway: The URL of a gateway is"),
        ("[source]", '[mapping]\ntitle = "{{ title }}"\n[source]', "mapping.title: at character 4, a path begins with"),
        ("database-url", "no-url", "source.database: the file"),
        ("[source]", '[source]\nname = "two words"', "source.name: it has 1 to 63 letters"),
    ],
)
def test_a_configuration_that_is_wrong_is_refused_by_its_member(
    tmp_path: Path, platform: Platform, gateway: FedGateway, replaced: str, by: str, said: str
) -> None:
    file = configure(tmp_path, platform, gateway)
    file.write_text(file.read_text().replace(replaced, by))
    done = run_command("run", file)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert gateway.key not in done.stderr


def test_a_key_in_the_configuration_is_refused_and_not_shown(
    tmp_path: Path, platform: Platform, gateway: FedGateway
) -> None:
    file = configure(tmp_path, platform, gateway)
    file.write_text(file.read_text().replace(f'{{ file = "{tmp_path}/connect.key" }}', f'"{gateway.key}"'))
    done = run_command("run", file)
    assert "gateway.key: Expected `object`, got `str`" in done.stderr
    assert gateway.key not in done.stderr
