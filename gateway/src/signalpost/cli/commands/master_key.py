"""`signalpost db rotate-master-key`: asks a running gateway, or prepares the next start of one that is stopped."""

import os
import time
from pathlib import Path
from typing import Any

from signalpost.cli.client import Client, CommandError, connect, path
from signalpost.cli.data_directory import DataDir, database_in, existing_database, folder
from signalpost.cli.terminal.output import TEXT, Output, Parts
from signalpost.domain.errors import CallerError, StartError
from signalpost.given_settings import read_settings
from signalpost.start_keys import MasterKeySource
from signalpost.store.vault import MasterKeys

ASKED_EVERY = 0.2
"""Seconds between two looks at how far the change has come."""


def rotate_master_key(*, data_dir: DataDir = None, out: Output = TEXT) -> None:
    """Change the master key, which encrypts everything that is secret. A running gateway goes on meanwhile.

    A new key is written into the key's file, before the present one; then everything is brought under it. If the key
    is a setting or lies elsewhere, put a new one before it there first: MASTER_KEY=NEW,OLD, or a line in the file.
    If this is interrupted, run it again.

    Once it is done, the former key opens nothing here: take it out, and keep it as long as you keep backups that were
    made before.

    Example: signalpost db rotate-master-key
    """
    existing_database(data_dir)
    if "SIGNALPOST_URL" not in os.environ and (added := _add_while_stopped(data_dir)) is not None:
        out.show(
            {"current": added.current, "state": "changing"},
            f"No gateway runs here. The next start moves everything to the new master key {added.current}.",
        )
        return
    client = connect(data_dir=data_dir)
    state = client.call("POST", path("master-key", "rotate")).content
    while state["state"] == "changing":
        time.sleep(ASKED_EVERY)
        state = client.call("GET", path("master-key")).content
    out.show(state, _done(state, client))


def _add_while_stopped(data_dir: Path | None) -> MasterKeys | None:
    """Write a new key for a gateway that is stopped; None if one runs."""
    settings = read_settings(os.environ, {"data_dir": str(folder(data_dir))})
    try:
        with database_in(data_dir).claim():
            return MasterKeys(MasterKeySource(settings).add())
    except CallerError as refused:
        raise CommandError(refused.detail) from None
    except StartError:
        return None


def _done(state: Any, client: Client) -> Parts:
    yield f"The master key is {state['current']}, and it protects everything on {client.url}."
    former = [key["id"] for key in state["keys"] if key["id"] != state["current"]]
    if former:
        yield (
            f"No longer needed here: {', '.join(former)}. Remove it from the key's file or from MASTER_KEY. Earlier "
            f"backups need it: keep it in a safe place as long as you keep those."
        )
