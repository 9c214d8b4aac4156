"""`signalpost nodes`: the gateways that share a database."""

from typing import Any

from signalpost.cli.client import connect, path
from signalpost.cli.terminal.output import Json, print_json, print_table, warn


def nodes(*, as_json: Json = False) -> None:
    """List the nodes that share the database, and how many subscriptions each delivers for."""
    found = connect().call("GET", path("nodes")).content
    if as_json:
        print_json(found["data"])
        return
    print_table(
        ("node", "state", "role", "subscriptions", "last beat", "version", "process", "since"),
        [_line(each) for each in found["data"]],
        "No nodes.",
    )
    if found["unowned"]:
        warn(f"{found['unowned']:,} subscriptions have no node yet. If that lasts, start a node with the role worker.")


def _line(node: dict[str, Any]) -> tuple[str, ...]:
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
