"""`signalpost keys`: who may call the gateway."""

import secrets
from typing import Annotated

from cyclopts import App, Parameter

from signalpost.cli.client import connect, path
from signalpost.cli.data_directory import DatabaseUrl, DataDir, existing_database
from signalpost.cli.terminal.moments import AHEAD, Deadline
from signalpost.cli.terminal.options import ROLES_MAY, Limit, Sets, flag, given
from signalpost.cli.terminal.output import TEXT, Output
from signalpost.cli.terminal.parts import Facts, table
from signalpost.cli.terminal.plain import say
from signalpost.commands.audit import told_of
from signalpost.domain.access.api_key import FIRST_TENANT, ApiKey, Role, hash_key, make_key
from signalpost.domain.event import event_id
from signalpost.runtime.clock import wall_clock

app = App(name="keys", usage="Usage: signalpost keys COMMAND | --recover [--data-dir PATH]", help_format="markdown")


@app.default
def recover(
    *,
    recover: Annotated[
        bool,
        flag("Create a new operator's key while the gateway is stopped."),
    ] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Create a new operator's key while the gateway is stopped, or show the commands."""
    if not recover:
        app.help_print([])
        return
    database = existing_database(data_dir, database_url)
    with database.claim():
        key, at = make_key(secrets.token_bytes), wall_clock()
        made = ApiKey(
            number=0,
            tenant_id=FIRST_TENANT,
            id=event_id(at, secrets.randbits(62)),
            name="recovered",
            role=Role.OPERATOR,
            hash=hash_key(key),
            created_at=at,
        )
        database.add_key(made, told_of(made))
    say(key)
    say("This new operator's key is shown only this once. Start the gateway, then revoke the lost keys.")


@app.command
def create(
    name: Annotated[str, Parameter(help="Who uses the key; shown in lists and logs."), Sets("/name")],
    /,
    *,
    role: Annotated[Role, Parameter(help=f"What the key may do: {ROLES_MAY}"), Sets("/role")] = Role.OPERATOR,
    expires: Annotated[Deadline | None, Parameter(help=f"When it stops working: {AHEAD}."), Sets("/expiresAt")] = None,
    out: Output = TEXT,
) -> None:
    """Create a key, and show it only this once.

    It belongs to the tenant that SIGNALPOST_TENANT names, or else to `default`.

    Example: signalpost keys create contracts --role app --expires 90d
    """
    made = connect().call("POST", path("keys"), body=given(name=name, role=role, expiresAt=expires)).content
    out.show(made, Facts(made), "The key is shown only this once. Give it to its user as SIGNALPOST_KEY.")


@app.command(name="list")
def list_(*, limit: Limit = 50, out: Output = TEXT) -> None:
    """List the valid keys, newest first. The keys themselves are not stored.

    SIGNALPOST_TENANT narrows the list to the keys of one tenant.

    Example: signalpost keys list
    """
    found = list(connect().pages(path("keys"), {}, limit))
    out.show(
        found,
        table(
            found,
            {
                "id": "id", "tenant": "tenant", "role": "role", "last used": lambda key: key["lastUsedAt"] or "never",
                "expires": lambda key: key["expiresAt"] or "-", "name": "name",
            },
            "No keys but the operator's own. Create one: signalpost keys create NAME",
            cut=("name",),
        ),
    )  # fmt: skip


@app.command
def revoke(key: Annotated[str, Parameter(name="ID", help="The key's id, as listed.")], /) -> None:
    """Revoke a key. It is refused from now on.

    Example: signalpost keys revoke 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    connect().call("DELETE", path("keys", key))
    say(f"Revoked {key}.")
