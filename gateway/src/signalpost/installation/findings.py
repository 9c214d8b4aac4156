"""Decides what is wrong with an installation, from what was seen of it.

Each function is one check: it yields a finding for each thing that is wrong, with what to do about it, or a single one
that says what is well. A fault is what stops the gateway, gives its data away or loses it, now or within days. A
warning is about what an operator may have meant to be so.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from signalpost.domain.delivery.attention import CERTIFICATE_ENDS_NOW, CERTIFICATE_SOON
from signalpost.domain.timestamps import HOUR, SECOND, format_timestamp
from signalpost.engine.maintenance.disk_reserve import MB
from signalpost.engine.operations.gateway_facts import BACKUP_IS_OLD, LOW_FROM
from signalpost.installation.seen import FileSeen, NoServerAnswer, ServerAnswer
from signalpost.store.database import SinceBackup

CLOCK_MAY_DIFFER: Final = 5 * SECOND
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


class Verdict(StrEnum):
    """What a check says."""

    WELL = "well"
    FAULT = "fault"
    WARNING = "warning"
    UNKNOWN = "not checked"


class Finding(Struct, frozen=True):
    """What one check found."""

    check: str
    verdict: Verdict
    seen: str
    """What was seen, in a sentence or two."""
    fix: str = ""
    """What to do about it; empty if there is nothing to do."""


Findings = Iterator[Finding]


def settings(wrong: Sequence[str], warnings: Sequence[str]) -> Findings:
    """`wrong` has a sentence for each setting with which a gateway does not start, `warnings` for each that an operator
    may have to change."""
    for sentence in wrong:
        yield Finding("settings", Verdict.FAULT, sentence, "Correct it. A gateway does not start with it.")
    for sentence in warnings:
        yield Finding("settings", Verdict.WARNING, sentence)
    if not wrong and not warnings:
        yield Finding("settings", Verdict.WELL, "Every variable is a setting, and has a value that it takes.")


def no_gateway(folder: Path, holder: int | None) -> Findings:
    """None answers. `holder` is the process that has the folder all the same."""
    if holder is None:
        seen, fix = f"No gateway runs on {folder}.", "Start it, and see its log: journalctl --unit signalpost"
    else:
        seen = f"Process {holder} uses {folder}, but does not answer as its gateway does."
        fix = f"See what it is: ps -f {holder}. If that hangs, end it, and start the gateway."
    yield Finding("gateway", Verdict.FAULT, seen, fix)


def unseen_gateway(folder: Path) -> Findings:
    """A gateway's address is in its folder, which this user may not look into."""
    seen = f"Whether a gateway runs on {folder} was not seen: this user may not look into it."
    yield Finding("gateway", Verdict.UNKNOWN, seen, "Run this as the gateway's user, to whom the folder belongs.")


def gateway(trouble: str | None) -> Findings:
    """What a gateway that answers says that it lacks."""
    if trouble is not None:
        yield Finding("gateway", Verdict.FAULT, f"The gateway is not ready. {trouble}", "See its log for the reason.")
    else:
        yield Finding("gateway", Verdict.WELL, "It runs, and is ready.")


def address(
    public_url: str | None, health: ServerAnswer | NoServerAnswer | None, metrics: ServerAnswer | NoServerAnswer | None
) -> Findings:
    """Whether clients reach the gateway at its public address, and what they must not reach there."""
    if public_url is None or health is None:
        seen = "PUBLIC_URL is not set, so it is unknown where clients reach the gateway."
        yield Finding("address", Verdict.UNKNOWN, seen, "Set PUBLIC_URL.")
        return
    ready = f"{public_url}/health/ready"
    if isinstance(health, NoServerAnswer):
        seen = f"{ready} does not answer: {health}."
        fix = "See whether the proxy runs, the name leads here, and the firewall lets it in. From elsewhere, try: "
        yield Finding("address", Verdict.FAULT, seen, f"{fix}curl {ready}")
        return
    if not _is_of_a_gateway(health):
        seen = f"{ready} answered {health.status}, but not as a gateway does."
        fix = "Have the proxy pass every path on, without the one that PUBLIC_URL has, and PUBLIC_URL name the proxy."
        yield Finding("address", Verdict.FAULT, seen, fix)
        return
    parts = urlsplit(public_url)
    if isinstance(metrics, ServerAnswer) and metrics.status == 200:
        fix = "Set METRICS_PORT, which the proxy does not pass on, or have the proxy refuse /metrics."
        yield Finding("address", Verdict.FAULT, f"Anyone may read {public_url}/metrics.", fix)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        seen = f"{public_url} is without TLS, so keys and documents can be read in transit."
        yield Finding("address", Verdict.FAULT, seen, "Give the proxy a certificate, and PUBLIC_URL https://.")
    else:
        yield Finding("address", Verdict.WELL, f"The gateway answers at {public_url}, asked from this machine.")


def certificate(where: str, ends_at: int | None, now: int) -> Findings:
    """How long the certificate is good that is `where`; `ends_at` is None if there is none to judge."""
    if ends_at is None:
        yield Finding("certificate", Verdict.UNKNOWN, f"{where} showed no certificate.")
        return
    day = format_timestamp(ends_at)[:10]
    renew = "Renew it, and see why what should do that did not (certbot renew, the log of Caddy)."
    if ends_at <= now:
        yield Finding("certificate", Verdict.FAULT, f"The certificate of {where} ended on {day}.", renew)
    elif ends_at - now < CERTIFICATE_SOON:
        verdict = Verdict.FAULT if ends_at - now < CERTIFICATE_ENDS_NOW else Verdict.WARNING
        yield Finding("certificate", verdict, f"The certificate of {where} ends on {day}.", renew)
    else:
        yield Finding("certificate", Verdict.WELL, f"The certificate of {where} is good until {day}.")


def permissions(folder: FileSeen, files: Iterable[FileSeen], owner: str) -> Findings:
    """Whether the gateway's user, whose the folder is, can use what is in it, and no one else can. `owner` is the
    user's name."""
    wrong = [*_of_folder(folder), *(each for file in files for each in _of_file(file, folder, owner))]
    well = Finding("permissions", Verdict.WELL, f"All in {folder.path} is {owner}'s, and no one else reads it.")
    yield from wrong or [well]


def _of_folder(folder: FileSeen) -> Findings:
    if folder.mode & 0o700 != 0o700:
        fix = f"chmod 700 {folder.path}"
        yield Finding("permissions", Verdict.FAULT, f"{folder.path} cannot be written by its owner.", fix)
    elif folder.mode & 0o077:
        verdict = Verdict.FAULT if folder.mode & 0o027 else Verdict.WARNING  # an operator may want a group to read it
        seen = f"Other users of this machine may look into {folder.path}."
        yield Finding("permissions", verdict, seen, f"chmod 700 {folder.path}")


def _of_file(file: FileSeen, folder: FileSeen, owner: str) -> Findings:
    if file.owner != folder.owner:
        seen = f"{file.path} is not {owner}'s, whose the folder is: the gateway may not be able to use it."
        yield Finding("permissions", Verdict.FAULT, seen, f"chown {owner} {file.path}")
    elif file.mode & 0o600 != 0o600:
        yield Finding("permissions", Verdict.FAULT, f"{file.path} cannot be written by its owner.",
                      f"chmod u+rw {file.path}")  # fmt: skip


def missing(path: Path) -> Findings:
    """There is nothing of a gateway with these settings."""
    seen = f"There is no {path}: no gateway has been started with these settings."
    yield Finding("data", Verdict.FAULT, seen, "Start it once, or name its folder: SIGNALPOST_DATA_DIR, or --data-dir.")


def unreadable(path: Path, why: str) -> Findings:
    """What is there of a gateway cannot be looked at."""
    fix = "Run this as the gateway's user, to whom its folder belongs."
    yield Finding("data", Verdict.FAULT, f"{path} cannot be read: {why.rstrip('.')}.", fix)


def database(refused: str | None) -> Findings:
    """Whether a gateway of this version would start on the database; `refused` says why not."""
    if refused is not None:
        yield Finding("database", Verdict.FAULT, refused)
    else:
        yield Finding("database", Verdict.WELL, "It can be read, and is of this version.")


def keys(refused: Sequence[str]) -> Findings:
    """Whether a gateway would start with the keys that there are; `refused` has a sentence for each that is wrong."""
    for sentence in refused:
        yield Finding("keys", Verdict.FAULT, sentence)
    if not refused:
        yield Finding("keys", Verdict.WELL, "They can be read, and open the database.")


def disk(folder: Path, free: int, reserve: int, database: int, *, is_read_only: bool) -> Findings:
    """Whether there is room for documents, and for a copy of the database, which upgrades and restores make."""
    if is_read_only:
        seen = f"The disk of {folder} is mounted read-only, so nothing can be kept."
        fix = "See why the system did that (dmesg), then mount it for writing and restart the gateway."
        yield Finding("disk", Verdict.FAULT, seen, fix)
        return
    seen = f"{free // MB:,} MB are free on the disk of {folder}"
    make_room = "Make room, or have less kept: RETENTION_DAYS, then signalpost db prune --compact."
    if free < reserve:
        seen += f", and DISK_RESERVE_MB keeps {reserve // MB:,}: documents are refused."
        yield Finding("disk", Verdict.FAULT, seen, make_room)
    elif free < LOW_FROM * reserve:
        yield Finding("disk", Verdict.WARNING, f"{seen}, less than {LOW_FROM} times DISK_RESERVE_MB.", make_room)
    elif free < database + reserve:
        seen += f", too few for another copy of the database ({database // MB:,} MB), which an upgrade makes."
        yield Finding("disk", Verdict.WARNING, seen, make_room)
    else:
        yield Finding("disk", Verdict.WELL, f"{seen}.")


def clock(now: int, newest_at: int, *, is_kept: bool | None) -> Findings:
    """Whether the clock is right, as far as one machine can know that of itself: signatures carry its time, and a
    receiver refuses those that are minutes off. `newest_at` is the newest time in the database."""
    keep = "Have the clock kept: timedatectl set-ntp true"
    if newest_at > now + CLOCK_MAY_DIFFER:
        seen = f"It is {_second(now)} by the clock, but the database has an entry of {_second(newest_at)}."
        yield Finding("clock", Verdict.FAULT, seen, f"Set the clock right. {keep}")
    elif is_kept is None:
        yield Finding("clock", Verdict.UNKNOWN, "The system does not say whether something keeps its clock right.")
    elif not is_kept:
        seen = "Nothing keeps the clock right, and receivers refuse requests whose time is minutes off."
        yield Finding("clock", Verdict.WARNING, seen, keep)
    else:
        yield Finding("clock", Verdict.WELL, "The clock is kept right by the system.")


def backup(since: SinceBackup | None, now: int, broken: str | None) -> Findings:
    """Whether the last copy is recent, and can be restored as far as a look tells; `broken` says why not. `since` is
    None if the database's server is backed up by its own tools."""
    if since is None:
        seen = "PostgreSQL is backed up by tools of its own, which are not looked at."
        yield Finding("backup", Verdict.UNKNOWN, seen, "Watch that the WAL is archived, and practise a restore.")
        return
    repeat = "Make one now, signalpost db backup FILE, and see why none was made: systemctl status signalpost-backup"
    if since.last is None:
        seen = "`signalpost db backup` has never made a copy of the database."
        yield Finding("backup", Verdict.FAULT, seen, "Make one now, and one each day: signalpost db backup FILE")
    elif now - since.last.at > BACKUP_IS_OLD:
        seen = f"The last copy is {(now - since.last.at) // HOUR:,} hours old: {since.last.copy}"
        yield Finding("backup", Verdict.FAULT, seen, repeat)
    elif broken is not None:
        yield Finding("backup", Verdict.FAULT, f"The last copy cannot be restored: {broken}", repeat)
    else:
        yield Finding("backup", Verdict.WELL, f"The last copy is of {_second(since.last.at)}: {since.last.copy}")


def loss(since: SinceBackup | None, *, on_same_disk: bool | None) -> Findings:
    """What would be gone if the machine died now. `on_same_disk` is None if the last copy is not where it was made."""
    if since is None:
        return
    if since.last is None:
        seen = f"If this machine died now, everything would be lost, {since.events:,} events among it."
        yield Finding("loss", Verdict.FAULT, seen, "Make a backup, and keep it and the master key elsewhere.")
        return
    seen = f"If this machine died now, {since.events:,} events would be lost, with their changes: those since the copy."
    if on_same_disk:
        seen = f"If this disk died now, everything might be lost: {since.last.copy} is on the disk of the database."
        fix = "Have the copies, the files and the master key taken to another machine, or made on another disk."
        yield Finding("loss", Verdict.WARNING, seen, fix)
    elif on_same_disk is None:
        yield Finding("loss", Verdict.WELL, f"{seen} It was moved from {since.last.copy}; is it on another machine?")
    else:
        yield Finding("loss", Verdict.WELL, f"{seen} It can be read with the master key only: is that elsewhere too?")


def _is_of_a_gateway(health: ServerAnswer) -> bool:
    """Whether this is what `/health/ready` answers, ready or not."""
    try:
        return {"status", "trouble", "warnings"} <= msgspec.json.decode(health.body, type=dict[str, object]).keys()
    except msgspec.DecodeError:
        return False


def _second(at: int) -> str:
    return f"{format_timestamp(at)[:19]}Z"
