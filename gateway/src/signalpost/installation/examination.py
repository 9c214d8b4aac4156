"""Looks at an installation, and has each check say what it makes of that."""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from signalpost.domain.errors import SignalpostError, StartError
from signalpost.domain.timestamps import SECOND
from signalpost.engine.maintenance.disk_reserve import MB
from signalpost.given_settings import read_settings
from signalpost.installation import findings
from signalpost.installation.findings import Finding, Findings, Verdict
from signalpost.installation.seen import FileSeen, Machine, NoServerAnswer, ServerAnswer
from signalpost.listener.certificate import Certificate
from signalpost.runtime import key_file
from signalpost.settings import Settings, secret_file
from signalpost.start_checks import check_shared, warnings
from signalpost.store.database import SinceBackup
from signalpost.store.open import default_url, find_database, is_postgres, sqlite_file

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
    except StartError as error:
        yield from findings.settings(str(error).splitlines(), ())
        return
    yield from findings.settings(_start_refuses(settings), warnings(settings, _own_address(settings)))
    yield from _gateway(settings, readiness)
    yield from _from_outside(settings, machine)
    try:
        yield from _permissions(settings, machine)
        yield from _data(settings, machine)
    except FileNotFoundError as error:
        yield from findings.missing(Path(error.filename))
    except OSError as error:
        yield from findings.unreadable(Path(error.filename), error.strerror or str(error))
    except SignalpostError as error:
        yield from findings.unreadable(settings.data_dir, str(error))


def _own_address(settings: Settings) -> str:
    return f"{'http' if settings.tls_cert is None else 'https'}://{settings.host}:{settings.port}"


def _start_refuses(settings: Settings) -> list[str]:
    """A sentence for what the next start would refuse, although each setting is right by itself."""
    try:
        if settings.database_url is not None and is_postgres(settings.database_url):
            check_shared(settings)
    except StartError as error:
        return [str(error)]
    return []


def _gateway(settings: Settings, readiness: Callable[[Path], Readiness | None]) -> Findings:
    found = readiness(settings.data_dir)
    trouble = None if found is None else found["trouble"]
    yield from findings.gateway(settings.data_dir, None if trouble is None else str(trouble), answers=found is not None)


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
    yield from findings.permissions(folder, files, [*_refused_keys(settings)], owner)
    if machine.user != folder.owner:
        seen = f"Whether {owner}, whose {folder.path} is, may read the keys was not seen: you are another user."
        yield Finding("permissions", Verdict.UNKNOWN, seen, f"Run this as {owner}.")


def _refused_keys(settings: Settings) -> Iterator[str]:
    """Why a start would not take a key that is in a file, a sentence for each."""
    for name in ("master_key", "operator_key"):
        file = secret_file(settings, name)
        if getattr(settings, name) is not None or not (file == settings.master_key_file or os.path.lexists(file)):
            continue  # it is given as a setting, or the first start makes it
        try:
            (key_file.read_elsewhere if file == settings.master_key_file else key_file.read)(file)
        except (key_file.NotPrivate, UnicodeDecodeError) as error:
            yield str(error)
        except OSError as error:
            yield f"{file} cannot be read: {error.strerror}."


def _data(settings: Settings, machine: Machine) -> Findings:
    """What is on the disk, and what would be left of it."""
    url = settings.database_url or default_url(settings.data_dir)
    file = None if is_postgres(url) else sqlite_file(url)
    size = 0 if file is None else file.stat().st_size
    free = machine.free(settings.data_dir)
    yield from findings.disk(settings.data_dir, free, settings.disk_reserve_mb * MB, size)
    since = find_database(url).since_backup()
    yield from findings.clock(machine.now(), _newest(since), is_kept=machine.clock_is_kept())
    yield from findings.backup(since, machine.now())
    place = None if since is None or since.last is None else machine.disk(since.last.copy)
    is_same = None if place is None or file is None else place == machine.disk(file)
    yield from findings.loss(since, on_same_disk=is_same)


def _newest(since: SinceBackup | None) -> int:
    if since is None:
        return 0
    return max(since.newest_at, 0 if since.last is None else since.last.at)


def _seen(path: Path) -> FileSeen:
    found = path.lstat()
    return FileSeen(path, found.st_uid, stat.S_IMODE(found.st_mode))
