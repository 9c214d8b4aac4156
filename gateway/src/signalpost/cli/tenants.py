"""`signalpost tenants`: separate sets of documents, events and subscriptions in one gateway."""

from typing import Annotated

from cyclopts import App, Parameter

from signalpost.cli.client import connect, path
from signalpost.cli.output import Json, Limit, print_json, print_table, say

app = App(name="tenants", help="Create, list, pause, resume and delete tenants.", help_format="markdown")

OPTIONS = {"/name": "NAME", "?confirm": "--confirm"}
Name = Annotated[str, Parameter(name="NAME", help="The tenant's name.")]


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
    """Delete a tenant that has no documents, subscriptions or connections. Its keys are refused from now on.

    Example: signalpost tenants delete acme --confirm acme
    """
    connect(OPTIONS).call("DELETE", path("tenants", name), {"confirm": confirm or None})
    say(f"Deleted {name}.")
