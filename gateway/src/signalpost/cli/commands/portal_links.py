"""`signalpost portal-links`: links with which customers get at their own subscriptions."""

from typing import Annotated, Any

from cyclopts import App, Parameter, validators

from signalpost.cli.client import connect, path
from signalpost.cli.terminal.options import Limit, Sets, given, repeatable
from signalpost.cli.terminal.output import TEXT, Output
from signalpost.cli.terminal.parts import Facts, table
from signalpost.cli.terminal.plain import say
from signalpost.domain.access.portal_link import DEFAULT_SECONDS, MAX_SECONDS, Capability

app = App(name="portal-links", help_format="markdown")

LinkId = Annotated[str, Parameter(name="ID", help="The link's id, as listed.")]


@app.command
def create(
    name: Annotated[str, Parameter(help="Who it is for; shown in the audit."), Sets("/name")],
    /,
    *,
    subscription: Annotated[
        list[str] | None,
        repeatable("A subscription to show; repeatable. Without any, all of the tenant."),
        Sets("/subscriptions"),
    ] = None,
    can: Annotated[
        list[Capability] | None, repeatable("What they may do besides viewing; repeatable."), Sets("/can")
    ] = None,
    minutes: Annotated[
        int,
        Parameter(help="How long it lasts.", validator=validators.Number(gte=1, lte=MAX_SECONDS // 60)),
        Sets("/expiresIn"),
    ] = DEFAULT_SECONDS // 60,
    embed: Annotated[
        list[str] | None, repeatable("Origin of a page that may embed it in a frame."), Sets("/embed")
    ] = None,
    title: Annotated[str | None, Parameter(help="Name that its pages show."), Sets("/theme/name")] = None,
    accent: Annotated[
        str | None, Parameter(help="Colour of its links and buttons, such as #2b4fc7."), Sets("/theme/accent")
    ] = None,
    out: Output = TEXT,
) -> None:
    """Make a link with which a customer gets at their own subscriptions, and show it only this once.

    It opens once, within 10 minutes.

    Example: signalpost portal-links create Acme --subscription 01a20e92-1d5f-76d4-985f-8a63b2c66f94 --can test
    """
    body: dict[str, Any] = {
        "name": name,
        "subscriptions": subscription or "all",
        "can": can or [],
        "expiresIn": minutes * 60,
        "embed": embed or [],
        "theme": given(name=title, accent=accent),
    }
    made = connect().call("POST", path("portal-links"), body=body).content
    out.show(
        made,
        Facts({member: value for member, value in made.items() if member != "theme"}),
        "The link is shown only this once. It signs in the first person who opens it.",
    )


@app.command(name="list")
def list_(*, limit: Limit = 50, out: Output = TEXT) -> None:
    """List the links that have not ended, newest first.

    Example: signalpost portal-links list
    """
    found = list(connect().pages(path("portal-links"), {}, limit))
    out.show(
        found,
        table(
            found,
            {"id": "id", "state": "state", "may": "can", "ends": "endsAt", "for": "name"},
            "No links. Create one: signalpost portal-links create NAME",
            cut=("for", "may"),
        ),
    )


@app.command
def revoke(link: LinkId, /) -> None:
    """Revoke a link. Its visitor is signed out at the next page.

    Example: signalpost portal-links revoke 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    connect().call("DELETE", path("portal-links", link))
    say(f"Revoked {link}.")
