"""ntfy: a push message for an event, through https://ntfy.sh or a server of your own."""

from typing import Annotated

from msgspec import Meta

from signalpost.destinations import (
    Access,
    Body,
    Call,
    Context,
    Destination,
    Fixed,
    Origin,
    Private,
    SecretText,
    Skip,
    Template,
    secret,
)  # fmt: skip


class Connection(Private, frozen=True, kw_only=True):
    server: Annotated[Origin, Meta(title="Server", description="Where ntfy runs.", examples=["https://ntfy.sh"])]
    token: Annotated[
        SecretText, secret("Access token", "From your account's page.", "tk_0123456789abcdefghijklmnopqrs")
    ]


class Config(Body, frozen=True, kw_only=True):
    topic: Annotated[
        str,
        Meta(
            title="Topic",
            description="Who reads it, gets it.",
            examples=["contracts"],
            pattern="^[-_a-zA-Z0-9]{1,64}$",
            max_length=64,
        ),
    ]
    text: Annotated[
        Template, Meta(title="Text", description="The message.", examples=["{{ document.title }} is signed"])
    ]


class Ntfy(Destination[Connection, Config]):
    """A push message to the phones that follow a topic."""

    kind = "ntfy"
    title = "ntfy"
    rate = (5, 1.0)
    connection = Connection
    config = Config

    def origins(self, connection: Connection) -> tuple[str, ...]:
        return (connection.server,)

    def access(self, connection: Connection) -> Access:
        return Fixed(f"Bearer {connection.token}")

    def prepare(self, connection: Connection, config: Config, context: Context) -> Call | Skip:
        return Call(url=connection.server, json={"topic": config.topic, "message": config.text})
