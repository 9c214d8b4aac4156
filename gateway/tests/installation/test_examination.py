"""What is looked at, and which setting leads where: real files and databases, on a machine that is made up."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from signalpost.domain.timestamps import DAY, SECOND
from signalpost.engine.maintenance.disk_reserve import MB
from signalpost.installation.examination import examine
from signalpost.installation.findings import Finding, Verdict
from signalpost.installation.seen import NoServerAnswer, ServerAnswer
from signalpost.runtime import key_file
from signalpost.store.sqlite.connect import connect
from signalpost.store.sqlite.database import SqliteDatabase
from signalpost.store.sqlite.schema import migrate

NOW = 1_800_000_000 * SECOND
PUBLIC = "https://gateway.example.com"
READY: Mapping[str, Any] = {"status": "ready", "trouble": None, "warnings": []}


class MadeUpMachine:
    def __init__(self) -> None:
        self.user = os.geteuid()
        self.free_bytes = 10_000 * MB
        self.is_kept: bool | None = True
        self.disks: dict[Path, int] = {}
        self.answers: dict[str, ServerAnswer] = {
            f"{PUBLIC}/health/ready": ServerAnswer(
                200, b'{"status":"ready","trouble":null,"warnings":[]}', NOW + 60 * DAY
            ),
            f"{PUBLIC}/metrics": ServerAnswer(404, b"", None),
        }

    def now(self) -> int:
        return NOW

    def free(self, folder: Path) -> int:
        assert folder.is_dir()
        return self.free_bytes

    def disk(self, path: Path) -> int | None:
        return self.disks.get(path, 1 if path.exists() else None)

    def clock_is_kept(self) -> bool | None:
        return self.is_kept

    def user_name(self, user: int) -> str:
        return f"user-{user}"

    def get(self, url: str, ca_file: Path | None) -> ServerAnswer:
        if url not in self.answers:
            raise NoServerAnswer("refused")
        return self.answers[url]


@pytest.fixture
def machine() -> MadeUpMachine:
    return MadeUpMachine()


@pytest.fixture
def folder(tmp_path: Path, machine: MadeUpMachine) -> Path:
    """The data of a gateway that was backed up an hour ago, to another disk."""
    folder, copy = tmp_path / "data", tmp_path / "copy.db"
    folder.mkdir(mode=0o700)
    connection = connect(folder / "signalpost.db")
    migrate(connection, 0)
    connection.close()
    key_file.write(folder / "master-key", "bWFzdGVyLWtleS1tYXN0ZXIta2V5LW1hc3Rlci1rZXk=")
    SqliteDatabase(folder / "signalpost.db").back_up(copy, NOW - 3600 * SECOND)
    machine.disks[copy] = 2
    return folder


def examined(
    folder: Path, machine: MadeUpMachine, ready: Mapping[str, Any] | None = READY, /, **more: str
) -> list[Finding]:
    variables = {"SIGNALPOST_DATA_DIR": str(folder), "SIGNALPOST_PUBLIC_URL": PUBLIC, **more}
    return [*examine(variables, {}, machine, lambda asked: ready if asked == folder else None)]


def wrong(found: list[Finding]) -> dict[str, Verdict]:
    return {each.check: each.verdict for each in found if each.verdict is not Verdict.WELL}


def test_a_sound_installation_is_well_in_each_respect(folder: Path, machine: MadeUpMachine) -> None:
    found = examined(folder, machine)
    assert wrong(found) == {}
    assert [each.check for each in found] == [
        "settings", "gateway", "address", "certificate", "permissions", "disk", "clock", "backup", "loss",
    ]  # fmt: skip


def test_with_a_setting_that_is_wrong_nothing_else_is_looked_at(folder: Path, machine: MadeUpMachine) -> None:
    found = examined(folder, machine, SIGNALPOST_PUBLIC_ULR="x", SIGNALPOST_PORT="x")
    assert [each.check for each in found] == ["settings", "settings"]
    assert "did you mean SIGNALPOST_PUBLIC_URL?" in found[0].seen


def test_each_thing_that_is_wrong_is_found_alone(folder: Path, machine: MadeUpMachine) -> None:
    assert wrong(examined(folder, machine, None)) == {"gateway": Verdict.FAULT}
    assert wrong(examined(folder, machine, {**READY, "trouble": "It starts."})) == {"gateway": Verdict.FAULT}
    machine.free_bytes = 0
    assert wrong(examined(folder, machine)) == {"disk": Verdict.FAULT}
    assert wrong(examined(folder, machine, SIGNALPOST_DISK_RESERVE_MB="0")) == {"disk": Verdict.WARNING}
    machine.free_bytes, machine.is_kept = 10_000 * MB, False
    assert wrong(examined(folder, machine)) == {"clock": Verdict.WARNING}
    machine.is_kept = True
    SqliteDatabase(folder / "signalpost.db").back_up(folder.parent / "old.db", NOW - 2 * DAY)
    machine.disks[folder.parent / "old.db"] = 2
    assert wrong(examined(folder, machine)) == {"backup": Verdict.FAULT}
    SqliteDatabase(folder / "signalpost.db").back_up(folder.parent / "later.db", NOW + 3600 * SECOND)
    machine.disks[folder.parent / "later.db"] = 2
    assert wrong(examined(folder, machine)) == {"clock": Verdict.FAULT}


def test_a_copy_beside_the_database_is_warned_of(folder: Path, machine: MadeUpMachine) -> None:
    machine.disks.clear()
    assert wrong(examined(folder, machine)) == {"loss": Verdict.WARNING}
    (folder.parent / "copy.db").unlink()
    assert wrong(examined(folder, machine)) == {}


def test_the_public_address_is_asked_and_its_certificate_judged(folder: Path, machine: MadeUpMachine) -> None:
    ready = machine.answers[f"{PUBLIC}/health/ready"]
    machine.answers[f"{PUBLIC}/health/ready"] = ServerAnswer(200, ready.body, NOW + DAY)
    assert wrong(examined(folder, machine)) == {"certificate": Verdict.FAULT}
    machine.answers.clear()
    assert wrong(examined(folder, machine)) == {"address": Verdict.FAULT}


def test_a_certificate_of_the_gateways_own_that_cannot_be_used_is_a_fault(folder: Path, machine: MadeUpMachine) -> None:
    tls = {"SIGNALPOST_TLS_CERT": str(folder / "no.pem"), "SIGNALPOST_TLS_KEY": str(folder / "no.key")}
    assert wrong(examined(folder, machine, **tls)) == {"certificate": Verdict.FAULT}


def test_what_others_could_read_or_change_is_found(folder: Path, machine: MadeUpMachine) -> None:
    folder.chmod(0o755)
    assert wrong(examined(folder, machine)) == {"permissions": Verdict.FAULT}
    folder.chmod(0o700)
    (folder / "master-key").chmod(0o644)
    [said] = [each for each in examined(folder, machine) if each.verdict is Verdict.FAULT]
    assert f"chmod 600 {folder / 'master-key'}" in said.seen


def test_a_key_in_a_file_of_its_own_is_looked_at_there(folder: Path, machine: MadeUpMachine, tmp_path: Path) -> None:
    elsewhere = tmp_path / "key"
    found = examined(folder, machine, SIGNALPOST_MASTER_KEY_FILE=str(elsewhere))
    assert wrong(found) == {"permissions": Verdict.FAULT}
    assert any(f"{elsewhere} cannot be read" in each.seen for each in found)


def test_another_user_is_told_that_the_keys_were_not_looked_at_as_the_gateway_sees_them(
    folder: Path, machine: MadeUpMachine
) -> None:
    machine.user += 1
    assert wrong(examined(folder, machine)) == {"permissions": Verdict.UNKNOWN}


def test_where_no_gateway_ever_was_that_is_said(machine: MadeUpMachine, tmp_path: Path) -> None:
    found = examined(tmp_path / "nowhere", machine, None)
    assert wrong(found) == {"gateway": Verdict.FAULT, "data": Verdict.FAULT}
    (tmp_path / "empty").mkdir(mode=0o700)
    [said] = [each for each in examined(tmp_path / "empty", machine) if each.check == "data"]
    assert "signalpost.db" in said.seen


def test_what_is_no_database_is_a_fault(folder: Path, machine: MadeUpMachine) -> None:
    (folder / "signalpost.db").write_bytes(b"certainly no database" * 500)
    assert wrong(examined(folder, machine)) == {"data": Verdict.FAULT}


def test_of_a_postgresql_the_backup_is_not_judged(folder: Path, machine: MadeUpMachine) -> None:
    """The check does not even connect to it: its server has tools of its own."""
    shared = {"SIGNALPOST_DATABASE_URL": "postgresql://nowhere.invalid/x"}
    found = wrong(examined(folder, machine, **shared))
    assert found == {"settings": Verdict.FAULT, "backup": Verdict.UNKNOWN}, "keys have to be shared"
