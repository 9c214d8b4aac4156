import re
from pathlib import Path
from typing import Any

import pytest
from gateway.tests.cli import command
from gateway.tests.cli.command import Run, json_of

pytestmark = pytest.mark.slow


def test_a_key_is_made_used_listed_and_revoked(run: Run) -> None:
    shown = run("keys", "create", "support desk").stdout
    assert "The key is shown only this once" in shown
    [key] = re.findall(r"^key +(sp_\S{43})$", shown, re.MULTILINE)
    run("documents", "list", SIGNALPOST_KEY=key)
    [listed] = [each for each in json_of(run("keys", "list", "--json")) if each["name"] == "support desk"]
    assert "key" not in listed
    assert "support desk" in run("keys", "list").stdout
    assert run("keys", "revoke", listed["id"]).stdout == f"Revoked {listed['id']}.\n"
    assert "Set SIGNALPOST_KEY to a key of this gateway." in run("keys", "list", code=1, SIGNALPOST_KEY=key).stderr
    assert "List them: signalpost keys list" in run("keys", "revoke", listed["id"], code=1).stderr


def test_what_is_wrong_is_named(run: Run) -> None:
    assert "  NAME: This must have 1 to 128 characters" in run("keys", "create", "", code=1).stderr
    assert "--role" in run("keys", "create", "x", "--role", "king", code=2).stderr


def test_a_key_that_was_revoked_after_a_backup_is_refused_after_its_restore(tmp_path: Path) -> None:
    folder, backup = tmp_path / "data", str(tmp_path / "monday.db")
    here: dict[str, Any] = {"SIGNALPOST_DATA_DIR": str(folder)}

    def make(name: str) -> dict[str, str]:
        return json_of(command.run("keys", "create", name, "--json", **here))  # type: ignore[no-any-return]

    with command.gateway(folder):
        stays, goes = make("stays"), make("goes")
        command.run("db", "backup", backup, **here)
        command.run("keys", "revoke", goes["id"], **here)
        later = make("later")
    told = command.run("db", "restore", backup, **here)
    assert "Keys that stay revoked: goes.\n" in told.stdout + told.stderr
    assert "Keys created since then, which keep working: later.\n" in told.stdout + told.stderr
    with command.gateway(folder):
        for key in (stays, later):
            command.run("documents", "list", SIGNALPOST_KEY=key["key"], **here)
        refused = command.run("documents", "list", code=1, SIGNALPOST_KEY=goes["key"], **here)
        assert "Set SIGNALPOST_KEY to a key of this gateway." in refused.stderr
    (folder / "signalpost.db").unlink()
    told = command.run("db", "restore", backup, **here)
    assert "--access-from-backup" in told.stdout + told.stderr
    with command.gateway(folder):
        command.run("documents", "list", code=1, SIGNALPOST_KEY=stays["key"], **here)
    told = command.run("db", "restore", backup, "--access-from-backup", **here)
    with command.gateway(folder):
        command.run("documents", "list", SIGNALPOST_KEY=stays["key"], **here)


def test_whoever_lost_every_key_gets_a_new_one_while_the_gateway_is_stopped(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    here: dict[str, Any] = {"SIGNALPOST_DATA_DIR": str(folder)}
    with command.gateway(folder):
        assert "Another Signalpost" in command.run("keys", "--recover", code=1, **here).stderr
    keys = [command.run("keys", "--recover", "--data-dir", str(folder)).stdout.splitlines()[0] for _ in range(2)]
    assert keys[0] != keys[1]
    with command.gateway(folder, "--operator-key", "sp_" + "x" * 43):
        for key in keys:
            assert len(json_of(command.run("keys", "list", "--json", SIGNALPOST_KEY=key, **here))) == 2
    assert command.run("db", "check", **here).stdout == "The database is sound.\n"


def test_a_key_is_recovered_only_where_there_is_a_gateway(tmp_path: Path) -> None:
    assert "There is no database" in command.run("keys", "--recover", "--data-dir", str(tmp_path / "no"), code=1).stderr
    assert not (tmp_path / "no").exists()


def test_keys_alone_says_what_there_is() -> None:
    shown = command.run("keys").stdout
    assert "Usage: signalpost keys" in shown
    for word in ("create", "list", "revoke", "--recover"):
        assert word in shown
