"""What is looked at, and which setting leads where: real files and databases, on a machine that is made up."""

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import apsw
import pytest
from gateway.tests.postgres import emptied_database

from signalpost.domain.errors import WrongSetting
from signalpost.domain.timestamps import DAY, SECOND
from signalpost.engine.maintenance.disk_reserve import MB
from signalpost.given_settings import read_settings
from signalpost.installation.examination import examine
from signalpost.installation.findings import Finding, Verdict
from signalpost.installation.machine import SystemMachine
from signalpost.installation.seen import NoServerAnswer, ServerAnswer
from signalpost.runtime import key_file
from signalpost.start_checks import check_together
from signalpost.store.sqlite.connect import connect
from signalpost.store.sqlite.database import SqliteDatabase
from signalpost.store.sqlite.folder_lock import FolderLock, lock_file
from signalpost.store.sqlite.schema import migrate
from signalpost.store.vault import MasterKeys

NOW = 1_800_000_000 * SECOND
PUBLIC = "https://gateway.example.com"
READY: Mapping[str, Any] = {"status": "ready", "trouble": None, "warnings": []}


class MadeUpMachine:
    def __init__(self) -> None:
        self.user = os.geteuid()
        self.free_bytes = 10_000 * MB
        self.is_kept: bool | None = True
        self.disks: dict[Path, int] = {}
        self.takes_nothing = self.is_closed = False
        self.holders: dict[Path, int] = {}
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

    def is_read_only(self, folder: Path) -> bool:
        return self.takes_nothing

    def may_look_into(self, folder: Path) -> bool:
        return not self.is_closed

    def holder(self, lock: Path) -> int | None:
        return self.holders.get(lock)

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
        "settings", "gateway", "address", "certificate", "permissions", "disk", "database", "keys", "clock", "backup",
        "loss",
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
    assert said.check == "keys"
    assert f"chmod 600 {folder / 'master-key'}" in said.seen


def test_a_key_in_a_file_of_its_own_is_looked_at_there(folder: Path, machine: MadeUpMachine, tmp_path: Path) -> None:
    elsewhere = tmp_path / "key"
    found = examined(folder, machine, SIGNALPOST_MASTER_KEY_FILE=str(elsewhere))
    assert wrong(found) == {"keys": Verdict.FAULT}
    assert any(f"{elsewhere} cannot be read" in each.seen for each in found)


def test_another_user_is_told_that_the_keys_were_not_looked_at_as_the_gateway_sees_them(
    folder: Path, machine: MadeUpMachine
) -> None:
    machine.user += 1
    assert wrong(examined(folder, machine)) == {"permissions": Verdict.UNKNOWN}


def test_a_user_who_may_not_look_is_not_told_that_no_gateway_runs(folder: Path, machine: MadeUpMachine) -> None:
    machine.is_closed = True
    assert wrong(examined(folder, machine, None)) == {"gateway": Verdict.UNKNOWN}
    assert wrong(examined(folder, machine)) == {}, "it answered"
    assert SystemMachine().may_look_into(folder)
    assert SystemMachine().may_look_into(folder / "nowhere"), "and that there is none is said"


def test_where_no_gateway_ever_was_that_is_said(machine: MadeUpMachine, tmp_path: Path) -> None:
    found = examined(tmp_path / "nowhere", machine, None)
    assert wrong(found) == {"gateway": Verdict.FAULT, "data": Verdict.FAULT}
    (tmp_path / "empty").mkdir(mode=0o700)
    [said] = [each for each in examined(tmp_path / "empty", machine) if each.check == "data"]
    assert "signalpost.db" in said.seen


def test_what_is_no_database_is_a_fault(folder: Path, machine: MadeUpMachine) -> None:
    (folder / "signalpost.db").write_bytes(b"certainly no database" * 500)
    assert wrong(examined(folder, machine)) == {"database": Verdict.FAULT}


def test_a_key_that_is_none_or_opens_nothing_or_is_gone_is_found(folder: Path, machine: MadeUpMachine) -> None:
    key, database = folder / "master-key", apsw.Connection(str(folder / "signalpost.db"))
    needed = MasterKeys([base64.b64decode(key.read_text())]).current
    database.execute("INSERT INTO data_key VALUES (7, 'sealing', 1, ?, x'00', 0, NULL, 0)", (needed,))
    database.close()
    assert wrong(examined(folder, machine)) == {}
    for content, said in (("no key", "must be 32 bytes as base64"), (base64.b64encode(bytes(32)).decode(), needed)):
        key_file.write(key, content)
        [fault] = [each for each in examined(folder, machine) if each.verdict is Verdict.FAULT]
        assert (fault.check, said in fault.seen) == ("keys", True)
    key.unlink()
    [fault] = [each for each in examined(folder, machine) if each.verdict is Verdict.FAULT]
    assert f"There is no {key}, and the database needs the master key {needed}" in fault.seen
    assert not key.exists(), "to look makes no key"
    assert wrong(examined(folder, machine, SIGNALPOST_MASTER_KEY=base64.b64encode(bytes(32)).decode())) == {
        "keys": Verdict.FAULT
    }


def test_a_backup_that_was_cut_off_or_is_none_is_found(folder: Path, machine: MadeUpMachine) -> None:
    copy = folder.parent / "copy.db"
    whole = copy.read_bytes()
    for content in (whole[:-4096], b"", b"certainly no database" * 500):
        copy.write_bytes(content)
        [fault] = [each for each in examined(folder, machine) if each.verdict is Verdict.FAULT]
        assert fault.check == "backup"
        assert "The last copy cannot be restored: " in fault.seen
        assert str(copy) in fault.seen
    assert {*folder.parent.iterdir()} == {folder, copy}, "to look leaves nothing beside it"


def test_a_disk_that_takes_no_changes_is_a_fault_however_much_is_free(folder: Path, machine: MadeUpMachine) -> None:
    machine.takes_nothing = True
    assert wrong(examined(folder, machine)) == {"disk": Verdict.FAULT}


def test_a_process_that_has_the_folder_and_does_not_answer_is_named(folder: Path, machine: MadeUpMachine) -> None:
    machine.holders[folder / "lock"] = 4711
    [fault] = [each for each in examined(folder, machine, None) if each.verdict is Verdict.FAULT]
    assert fault.seen.startswith(f"Process 4711 uses {folder}")


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="this system does not list its locks")
def test_the_system_knows_which_process_has_a_folder(folder: Path) -> None:
    machine, lock = SystemMachine(), FolderLock(folder)
    assert machine.holder(lock_file(folder)) is None
    lock.lock()
    assert machine.holder(lock_file(folder)) == os.getpid()
    lock.unlock()
    assert machine.holder(lock_file(folder)) is None
    assert not machine.is_read_only(folder)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"MASTER_KEY": base64.b64encode(bytes(32)).decode(), "MASTER_KEY_FILE": "/key"}, "both set"),
        ({"TLS_CERT": "/cert.pem"}, "TLS needs both"),
        ({"OIDC_ISSUER": "https://login.example.com"}, "OIDC_ISSUER needs OIDC_CLIENT_ID"),
        ({"TRACE_RATIO": "0.1"}, "need OTEL_EXPORTER_OTLP_ENDPOINT"),
        ({"DATABASE_URL": "postgresql://127.0.0.1:1/x"}, "set MASTER_KEY, OPERATOR_KEY"),
    ],
)
def test_settings_that_do_not_fit_together_are_found_and_stop_the_start(
    folder: Path, machine: MadeUpMachine, given: dict[str, str], said: str
) -> None:
    variables = {f"SIGNALPOST_{name}": value for name, value in given.items()}
    [fault, *_] = examined(folder, machine, **variables)
    assert (fault.check, fault.verdict, said in fault.seen) == ("settings", Verdict.FAULT, True)
    with pytest.raises(WrongSetting, match=said):
        check_together(read_settings(variables, {}))


def test_a_postgresql_that_is_away_is_a_fault(folder: Path, machine: MadeUpMachine) -> None:
    shared = {"SIGNALPOST_DATABASE_URL": "postgresql://127.0.0.1:1/x"}
    found = examined(folder, machine, **shared)
    assert wrong(found) == {"settings": Verdict.FAULT, "database": Verdict.FAULT}, "keys have to be shared"
    [fault] = [each for each in found if each.check == "database"]
    assert fault.seen.startswith("The database cannot be reached: ")


def test_of_a_postgresql_the_backup_is_not_judged(folder: Path, machine: MadeUpMachine) -> None:
    url = emptied_database()
    wrongs = wrong(examined(folder, machine, SIGNALPOST_DATABASE_URL=url))
    assert wrongs == {"settings": Verdict.FAULT, "backup": Verdict.UNKNOWN}, "keys have to be shared"
