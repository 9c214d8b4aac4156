"""The work of `signalpost db scrub`, and how it shows its findings."""

import os
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn

from signalpost.cli.terminal.output import Parts
from signalpost.cli.terminal.parts import ShownTable
from signalpost.cli.terminal.progress import progress
from signalpost.domain.documents.version import KeptVersion
from signalpost.engine.maintenance.scrub import ScrubResult, remove_orphans, scrub
from signalpost.given_settings import read_settings
from signalpost.start_settings import open_files
from signalpost.store.database import FileRegister


async def scrubbed(data_dir: Path, register: FileRegister, *, remove: bool) -> tuple[ScrubResult, int]:
    """Check all files. Returns the findings and the number of orphans that were removed."""
    files = await open_files(read_settings(os.environ, {"data_dir": str(data_dir)}))
    try:
        with progress(BarColumn(), DownloadColumn(), TimeRemainingColumn()) as bar:
            task = bar.add_task("", total=register.total()[1])
            found = await scrub(files, register, lambda read: bar.update(task, completed=read))
        return found, await remove_orphans(files, register, found.orphans) if remove else 0
    finally:
        await files.close()


def findings(found: ScrubResult, removed: int) -> dict[str, Any]:
    def shown(versions: list[KeptVersion]) -> list[dict[str, str]]:
        return [
            {"tenant": each.tenant, "externalId": each.external_id, "number": each.number, "file": each.file.name}
            for each in versions
        ]

    return {
        "files": found.files,
        "bytes": found.bytes,
        "missing": shown(found.missing),
        "damaged": shown(found.damaged),
        "orphans": found.orphans,
        "removed": removed,
    }


def told(found: ScrubResult, removed: int) -> Parts:
    lost = [("missing", each) for each in found.missing] + [("damaged", each) for each in found.damaged]
    sound = found.files - len({each.file.name for _, each in lost})
    if lost:
        rows = [(what, each.external_id, each.number, each.tenant, each.file.name) for what, each in lost]
        yield ShownTable(("state", "document", "version", "tenant", "file"), rows, "")
    yield f"Sound files: {sound:,} of {found.files:,}, {found.bytes:,} bytes."
    if removed:
        yield f"Files that no version points to, removed: {removed:,}."
    elif found.orphans:
        yield f"Files that no version points to: {len(found.orphans):,}."
        yield "To remove them: signalpost db scrub --remove-orphans"
