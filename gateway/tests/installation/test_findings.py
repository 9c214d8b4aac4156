"""What is said about what was seen of an installation: each fault is found, and says what to do."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from signalpost.domain.timestamps import DAY, HOUR, SECOND
from signalpost.engine.maintenance.disk_reserve import MB
from signalpost.installation import findings
from signalpost.installation.findings import Finding, Verdict
from signalpost.installation.seen import FileSeen, NoServerAnswer, ServerAnswer
from signalpost.store.database import LastBackup, SinceBackup

NOW = 1_800_000_000 * SECOND
FOLDER = FileSeen(Path("/data"), 4711, 0o700)
DATABASE = FileSeen(Path("/data/signalpost.db"), 4711, 0o600)
READY = ServerAnswer(200, b'{"status":"ready","trouble":null,"warnings":[]}', NOW + 60 * DAY)
NOT_READY = ServerAnswer(503, b'{"status":"not ready","trouble":"It starts.","warnings":[]}', NOW + 60 * DAY)
NO_METRICS = ServerAnswer(404, b"{}", None)
PUBLIC = "https://gateway.example.com"


def only(found: Iterable[Finding]) -> Finding:
    [finding] = found
    return finding


def since(hours: float, events: int = 3) -> SinceBackup:
    return SinceBackup(LastBackup(NOW - int(hours * HOUR), Path("/backups/monday.db")), events, NOW)


WELL = {
    "settings": findings.settings((), ()),
    "gateway": findings.gateway(None),
    "address": findings.address(PUBLIC, READY, NO_METRICS),
    "address while it starts": findings.address(PUBLIC, NOT_READY, NO_METRICS),
    "address on this machine": findings.address("http://127.0.0.1:8080", READY, NO_METRICS),
    "certificate": findings.certificate(PUBLIC, NOW + 15 * DAY, NOW),
    "permissions": findings.permissions(FOLDER, [DATABASE], "signalpost"),
    "disk": findings.disk(Path("/data"), 2_000 * MB, 256 * MB, 900 * MB, is_read_only=False),
    "database": findings.database(None),
    "keys": findings.keys([]),
    "clock": findings.clock(NOW, NOW + 4 * SECOND, is_kept=True),
    "backup": findings.backup(since(25), NOW, None),
    "loss": findings.loss(since(25), on_same_disk=False),
    "loss if the copy was moved away": findings.loss(since(25), on_same_disk=None),
}


@pytest.mark.parametrize("found", WELL.values(), ids=WELL)
def test_what_is_well_is_one_finding_without_anything_to_do(found: Iterable[Finding]) -> None:
    finding = only(found)
    assert (finding.verdict, finding.fix) == (Verdict.WELL, "")
    assert finding.seen.endswith((".", "?", ".db", PUBLIC))


FAULTS = {
    "a variable that is no setting": (findings.settings(["SIGNALPOST_PRT is not a setting."], ()), "SIGNALPOST_PRT"),
    "no gateway": (findings.no_gateway(Path("/data"), None), "No gateway runs on /data"),
    "another process": (findings.no_gateway(Path("/data"), 4711), "Process 4711 uses /data"),
    "not ready": (findings.gateway("The disk is full."), "The disk is full."),
    "no answer": (
        findings.address(PUBLIC, NoServerAnswer("refused"), NoServerAnswer("refused")),
        "does not answer: refused.",
    ),
    "another server": (
        findings.address(PUBLIC, ServerAnswer(200, b"<html>", None), NO_METRICS),
        "but not as a gateway",
    ),
    "another API": (
        findings.address(PUBLIC, ServerAnswer(200, b'{"status":"up"}', None), NO_METRICS),
        "not as a gateway",
    ),
    "no TLS": (findings.address("http://gateway.example.com", READY, NO_METRICS), "without TLS"),
    "a certificate that ended": (findings.certificate(PUBLIC, NOW, NOW), f"of {PUBLIC} ended on 2027-01-15"),
    "one that ends": (findings.certificate(PUBLIC, NOW + 2 * DAY, NOW), "ends on 2027-01-17"),
    "a folder for all": (findings.permissions(FileSeen(Path("/data"), 1, 0o755), [], "x"), "may look into /data"),
    "a folder to read": (findings.permissions(FileSeen(Path("/data"), 1, 0o500), [], "x"), "cannot be written"),
    "root's file": (
        findings.permissions(FOLDER, [DATABASE, FileSeen(Path("/data/lock"), 0, 0o600)], "signalpost"),
        "/data/lock is not signalpost's",
    ),
    "a file to read": (findings.permissions(FOLDER, [FileSeen(Path("/data/a"), 4711, 0o400)], "x"), "/data/a"),
    "a key for all": (findings.keys(["Others may read /data/key. Forbid that."]), "/data/key"),
    "a newer database": (findings.database("The database has migration 99."), "migration 99"),
    "a full disk": (findings.disk(Path("/data"), 255 * MB, 256 * MB, 0, is_read_only=False), "documents are refused"),
    "a disk that takes nothing": (
        findings.disk(Path("/data"), 255 * MB, 256 * MB, 0, is_read_only=True),
        "The disk of /data is mounted read-only",
    ),
    "a clock that was set back": (findings.clock(NOW, NOW + HOUR, is_kept=True), "2027-01-15T09:00:00Z"),
    "no backup": (findings.backup(SinceBackup(None, 9, 0), NOW, None), "has never made a copy"),
    "an old backup": (findings.backup(since(27), NOW, None), "is 27 hours old: /backups/monday.db"),
    "a broken backup": (findings.backup(since(1), NOW, "It is no database."), "cannot be restored: It is no database."),
    "all would be lost": (findings.loss(SinceBackup(None, 9, 0), on_same_disk=None), "everything would be lost"),
    "no database": (findings.missing(Path("/data")), "There is no /data"),
    "an unreadable database": (findings.unreadable(Path("/data"), "It is damaged."), "cannot be read: It is damaged."),
}


@pytest.mark.parametrize(("found", "said"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named(found: Iterable[Finding], said: str) -> None:
    finding = only(found)
    assert finding.verdict is Verdict.FAULT
    assert said in finding.seen


WARNINGS = {
    "settings": findings.settings((), ["Set PUBLIC_URL."]),
    "certificate": findings.certificate(PUBLIC, NOW + 13 * DAY, NOW),
    "a folder for a group": findings.permissions(FileSeen(Path("/data"), 1, 0o750), [], "x"),
    "disk": findings.disk(Path("/data"), 511 * MB, 256 * MB, 0, is_read_only=False),
    "no room for a copy": findings.disk(Path("/data"), 1_000 * MB, 256 * MB, 900 * MB, is_read_only=False),
    "clock": findings.clock(NOW, NOW, is_kept=False),
    "a copy on the same disk": findings.loss(since(1), on_same_disk=True),
}


@pytest.mark.parametrize("found", WARNINGS.values(), ids=WARNINGS)
def test_a_warning_is_given_of_what_may_be_meant_so(found: Iterable[Finding]) -> None:
    assert only(found).verdict is Verdict.WARNING


UNKNOWN = {
    "address": findings.address(None, None, None),
    "certificate": findings.certificate(PUBLIC, None, NOW),
    "clock": findings.clock(NOW, 0, is_kept=None),
    "backup": findings.backup(None, NOW, None),
}


@pytest.mark.parametrize("found", UNKNOWN.values(), ids=UNKNOWN)
def test_what_cannot_be_seen_is_not_called_well(found: Iterable[Finding]) -> None:
    assert only(found).verdict is Verdict.UNKNOWN


def test_metrics_that_anyone_may_read_are_named_beside_the_address() -> None:
    exposed, well = findings.address(PUBLIC, READY, ServerAnswer(200, b"# HELP", None))
    assert (exposed.verdict, well.verdict) == (Verdict.FAULT, Verdict.WELL)
    assert f"{PUBLIC}/metrics" in exposed.seen
    assert "METRICS_PORT" in exposed.fix


def test_everything_that_is_wrong_is_named_not_the_first_alone() -> None:
    folder = FileSeen(Path("/data"), 4711, 0o777)
    files = [FileSeen(Path("/data/a"), 0, 0o600), FileSeen(Path("/data/b"), 0, 0o600)]
    found = [*findings.permissions(folder, files, "signalpost")]
    assert [each.fix for each in found] == [
        "chmod 700 /data",
        "chown signalpost /data/a",
        "chown signalpost /data/b",
    ]


def test_how_much_would_be_lost_is_counted() -> None:
    assert "3 events would be lost" in only(findings.loss(since(1), on_same_disk=False)).seen
    assert "9 events" in only(findings.loss(SinceBackup(None, 9, 0), on_same_disk=None)).seen
