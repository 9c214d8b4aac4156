"""Looks at an installation, and has each check say what it makes of that."""

import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from signalpost.domain.errors import StartError
from signalpost.domain.timestamps import SECOND
from signalpost.engine.maintenance.disk_reserve import MB
from signalpost.given_settings import read_settings
from signalpost.installation import findings
from signalpost.installation.findings import Finding, Findings, Verdict
from signalpost.installation.seen import FileSeen, Machine, NoServerAnswer, ServerAnswer
from signalpost.listener.certificate import Certificate
from signalpost.settings import Settings
from signalpost.start_checks import refusals, warnings
from signalpost.start_keys import MasterKeySource, in_file
from signalpost.store.database import Database, SinceBackup
from signalpost.store.open import default_url, find_database, is_postgres, sqlite_file
from signalpost.store.sqlite.folder_lock import lock_file
from signalpost.store.vault import MasterKeys

Readiness = Mapping[str, object]
"""What `/health/ready` answered."""


def examine(
    environment: Mapping[str, str],
    flags: Mapping[str, str],
    machine: Machine,
    readiness: Callable[[Path], Readiness | None],
) -> Iterator[Finding]:
    """Every finding about the gateway that these settings make. `readiness` asks the gateway of a folder on this
    machine; None if none runs."""
    try:
        settings = read_settings(environment, flags)
        database = find_database(_url(settings))
    except StartError as error:
        yield from findings.settings(str(error).splitlines(), ())
        return
    yield from findings.settings([*refusals(settings)], warnings(settings, _own_address(settings)))
    yield from _gateway(settings, machine, readiness)
    yield from _from_outside(settings, machine)
    try:
        yield from _permissions(settings, machine)
        yield from _disk(settings, machine)
    except FileNotFoundError as error:
        yield from findings.missing(Path(error.filename))
    except OSError as error:
        yield from findings.unreadable(Path(error.filename), error.strerror or str(error))
    else:
        yield from _database(settings, machine, database)


def _url(settings: Settings) -> str:
    return settings.database_url or default_url(settings.data_dir)


def _file(settings: Settings) -> Path | None:
    """The file of the database; None if that is PostgreSQL."""
    url = _url(settings)
    return None if is_postgres(url) else sqlite_file(url)


def _own_address(settings: Settings) -> str:
    return f"{'http' if settings.tls_cert is None else 'https'}://{settings.host}:{settings.port}"


def _gateway(settings: Settings, machine: Machine, readiness: Callable[[Path], Readiness | None]) -> Findings:
    found = readiness(settings.data_dir)
    if found is None and not machine.may_look_into(settings.data_dir):
        yield from findings.unseen_gateway(settings.data_dir)
    elif found is None:
        file = _file(settings)
        yield from findings.no_gateway(
            settings.data_dir, None if file is None else machine.holder(lock_file(file.parent))
        )
    else:
        yield from findings.gateway(None if found["trouble"] is None else str(found["trouble"]))


def _from_outside(settings: Settings, machine: Machine) -> Findings:
    health = metrics = None
    if settings.public_url is not None:
        health = _answer(machine, f"{settings.public_url}/health/ready", settings.ca_file)
        metrics = _answer(machine, f"{settings.public_url}/metrics", settings.ca_file)
    yield from findings.address(settings.public_url, health, metrics)
    if settings.tls_cert is not None and settings.tls_key is not None:
        try:
            ends_at = int(Certificate(settings.tls_cert, settings.tls_key).ends() * SECOND)
            yield from findings.certificate(str(settings.tls_cert), ends_at, machine.now())
        except StartError as error:
            yield Finding("certificate", Verdict.FAULT, str(error))
    elif (
        settings.public_url is not None
        and settings.public_url.startswith("https:")
        and isinstance(health, ServerAnswer)
    ):
        yield from findings.certificate(settings.public_url, health.certificate_ends_at, machine.now())


def _answer(machine: Machine, url: str, ca_file: Path | None) -> ServerAnswer | NoServerAnswer:
    try:
        return machine.get(url, ca_file)
    except NoServerAnswer as error:
        return error


def _permissions(settings: Settings, machine: Machine) -> Findings:
    folder = _seen(settings.data_dir)
    files = [_seen(path) for path in sorted(settings.data_dir.iterdir())]
    owner = machine.user_name(folder.owner)
    yield from findings.permissions(folder, files, owner)
    if machine.user != folder.owner:
        seen = f"Whether {owner}, whose {folder.path} is, may read the keys was not seen: you are another user."
        yield Finding("permissions", Verdict.UNKNOWN, seen, f"Run this as {owner}.")


def _disk(settings: Settings, machine: Machine) -> Findings:
    file, free = _file(settings), machine.free(settings.data_dir)
    size = 0 if file is None else file.stat().st_size
    is_read_only = machine.is_read_only(settings.data_dir)
    yield from findings.disk(settings.data_dir, free, settings.disk_reserve_mb * MB, size, is_read_only=is_read_only)


def _database(settings: Settings, machine: Machine, database: Database) -> Findings:
    """What is in the database, and what would be left of it."""
    try:
        needed, since = database.master_keys_needed(), database.since_backup()
        database.require_changes()
    except StartError as error:
        yield from findings.database(str(error))
        yield from findings.keys([*_refused_keys(settings, frozenset())])
        return
    yield from findings.database(None)
    yield from findings.keys([*_refused_keys(settings, needed)])
    yield from findings.clock(machine.now(), _newest(since), is_kept=machine.clock_is_kept())
    last = None if since is None else since.last
    place = None if last is None else machine.disk(last.copy)
    broken = None if last is None or place is None else database.broken_backup(last.copy)
    yield from findings.backup(since, machine.now(), broken)
    file = _file(settings)
    is_same = None if place is None or file is None else place == machine.disk(file)
    yield from findings.loss(since, on_same_disk=is_same)


def _refused_keys(settings: Settings, needed: frozenset[str]) -> Iterator[str]:
    """Why a start would not take a key that is in a file, or not get by with the master keys that there are: a sentence
    for each. `needed` are the master keys that the database needs."""
    try:
        if settings.operator_key is None:
            in_file(settings, "operator_key")
    except StartError as error:
        yield str(error)
    source = MasterKeySource(settings)
    try:
        given = source.find()
        if given is None and needed:
            yield (
                f"There is no {source.name}, and the database needs the master key {' and '.join(sorted(needed))}. "
                "Put it back there: without it, no one can read what it protects."
            )
        elif given is not None and (lacking := needed - {*(masters := MasterKeys(given)).ids}):
            yield masters.lacks(lacking)
    except StartError as error:
        yield str(error)


def _newest(since: SinceBackup | None) -> int:
    if since is None:
        return 0
    return max(since.newest_at, 0 if since.last is None else since.last.at)


def _seen(path: Path) -> FileSeen:
    found = path.lstat()
    return FileSeen(path, found.st_uid, stat.S_IMODE(found.st_mode))
