"""`signalpost db`: works on the database file, on the gateway's own machine."""

import asyncio
import os
import time
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from signalpost.cli.client import CommandError
from signalpost.cli.commands import file_scrub, restore_report
from signalpost.cli.commands.master_key import rotate_master_key
from signalpost.cli.data_directory import DatabaseUrl, DataDir, database_in, existing_database, folder
from signalpost.cli.terminal.options import flag
from signalpost.cli.terminal.output import TEXT, Output
from signalpost.cli.terminal.parts import ShownTable
from signalpost.cli.terminal.plain import say
from signalpost.cli.terminal.progress import progress
from signalpost.domain.timestamps import DAY
from signalpost.given_settings import read_settings
from signalpost.runtime.clock import SystemClock

app = App(name="db", help_format="markdown")
app.command(rotate_master_key)


@app.command
def check(*, data_dir: DataDir = None, database_url: DatabaseUrl = None, out: Output = TEXT) -> None:
    """Check the database, and that its logs and lanes are consistent. Works while gateways run.

    Example: signalpost db check --data-dir ./data
    """
    faults = existing_database(data_dir, database_url).check()
    out.show({"faults": faults}, None if faults else "The database is sound.")
    if faults:
        raise CommandError("The database has faults:\n" + "\n".join(f"  {fault}" for fault in faults))


@app.command
def migrate(*, data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Bring a PostgreSQL database up to date with this version, as the user that owns its tables.

    A gateway does this by itself when it starts, unless its own user may not. Run it once, before the first gateway of
    a new version. Gateways of the version before may go on working meanwhile; if one of them would break, this says
    so and changes nothing.

    Example: signalpost db migrate --database-url postgresql://owner@db.example.com/signalpost
    """
    database_in(data_dir, database_url).migrate()
    say("The database is up to date.")


@app.command
def partitions(*, data_dir: DataDir = None, database_url: DatabaseUrl = None, out: Output = TEXT) -> None:
    """Make the partitions of the coming week in a PostgreSQL database, and remove those that no tenant keeps any more.

    Gateways do this by themselves if their user owns the tables, or may act as the one that does. If it may not,
    run this every day as the owner, also while gateways are at work.

    Example: signalpost db partitions --database-url postgresql://owner@db.example.com/signalpost
    """
    kept = existing_database(data_dir, database_url).keep_partitions(SystemClock().wall())
    out.show(
        {"daysAhead": kept.days_ahead, "removed": kept.removed},
        f"There are partitions for today and the next {kept.days_ahead} days; {kept.removed} were removed.",
    )


@app.command
def backup(
    to: Annotated[Path, Parameter(help="The file to create.")],
    /,
    *,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Copy the database while the gateway runs, and check the copy. Back up the master key too, in another place.

    This is for the SQLite database of one gateway. PostgreSQL has copies of its own, as of any moment.

    The copy does not contain the files of versions. Copy the folder `files` after the database, with a program that
    copies again what has another size, because uploads may be under way; for a bucket, turn on its versioning. Files
    stay for a day after their document is deleted, so all files of a backup still exist for that long.

    Example: signalpost db backup /backups/signalpost-monday.db
    """
    if to.exists():
        raise CommandError(f"{to} exists already. Give the name of a new file.")
    if not to.parent.is_dir():
        raise CommandError(f"There is no folder {to.parent}. Create it first.")
    began = time.monotonic()
    existing_database(data_dir, database_url).back_up(to, SystemClock().wall())
    seconds = time.monotonic() - began
    say(f"Copied {to.stat().st_size:,} bytes to {to} in {seconds:.1f} s; the copy is sound.")
    say("The copy's secrets open with this gateway's master key only: keep that too.")
    files = folder(data_dir) / "files"
    if files.is_dir() and any(files.iterdir()):
        say(f"The documents' files are not in it. Copy them after it, each time: rsync -a {files} {to.parent}")


@app.command
def restore(
    backup: Annotated[Path, Parameter(help="A file that `db backup` wrote, or the copy that an upgrade left.")],
    /,
    *,
    access_from_backup: Annotated[
        bool,
        flag("Restore access too: keys and secrets that were revoked or replaced since then work again."),
    ] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Check a backup and put it in place of the database. The gateway must be stopped.

    Documents and the log go back to the backup. Access does not: keys, secrets, paused and deleted tenants, limits and
    retention of tenants, addresses and tokens of subscriptions and connections stay as they are in the database that is
    replaced. Subscriptions deleted since come back paused. If that database is gone or damaged, it is not known
    which keys were revoked since, so all of them are revoked (never the operator's own key, which is a setting).

    The previous database is kept beside it. Changes made after the backup are missing: clients that poll `/v1/events`
    continue from the end of the restored log, and subscriptions may get events again under other sequences.

    To go back to the version from before an upgrade, restore the copy that the upgrade left in the data directory
    (signalpost.db.before-migration-…), and start that version.

    Example: signalpost db restore /backups/signalpost-monday.db --data-dir ./data
    """
    if not backup.is_file():
        raise CommandError(f"There is no backup {backup}.")
    database = database_in(data_dir, database_url)
    if faults := database.check_backup(backup):
        raise CommandError(
            "The backup has faults, so nothing was changed:\n" + "\n".join(f"  {fault}" for fault in faults)
        )
    with database.claim():
        restored = database.restore(backup, "backup" if access_from_backup else "replaced", SystemClock().wall())
    say(f"Restored {backup}." + (f" The previous database is {restored.kept}." if restored.kept else ""))
    restore_report.show(restored.access)
    say("Check that every version's file is there: signalpost db scrub")


@app.command
def prune(
    *,
    retention_days: Annotated[
        str | None, Parameter(help="Days to keep events. [SIGNALPOST_RETENTION_DAYS, or 30]")
    ] = None,
    compact: Annotated[bool, flag("Return free space to the disk; this takes longer.")] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    out: Output = TEXT,
) -> None:
    """Remove everything past the retention now. The gateway must be stopped; a running one does this by itself.

    Tenants with a retention of their own (`signalpost tenants retention`) keep that, whatever is given here.
    Subscriptions that are so far behind that they lose events are named, and their health says how many they lost.

    Example: signalpost db prune --retention-days 7 --compact
    """
    days = read_settings(
        os.environ, {} if retention_days is None else {"retention_days": retention_days}
    ).retention_days
    database = existing_database(data_dir, database_url)
    with database.claim():
        now = SystemClock().wall()
        with progress() as bar:
            task = bar.add_task("Removing events")
            pruned = database.prune(now, days * DAY, lambda done, total: bar.update(task, completed=done, total=total))
        if compact:
            database.compact()
        size, free = database.space()
    out.show(
        {"days": days, "removed": pruned.removed, "lost": pruned.lost, "bytes": size, "free": free},
        ShownTable(("removed", "rows"), [(table, f"{count:,}") for table, count in pruned.removed.items()], "Nothing."),
        *(
            f"The subscription {subscription} lost up to {lost:,} events that it had not received yet."
            for subscription, lost in pruned.lost.items()
        ),
        f"Days kept: {days}, or as set for a tenant. Of the database's {size:,} bytes, {free:,} are free for new data.",
        "Return them to the disk: signalpost db prune --compact" if free and not compact else None,
    )


@app.command
def scrub(
    *,
    remove_orphans: Annotated[
        bool,
        flag("Remove files that no version points to; files being uploaded are never removed."),
    ] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    out: Output = TEXT,
) -> None:
    """Check every version's file against its checksum, and find files that no version points to.

    Works while the gateway runs. FILES_URL and the AWS_… variables say where the files are, as for `serve`.

    Example: signalpost db scrub --remove-orphans
    """
    database = existing_database(data_dir, database_url)
    if remove_orphans:
        database.require_changes()  # a standby may not know yet which versions point to a file
    with database.files() as register:
        found, removed = asyncio.run(file_scrub.scrubbed(folder(data_dir), register, remove=remove_orphans))
    out.show(file_scrub.findings(found, removed), file_scrub.told(found, removed))
    if found.missing or found.damaged:
        raise CommandError(
            f"Versions whose files are missing or damaged: {len(found.missing) + len(found.damaged):,}. Restore these "
            "files from a backup, under the same names."
        )


@app.command
def sizes(*, data_dir: DataDir = None, database_url: DatabaseUrl = None, out: Output = TEXT) -> None:
    """Show how much space each part of the data takes.

    Example: signalpost db sizes
    """
    database = existing_database(data_dir, database_url)
    found = database.sizes()
    with database.files() as register:
        files, file_bytes = register.total()
    kept = {"name": "(files of versions)", "rows": files, "bytes": file_bytes}
    out.show(
        [*({"name": name, "rows": rows, "bytes": size} for name, rows, size in found), kept],
        ShownTable(
            ("what", "rows", "bytes"),
            [(name, None if rows is None else f"{rows:,}", f"{size:,}") for name, rows, size in found],
            "Nothing.",
        ),
        f"Files of versions, stored outside the database: {files:,} with {file_bytes:,} bytes.",
    )
