"""`signalpost tenants`: separate sets of documents, events and subscriptions in one gateway."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import App, Parameter

from signalpost.cli.client import connect, path
from signalpost.cli.commands import erasures
from signalpost.cli.terminal.options import Limit, Sets, options_of, parts_of, read_option
from signalpost.cli.terminal.output import TEXT, Output
from signalpost.cli.terminal.parts import Columns, ShownTable, table
from signalpost.cli.terminal.plain import say

app = App(name="tenants", help_format="markdown")

Name = Annotated[str, Parameter(name="NAME", help="The tenant's name."), Sets("/name")]


def _whole_or_none(text: str) -> int | None:
    if text == "none":
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 13:
        raise ValueError("takes a whole number, or none.")
    return int(text)


_MAXIMUM = Parameter(help="A maximum, or none for unlimited.", show_default=False)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class LimitOptions:
    """What a tenant may use at most."""

    requests_per_second: Annotated[str | None, _MAXIMUM, Sets("/limits/requestsPerSecond", _whole_or_none)] = None
    changes_per_second: Annotated[str | None, _MAXIMUM, Sets("/limits/changesPerSecond", _whole_or_none)] = None
    in_flight: Annotated[str | None, _MAXIMUM, Sets("/limits/inFlight", _whole_or_none)] = None
    documents: Annotated[str | None, _MAXIMUM, Sets("/limits/documents", _whole_or_none)] = None
    subscriptions: Annotated[str | None, _MAXIMUM, Sets("/limits/subscriptions", _whole_or_none)] = None
    file_bytes: Annotated[str | None, _MAXIMUM, Sets("/limits/fileBytes", _whole_or_none)] = None


UNCHANGED = LimitOptions()


@app.command
def create(name: Name, /, *, out: Output = TEXT) -> None:
    """Create a tenant. Commands work in it with SIGNALPOST_TENANT=NAME.

    Example: signalpost tenants create acme
    """
    made = connect().call("POST", path("tenants"), body={"name": name}).content
    out.show(
        made, f"Created {name}. Give its programs keys: SIGNALPOST_TENANT={name} signalpost keys create APP --role app"
    )


@app.command(name="list")
def list_(*, limit: Limit = 50, out: Output = TEXT) -> None:
    """List the tenants, newest first.

    Example: signalpost tenants list
    """
    found = list(connect().pages(path("tenants"), {}, limit))
    columns: Columns = {
        "name": "name", "status": "status", "created": lambda each: each["createdAt"] or "with the gateway",
    }  # fmt: skip
    out.show(found, table(found, columns, "No tenants."))


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
    name: Name,
    /,
    *,
    confirm: Annotated[str, Parameter(help="The tenant's name again, to confirm."), Sets("?confirm")] = "",
) -> None:
    """Delete a tenant and erase all that it has: documents, files, events, subscriptions, connections. Its keys are
    refused and nothing is sent from the first moment on. This cannot be undone; backups still have it.

    Example: signalpost tenants delete acme --confirm acme
    """
    client = connect()
    started = client.call("DELETE", path("tenants", name), {"confirm": confirm or None}).content
    say(f"Deleted {name}.")
    erasures.follow(client, started, name)


@app.command
def limits(
    name: Name,
    /,
    *,
    change: LimitOptions = UNCHANGED,
    out: Output = TEXT,
) -> None:
    """Show what a tenant may use at most and what it uses, after changing what is given. `none` takes a limit back:
    then that of the settings (TENANT_LIMITS) counts.

    Example: signalpost tenants limits acme --documents 10000 --requests-per-second 50
    """
    gateway = connect()
    if body := parts_of(change):
        gateway.call("PATCH", path("tenants", name), body=body)
    found = gateway.call("GET", path("tenants", name)).content
    limits = [(pointer.rpartition("/")[2], option[2:]) for pointer, option in options_of(LimitOptions).items()]
    rows = [
        (option, _or_dash(found["effectiveLimits"][limit]), _or_dash(found["use"].get(limit)))
        for limit, option in limits
    ]
    out.show(found, ShownTable(("limit", "at most", "used"), rows, "No limits."))


@app.command
def retention(
    name: Name,
    /,
    *,
    days: Annotated[
        str | None,
        Parameter(help="Days to keep events and their attempts, or none.", show_default=False),
        Sets("/retentionDays"),
    ] = None,
    out: Output = TEXT,
) -> None:
    """Show how long a tenant's events are kept, after changing it if `--days` is given. `none` takes it back: then
    the setting (RETENTION_DAYS) counts. What is older is removed within ten minutes, and cannot be brought back.

    Example: signalpost tenants retention acme --days 7
    """
    gateway = connect()
    if days is not None:
        wanted = read_option("--days", _whole_or_none, days)
        gateway.call("PATCH", path("tenants", name), body={"retentionDays": wanted})
    found = gateway.call("GET", path("tenants", name)).content
    source = "RETENTION_DAYS" if found["retentionDays"] is None else "set for it"
    out.show(found, f"Events of {name} are kept for {found['effectiveRetentionDays']} days ({source}).")


def _or_dash(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
