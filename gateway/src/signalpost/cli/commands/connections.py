"""`signalpost connections`: the gateway's credentials for vendors."""

from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit

from cyclopts import App, Parameter

from signalpost.cli.client import CommandError, Misuse, connect, path
from signalpost.cli.terminal.assignments import ask_secret, config_of
from signalpost.cli.terminal.options import Limit, Sets, flag, given, repeatable
from signalpost.cli.terminal.output import TEXT, Output, Parts
from signalpost.cli.terminal.parts import Facts, table
from signalpost.cli.terminal.plain import say

app = App(name="connections", help_format="markdown")

ConnectionId = Annotated[str, Parameter(name="CONNECTION", help="ID of the connection.")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """What a connection is to be, as options."""

    name: Annotated[str | None, Parameter(help="A name to show in lists."), Sets("/name")] = None
    set_: Annotated[
        list[str] | None,
        repeatable("A member of the config, name=value, such as signIn.with=bot; repeatable.", "--set"),
        Sets("/config"),
    ] = None
    secret: Annotated[
        list[str] | None,
        repeatable(
            "A secret member, such as signIn.token; its value is asked for, or read from standard input; repeatable.",
            "--secret",
        ),
    ] = None
    secret_file: Annotated[
        list[str] | None,
        repeatable("A secret member from a file, name=FILE; repeatable.", "--secret-file"),
    ] = None

    def config(self) -> dict[str, Any]:
        """The config, for which secrets may be asked. Raises Misuse."""
        return config_of(self.set_ or (), self.secret or (), self.secret_file or ())


UNSAID = ConnectionOptions()


@app.command(name="list")
def list_(*, limit: Limit = 50, out: Output = TEXT) -> None:
    """List connections, newest first, without their secrets.

    Example: signalpost connections list
    """
    found = list(connect().pages(path("connections"), {}, limit))
    out.show(
        found,
        table(
            found,
            {"connection": "id", "kind": "kind", "state": "state", "name": "name", "reason": "reason"},
            "No connections yet. See the kinds: signalpost destinations list",
            cut=("name", "reason"),
        ),
    )


@app.command
def create(
    *,
    kind: Annotated[
        str, Parameter(help="The kind of destination, as `signalpost destinations list` shows it."), Sets("/kind")
    ],
    options: ConnectionOptions = UNSAID,
    out: Output = TEXT,
) -> None:
    """Create a connection. Secrets are typed in or read from files, so that no shell's history has them.

    Example: signalpost connections create --kind slack --set signIn.with=bot --secret signIn.token
    """
    body = given(kind=kind, config=options.config(), name=options.name)
    made = connect().call("POST", path("connections"), body=body).content
    out.show(made, _told(made))


@app.command
def get(connection: ConnectionId, /, *, out: Output = TEXT) -> None:
    """Show a connection, without its secrets.

    Example: signalpost connections get 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    found = connect().call("GET", path("connections", connection)).content
    out.show(found, _told(found))


@app.command
def update(connection: ConnectionId, /, *, options: ConnectionOptions = UNSAID, out: Output = TEXT) -> None:
    """Change a connection. Members that are not named stay as they are.

    Example: signalpost connections update 01a20e92-1d5f-76d4-985f-8a63b2c66f94 --name "Our workspace"
    """
    body = given(name=options.name, config=options.config() or None)
    if not body:
        raise Misuse("Nothing to change: add an option, such as --name")
    changed = connect().call("PATCH", path("connections", connection), body=body).content
    out.show(changed, _told(changed))


@app.command(name="test")
def try_(connection: ConnectionId, /, *, out: Output = TEXT) -> None:
    """Check that the vendor grants access. Exit code 1 if it does not.

    Example: signalpost connections test 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    tested = connect().call("POST", path("connections", connection, "test")).content
    out.show(tested, tested["detail"] if tested["works"] else None)
    if not tested["works"]:
        raise CommandError(f"The connection does not work: {tested['detail']}")


@app.command(name="connect")
def connect_(
    connection: ConnectionId,
    /,
    *,
    paste: Annotated[
        bool,
        flag("Paste the result here, if the browser cannot reach the gateway."),
    ] = False,
    out: Output = TEXT,
) -> None:
    """Connect to a vendor that asks for a person's consent. Open the URL that is shown in a browser.

    Example: signalpost connections connect 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    client = connect()
    asked = client.call("POST", path("connections", connection, "connect")).content
    if out.as_json or not paste:
        out.show(asked, f"Open this URL within ten minutes, and agree:\n\n{asked['url']}")
        return
    say(f"Open this URL and agree. Then paste the address that your browser ends up at:\n\n{asked['authorizeUrl']}\n")
    brought = dict(parse_qsl(urlsplit(ask_secret("Address")).query))
    body = {name: brought[name] for name in ("code", "state", "iss") if name in brought}
    client.call("POST", path("connections", connection, "connect"), body=body)
    say("Connected.")


@app.command
def disconnect(connection: ConnectionId, /, *, out: Output = TEXT) -> None:
    """Forget the credentials, and have the vendor revoke them. The connection's subscriptions wait until a person gives
    consent again (`connections connect`), or enters the secrets again (`connections update`).

    Example: signalpost connections disconnect 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    cut = connect().call("POST", path("connections", connection, "disconnect")).content
    revocation = cut["revocation"]
    out.show(cut, f"Disconnected. {'' if revocation is None else revocation['detail']}".rstrip())


@app.command
def delete(connection: ConnectionId, /) -> None:
    """Delete a connection that no subscription uses, with its secrets.

    Example: signalpost connections delete 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    connect().call("DELETE", path("connections", connection))
    say(f"Deleted {connection}.")


def _told(connection: dict[str, Any]) -> Parts:
    yield Facts(connection)
    if connection["state"] == "needs_consent":
        yield f"Ask for consent: signalpost connections connect {connection['id']}"
