"""`signalpost connections`: the gateway's credentials for vendors."""

from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit

from cyclopts import App, Parameter

from signalpost.cli.client import CommandError, Misuse, connect, path
from signalpost.cli.terminal.assignments import ask_secret, config_of
from signalpost.cli.terminal.output import Json, Limit, print_facts, print_json, print_table, say

app = App(name="connections", help_format="markdown")

ConnectionId = Annotated[str, Parameter(name="CONNECTION", help="ID of the connection.")]
Sets = Annotated[
    list[str] | None,
    Parameter(
        name="--set", negative="", help="A member of the config, name=value, such as signIn.with=bot; repeatable."
    ),
]
Secrets = Annotated[
    list[str] | None,
    Parameter(
        name="--secret",
        negative="",
        help="A secret member, such as signIn.token; its value is asked for, or read from standard input; repeatable.",
    ),
]
SecretFiles = Annotated[
    list[str] | None,
    Parameter(name="--secret-file", negative="", help="A secret member from a file, name=FILE; repeatable."),
]
Name = Annotated[str | None, Parameter(help="A name to show in lists.")]
OPTIONS = {"/kind": "--kind", "/name": "--name", "/config": "--set"}


@app.command(name="list")
def list_(*, limit: Limit = 50, as_json: Json = False) -> None:
    """List connections, newest first, without their secrets.

    Example: signalpost connections list
    """
    found = list(connect().pages(path("connections"), {}, limit))
    if as_json:
        print_json(found)
        return
    print_table(
        ("connection", "kind", "state", "name", "reason"),
        [(each["id"], each["kind"], each["state"], each["name"], each["reason"]) for each in found],
        "No connections yet. See the kinds: signalpost destinations list",
        cut=("name", "reason"),
    )


@app.command
def create(
    *,
    kind: Annotated[str, Parameter(help="The kind of destination, as `signalpost destinations list` shows it.")],
    name: Name = None,
    set_: Sets = None,
    secret: Secrets = None,
    secret_file: SecretFiles = None,
    as_json: Json = False,
) -> None:
    """Create a connection. Secrets are typed in or read from files, so that no shell's history has them.

    Example: signalpost connections create --kind slack --set signIn.with=bot --secret signIn.token
    """
    body: dict[str, Any] = {"kind": kind, "config": config_of(set_ or (), secret or (), secret_file or ())}
    if name is not None:
        body["name"] = name
    _show(connect(OPTIONS).call("POST", path("connections"), body=body).content, as_json)


@app.command
def get(connection: ConnectionId, /, *, as_json: Json = False) -> None:
    """Show a connection, without its secrets.

    Example: signalpost connections get 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    _show(connect().call("GET", path("connections", connection)).content, as_json)


@app.command
def update(
    connection: ConnectionId,
    /,
    *,
    name: Name = None,
    set_: Sets = None,
    secret: Secrets = None,
    secret_file: SecretFiles = None,
    as_json: Json = False,
) -> None:
    """Change a connection. Members that are not named stay as they are.

    Example: signalpost connections update 01a20e92-1d5f-76d4-985f-8a63b2c66f94 --name "Our workspace"
    """
    body: dict[str, Any] = {} if name is None else {"name": name}
    if config := config_of(set_ or (), secret or (), secret_file or ()):
        body["config"] = config
    if not body:
        raise Misuse("Nothing to change: add an option, such as --name")
    _show(connect(OPTIONS).call("PATCH", path("connections", connection), body=body).content, as_json)


@app.command(name="test")
def try_(connection: ConnectionId, /, *, as_json: Json = False) -> None:
    """Check that the vendor grants access. Exit code 1 if it does not.

    Example: signalpost connections test 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    tested = connect().call("POST", path("connections", connection, "test")).content
    if as_json:
        print_json(tested)
    elif tested["works"]:
        say(tested["detail"])
    if not tested["works"]:
        raise CommandError(f"The connection does not work: {tested['detail']}")


@app.command(name="connect")
def connect_(
    connection: ConnectionId,
    /,
    *,
    paste: Annotated[
        bool,
        Parameter(
            negative="", show_default=False, help="Paste the result here, if the browser cannot reach the gateway."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Connect to a vendor that asks for a person's consent. Open the URL that is shown in a browser.

    Example: signalpost connections connect 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    client = connect()
    asked = client.call("POST", path("connections", connection, "connect")).content
    if as_json:
        print_json(asked)
        return
    if not paste:
        say(f"Open this URL within ten minutes, and agree:\n\n{asked['url']}")
        return
    say(f"Open this URL and agree. Then paste the address that your browser ends up at:\n\n{asked['authorizeUrl']}\n")
    brought = dict(parse_qsl(urlsplit(ask_secret("Address")).query))
    body = {name: brought[name] for name in ("code", "state", "iss") if name in brought}
    client.call("POST", path("connections", connection, "connect"), body=body)
    say("Connected.")


@app.command
def disconnect(connection: ConnectionId, /, *, as_json: Json = False) -> None:
    """Forget the credentials, and have the vendor revoke them. The connection's subscriptions wait until somebody gives
    consent again (`connections connect`), or enters the secrets again (`connections update`).

    Example: signalpost connections disconnect 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    cut = connect().call("POST", path("connections", connection, "disconnect")).content
    if as_json:
        print_json(cut)
        return
    revocation = cut["revocation"]
    say(f"Disconnected. {'' if revocation is None else revocation['detail']}".rstrip())


@app.command
def delete(connection: ConnectionId, /) -> None:
    """Delete a connection that no subscription uses, with its secrets.

    Example: signalpost connections delete 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    connect().call("DELETE", path("connections", connection))
    say(f"Deleted {connection}.")


def _show(connection: dict[str, Any], as_json: bool) -> None:  # noqa: FBT001 - the command's own option
    if as_json:
        print_json(connection)
        return
    print_facts(connection)
    if connection["state"] == "needs_consent":
        say(f"Ask for consent: signalpost connections connect {connection['id']}")
