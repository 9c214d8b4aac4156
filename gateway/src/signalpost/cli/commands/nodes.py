"""`signalpost nodes`: the gateways that share a database."""

from typing import Any

from signalpost.cli.client import connect, path
from signalpost.cli.terminal.output import TEXT, Output, Parts
from signalpost.cli.terminal.parts import ShownTable, Warn


def nodes(*, out: Output = TEXT) -> None:
    found = connect().call("GET", path("nodes")).content
    out.show(found["data"], _told(found))


def _told(found: dict[str, Any]) -> Parts:
    yield ShownTable(
        ("node", "state", "role", "subscriptions", "last beat", "version", "process", "since"),
        [_row(each) for each in found["data"]],
        "No nodes.",
    )
    if found["unowned"]:
        yield Warn(
            f"{found['unowned']:,} subscriptions have no node yet. If that lasts, start a node with the role worker."
        )


def _row(node: dict[str, Any]) -> tuple[str, ...]:
    seconds = node["secondsSinceBeat"]
    return (
        f"{node['id']}{' (answers)' if node['answers'] else ''}",
        node["state"],
        node["role"],
        f"{node['lanes']:,}",
        "-" if seconds is None else f"{seconds:g} s ago",
        node["version"],
        f"{node['host']}:{node['process']}",
        node["joinedAt"],
    )
