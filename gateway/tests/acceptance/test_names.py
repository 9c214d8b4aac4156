"""A file that takes its place under a name is there after a power cut too: first what is in it, then its name."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from gateway.tests.acceptance import noted_disk
from gateway.tests.acceptance.gateway_process import GatewayProcess

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which file a descriptor is of"),
]


class DiskNotes:
    """What commands ask of the disk."""

    def __init__(self, notes: Path) -> None:
        self.command = [noted_disk.__file__, str(notes)]
        self._notes = notes

    def run(self, *arguments: str) -> None:
        subprocess.run([sys.executable, *self.command, *arguments], capture_output=True, text=True, check=True)

    def renamed(self) -> list[str]:
        """The names that files were given since the last call; a power cut now leaves each as it is."""
        synced: set[str] = set()
        names: list[str] = []
        at_risk: set[Path] = set()
        for kind, *paths in map(json.loads, self._notes.read_text().splitlines()):
            if kind == "sync":
                synced.add(paths[0])
                at_risk = {name for name in at_risk if str(name.parent) != paths[0]}
            elif not paths[1].endswith("/address"):  # that of a running gateway, which a power cut ends
                old, new = paths
                assert old in synced or ".before-" in new, f"{new} has its name before its content is on the disk"
                names.append(Path(new).name)
                at_risk.add(Path(new))
        assert at_risk == set()
        self._notes.unlink()
        return names


def test_keys_backups_and_restored_databases_survive_a_power_cut(tmp_path: Path, ca_file: Path) -> None:
    noted = DiskNotes(tmp_path / "notes")
    gateway = GatewayProcess(tmp_path / "data", tmp_path, ca_file, "")
    gateway.command = noted.command
    try:
        gateway.start()
        assert gateway.stop() == 0
    finally:
        gateway.end()
    # The end of the audit is written anew while the gateway runs and at its stop.
    assert list(dict.fromkeys(noted.renamed())) == ["master-key", "operator-key", "audit-end"]
    backup, at = str(tmp_path / "monday.db"), f"--data-dir={gateway.data_dir}"
    noted.run("db", "backup", backup, at)
    assert noted.renamed() == ["monday.db"]
    noted.run("db", "restore", backup, at)
    assert noted.renamed()[-2:] == ["signalpost.db.before-1", "signalpost.db"]
