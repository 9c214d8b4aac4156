"""`signalpost erasures`: what is being removed for good, and what was."""

import time
from typing import Any

from cyclopts import App

from signalpost.cli.client import Client, connect, path
from signalpost.cli.terminal.options import Limit
from signalpost.cli.terminal.output import TEXT, Output
from signalpost.cli.terminal.parts import Columns, table
from signalpost.cli.terminal.plain import say
from signalpost.cli.terminal.text import remarks

app = App(name="erasures", help_format="markdown")

LOOK_EVERY = 0.2
"""Seconds between two looks at an erasure that is awaited."""


@app.command(name="list")
def list_(*, limit: Limit = 50, out: Output = TEXT) -> None:
    """List erasures, newest first.

    Example: signalpost erasures list
    """
    found = list(connect().pages(path("erasures"), {}, limit))
    columns: Columns = {
        "tenant": "tenant", "document": lambda each: each["document"] or "all of it", "state": "state",
        "removed": lambda each: f"{each['removed']:,}", "asked for": "askedAt",
    }  # fmt: skip
    out.show(found, table(found, columns, "No erasures."))


def follow(client: Client, started: dict[str, Any], what: str) -> None:
    """Wait until an erasure is finished. Ctrl-C ends the wait, not the erasure."""
    with remarks.status(f"Erasing {what} …") as status:
        found = started
        while found["state"] == "running":
            time.sleep(LOOK_EVERY)
            found = client.call("GET", path("erasures", started["id"])).content
            status.update(f"Erasing {what} … {found['removed']:,} rows and files are gone")
    say(f"Erased {what}: {found['removed']:,} rows and files.")
