"""`signalpost portal-links`: links with which customers get at their own subscriptions."""

from typing import Annotated, Any

from cyclopts import App, Parameter

from signalpost.cli.client import connect, path
from signalpost.cli.terminal.output import Json, Limit, print_facts, print_json, print_table, say
from signalpost.domain.portal_link import DEFAULT_SECONDS, Capability

app = App(name="portal-links", help_format="markdown")

OPTIONS = {
    "/name": "NAME",
    "/subscriptions": "--subscription",
    "/can": "--can",
    "/expiresIn": "--minutes",
    "/embed": "--embed",
    "/theme/name": "--title",
    "/theme/accent": "--accent",
}
LinkId = Annotated[str, Parameter(name="ID", help="The link's id, as listed.")]


@app.command
def create(
    name: Annotated[str, Parameter(help="Who it is for; shown in the audit.")],
    /,
    *,
    subscription: Annotated[
        list[str] | None,
        Parameter(negative="", help="A subscription to show; repeatable. Without any, all of the tenant."),
    ] = None,
    can: Annotated[
        list[Capability] | None, Parameter(negative="", help="What they may do besides viewing; repeatable.")
    ] = None,
    minutes: Annotated[int, Parameter(help="How long it lasts.")] = DEFAULT_SECONDS // 60,
    embed: Annotated[
        list[str] | None, Parameter(negative="", help="Origin of a page that may embed it in a frame.")
    ] = None,
    title: Annotated[str | None, Parameter(help="Name that its pages show.")] = None,
    accent: Annotated[str | None, Parameter(help="Colour of its links and buttons, such as #2b4fc7.")] = None,
    as_json: Json = False,
) -> None:
    """Make a link with which a customer gets at their own subscriptions, and show it only this once.

    It opens once, within 10 minutes.

    Example: signalpost portal-links create Acme --subscription 01a20e92-1d5f-76d4-985f-8a63b2c66f94 --can test
    """
    theme = {member: value for member, value in (("name", title), ("accent", accent)) if value is not None}
    given: dict[str, Any] = {
        "name": name,
        "subscriptions": subscription or "all",
        "can": can or [],
        "expiresIn": minutes * 60,
        "embed": embed or [],
        "theme": theme,
    }
    made = connect(OPTIONS).call("POST", path("portal-links"), body=given).content
    if as_json:
        print_json(made)
    else:
        print_facts({member: value for member, value in made.items() if member != "theme"})
        say("The link is shown only this once. It signs in the first person who opens it.")


@app.command(name="list")
def list_(*, limit: Limit = 50, as_json: Json = False) -> None:
    """List the links that have not ended, newest first.

    Example: signalpost portal-links list
    """
    found = list(connect().pages(path("portal-links"), {}, limit))
    if as_json:
        print_json(found)
        return
    print_table(
        ("id", "state", "may", "ends", "for"),
        [(each["id"], each["state"], ", ".join(each["can"]), each["endsAt"], each["name"]) for each in found],
        "No links. Create one: signalpost portal-links create NAME",
        cut=("for", "may"),
    )


@app.command
def revoke(link: LinkId, /) -> None:
    """Revoke a link. Its visitor is signed out at the next page.

    Example: signalpost portal-links revoke 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    connect().call("DELETE", path("portal-links", link))
    say(f"Revoked {link}.")
