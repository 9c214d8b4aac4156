"""`signalpost tenants`: separate sets of documents, events and subscriptions in one gateway."""

import re
from typing import Annotated

from cyclopts import App, Parameter

from signalpost.cli.client import Misuse, connect, path
from signalpost.cli.commands import erasures
from signalpost.cli.terminal.output import Json, Limit, print_json, print_table, say

app = App(name="tenants", help_format="markdown")

OPTIONS = {"/name": "NAME", "?confirm": "--confirm", "/retentionDays": "--days"}
Name = Annotated[str, Parameter(name="NAME", help="The tenant's name.")]
_Limit = Annotated[str | None, Parameter(help="A maximum, or none for unlimited.", show_default=False)]


@app.command
def create(name: Name, /, *, as_json: Json = False) -> None:
    """Create a tenant. Commands work in it with SIGNALPOST_TENANT=NAME.

    Example: signalpost tenants create acme
    """
    made = connect(OPTIONS).call("POST", path("tenants"), body={"name": name}).content
    if as_json:
        print_json(made)
    else:
        say(f"Created {name}. Give its programs keys: SIGNALPOST_TENANT={name} signalpost keys create APP --role app")


@app.command(name="list")
def list_(*, limit: Limit = 50, as_json: Json = False) -> None:
    """List the tenants, newest first.

    Example: signalpost tenants list
    """
    found = list(connect().pages(path("tenants"), {}, limit))
    if as_json:
        print_json(found)
        return
    lines = [(each["name"], each["status"], each["createdAt"] or "with the gateway") for each in found]
    print_table(("name", "status", "created"), lines, "No tenants.")


@app.command
def pause(name: Name, /) -> None:
    """Pause a tenant: nothing in it is changed or sent, and nothing is lost.

    Example: signalpost tenants pause acme
    """
    connect().call("PATCH", path("tenants", name), body={"status": "paused"})
    say(f"Paused {name}. Its events wait until it is resumed.")


@app.command
def resume(name: Name, /) -> None:
    """Resume a tenant, and send its waiting events.

    Example: signalpost tenants resume acme
    """
    connect().call("PATCH", path("tenants", name), body={"status": "active"})
    say(f"Resumed {name}.")


@app.command
def delete(
    name: Name, /, *, confirm: Annotated[str, Parameter(help="The tenant's name again, to confirm.")] = ""
) -> None:
    """Delete a tenant and erase all that it has: documents, files, events, subscriptions, connections. Its keys are
    refused and nothing is sent from the first moment on. This cannot be undone; backups still have it.

    Example: signalpost tenants delete acme --confirm acme
    """
    client = connect(OPTIONS)
    started = client.call("DELETE", path("tenants", name), {"confirm": confirm or None}).content
    say(f"Deleted {name}.")
    erasures.follow(client, started, name)


@app.command
def limits(
    name: Name,
    /,
    *,
    requests_per_second: _Limit = None,
    changes_per_second: _Limit = None,
    in_flight: _Limit = None,
    documents: _Limit = None,
    subscriptions: _Limit = None,
    file_bytes: _Limit = None,
    as_json: Json = False,
) -> None:
    """Show what a tenant may use at most and what it uses, after changing what is given. `none` takes a limit back:
    then that of the settings (TENANT_LIMITS) counts.

    Example: signalpost tenants limits acme --documents 10000 --requests-per-second 50
    """
    given = {
        "requestsPerSecond": requests_per_second,
        "changesPerSecond": changes_per_second,
        "inFlight": in_flight,
        "documents": documents,
        "subscriptions": subscriptions,
        "fileBytes": file_bytes,
    }
    gateway = connect({**OPTIONS, **{f"/limits/{each}": f"--{_option(each)}" for each in given}})
    changed = {
        each: None if most == "none" else _number(each, most) for each, most in given.items() if most is not None
    }
    if changed:
        gateway.call("PATCH", path("tenants", name), body={"limits": changed})
    found = gateway.call("GET", path("tenants", name)).content
    if as_json:
        print_json(found)
        return
    lines = [
        (_option(each), _or_dash(found["effectiveLimits"][each]), _or_dash(found["use"].get(each))) for each in given
    ]
    print_table(("limit", "at most", "used"), lines, "No limits.")


@app.command
def retention(
    name: Name,
    /,
    *,
    days: Annotated[
        str | None, Parameter(help="Days to keep events and their attempts, or none.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Show how long a tenant's events are kept, after changing it where `--days` is given. `none` takes it back: then
    the setting (RETENTION_DAYS) counts. What is older is removed within ten minutes, and cannot be brought back.

    Example: signalpost tenants retention acme --days 7
    """
    gateway = connect(OPTIONS)
    if days is not None:
        wanted = None if days == "none" else _number("days", days)
        gateway.call("PATCH", path("tenants", name), body={"retentionDays": wanted})
    found = gateway.call("GET", path("tenants", name)).content
    if as_json:
        print_json(found)
        return
    source = "RETENTION_DAYS" if found["retentionDays"] is None else "set for it"
    say(f"Events of {name} are kept for {found['effectiveRetentionDays']} days ({source}).")


def _number(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 13:
        raise Misuse(f"--{_option(name)} takes a whole number, or none.")
    return int(text)


def _option(name: str) -> str:
    """The option's name of a member's."""
    return re.sub("[A-Z]", lambda capital: f"-{capital[0].lower()}", name)


def _or_dash(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
