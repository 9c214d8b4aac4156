"""`signalpost members`: people who sign in to the console."""

from typing import Annotated

from cyclopts import App, Parameter

from signalpost.cli.client import connect, path
from signalpost.cli.terminal.options import ROLES_MAY, Limit, Sets, given
from signalpost.cli.terminal.output import TEXT, Output
from signalpost.cli.terminal.parts import Facts, table
from signalpost.cli.terminal.plain import say
from signalpost.domain.access.api_key import Role

app = App(name="members", help_format="markdown")

MemberId = Annotated[str, Parameter(name="ID", help="The member's id, as listed.")]
RoleOption = Annotated[Role, Parameter(help=f"What they may do: {ROLES_MAY}"), Sets("/role")]


@app.command
def invite(
    email: Annotated[str, Parameter(help="They sign in with it. The gateway sends no mail."), Sets("/email")],
    /,
    *,
    name: Annotated[
        str | None, Parameter(help="Name to show in the audit and in histories. [the address]"), Sets("/name")
    ] = None,
    role: RoleOption = Role.VIEWER,
    out: Output = TEXT,
) -> None:
    """Invite a person to the console, and show the link with which they set a password.

    They belong to the tenant that SIGNALPOST_TENANT names, or else to `default`.

    Example: signalpost members invite ada@example.com --name Ada --role subscriber
    """
    body = {"name": email if name is None else name, "email": email, "role": role}
    made = connect().call("POST", path("members"), body=body).content
    out.show(made, Facts(made), "The link is shown only this once. Give it to them over a safe channel: it works once.")


@app.command(name="list")
def list_(*, limit: Limit = 50, out: Output = TEXT) -> None:
    """List the members, newest first.

    SIGNALPOST_TENANT narrows the list to the members of one tenant.

    Example: signalpost members list
    """
    found = list(connect().pages(path("members"), {}, limit))
    out.show(
        found,
        table(
            found,
            {"id": "id", "tenant": "tenant", "role": "role", "state": "status", "e-mail": "email", "name": "name"},
            "No members. Invite one: signalpost members invite EMAIL",
            cut=("name", "e-mail"),
        ),
    )


@app.command
def change(
    member: MemberId,
    /,
    *,
    name: Annotated[str | None, Parameter(help="A new name."), Sets("/name")] = None,
    email: Annotated[
        str | None, Parameter(help="A new address to sign in with; it ends their sessions."), Sets("/email")
    ] = None,
    role: Annotated[Role | None, Parameter(help="A new role; it ends their sessions."), Sets("/role")] = None,
    out: Output = TEXT,
) -> None:
    """Change a member's name, address or role.

    Example: signalpost members change 01a20e92-1d5f-76d4-985f-8a63b2c66f94 --role viewer
    """
    changed = connect().call("PATCH", path("members", member), body=given(name=name, email=email, role=role)).content
    out.show(changed, Facts(changed))


@app.command
def invite_again(member: MemberId, /, *, out: Output = TEXT) -> None:
    """Make a new link for a member, and take their password away: for one that was forgotten.

    Example: signalpost members invite-again 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    made = connect().call("POST", path("members", member, "invitation")).content
    out.show(made, Facts(made), "The link is shown only this once. Their sessions have ended.")


@app.command
def remove(member: MemberId, /) -> None:
    """Remove a member. They are signed out at once.

    Example: signalpost members remove 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    connect().call("DELETE", path("members", member))
    say(f"Removed {member}.")
