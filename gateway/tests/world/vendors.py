"""A vendor with an API, and the kind of destination that delivers to it.

`FakeVendor` gives tokens and takes messages. It keeps the rules of a strict one: a token ends, a refresh token is
replaced with each use, and the old one may be good for a while longer. What it gave and took is there for tests to see.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

from gateway.tests.world.network import VendorCall, VendorReply
from msgspec import Meta, Struct
from msgspec.structs import replace

from signalpost.destinations.access import Access, Consent, Fixed, Grant, Held, RequestToSign, Revocation, Signer
from signalpost.destinations.calls import Call, Mail, Reply, Skip
from signalpost.destinations.destination import Context, Destination
from signalpost.destinations.fields import Private, SecretText, Template, secret
from signalpost.destinations.registry import Destinations
from signalpost.destinations.rulings import Done, Reject, Ruling, Then, by_status
from signalpost.domain.body import Body
from signalpost.domain.delivery.outcome import Failure

ORIGIN = "https://vendor.example"
HOST = "vendor.example"
TOKEN_PATH = "/token"
REVOKE_PATH = "/revoke"
SECRET = "s3cr3t-of-the-connection"


class FakeConnection(Private, frozen=True, kw_only=True):
    """How the gateway is let in."""

    sign_in: Literal["nothing", "fixed", "grant", "consent", "signed"] = "nothing"
    key: Annotated[SecretText, secret("Key", "What lets the gateway in.", "k3y")] = SECRET


class Stamp(Signer, frozen=True):
    """Signs with the time, the key's length and what is asked; fails if the key says so."""

    key: str

    def sign(self, request: RequestToSign, now: int) -> Mapping[str, str]:
        """One header."""
        if self.key == "broken":
            raise RuntimeError(f"no use with {self.key}")
        said = f"{now} {len(self.key)} {request.method} {request.target} {request.headers['host']} {len(request.body)}"
        return {"authorization": said}


class FakeConfig(Body, frozen=True, kw_only=True):
    """What is sent."""

    text: Template = "{{ document.title }}"
    channel: Annotated[str, Meta(max_length=80)] = ""
    """What the vendor counts messages by."""
    does: Literal["send", "raise", "nonsense", "skip", "refuse", "elsewhere", "never_end", "remember", "twice"] = "send"
    """What the kind does with an event."""


class Fake(Destination[FakeConnection, FakeConfig]):
    """Sends one message for an event."""

    kind = "fake"
    title = "Fake vendor"
    rate = (1_000, 1.0)
    at_once = 8
    connection = FakeConnection
    config = FakeConfig

    def origins(self, connection: FakeConnection) -> tuple[str, ...]:
        """The vendor's."""
        return (ORIGIN,)

    def access(self, connection: FakeConnection) -> Access:
        """What the connection says."""
        match connection.sign_in:
            case "fixed":
                return Fixed(f"Bearer {connection.key}")
            case "grant":
                form = {"grant_type": "client_credentials"}
                return Grant(url=ORIGIN + TOKEN_PATH, form=form, basic=("client", connection.key))
            case "consent":
                return Consent(
                    authorize_url=ORIGIN + "/authorize",
                    token_url=ORIGIN + TOKEN_PATH,
                    client_id="client",
                    client_secret=connection.key,
                    scopes=(),
                )
            case "signed":
                return Stamp(connection.key)
        return None

    def paced_by(self, connection: FakeConnection, config: FakeConfig) -> str:
        """The channel."""
        return config.channel

    def prepare(self, connection: FakeConnection, config: FakeConfig, context: Context) -> Call | Mail | Skip | Reject:
        """One message."""
        message = {"text": config.text, "key": context.key, "event": context.event["id"], "made": dict(context.made)}
        match config.does:
            case "raise":
                raise RuntimeError(f"no use with {connection.key}")
            case "nonsense":
                return "a call"  # type: ignore[return-value]
            case "skip":
                return Skip("There is nothing to say.")
            case "refuse":
                return Reject("too_long", "The vendor takes nothing as long as that.")
            case "elsewhere":
                return Call(url="https://elsewhere.example/messages", json=message)
        return Call(url=ORIGIN + "/messages", json=message)

    def classify(
        self, connection: FakeConnection, config: FakeConfig, context: Context, call: Call, reply: Reply
    ) -> Ruling:
        """Reads the status, and what the vendor says of it."""
        if config.does == "never_end" or (config.does == "twice" and "channel" not in call.headers):
            return Then(replace(call, headers={"channel": config.channel}))
        if reply.status == 422:
            return Reject(str(reply.at("error")), "The vendor does not want it.")
        if config.does == "remember" and reply.status == 200:
            return Done(made={"id": str(reply.at("id"))})
        return by_status(reply)

    def probe(self, connection: FakeConnection) -> Call | Mail | None:
        """Asks who is there."""
        return Call(url=ORIGIN + "/me", method="GET")

    def revocations(self, connection: FakeConnection, held: Held) -> Sequence[Revocation]:
        """A person's consent ends with its refresh token."""
        if not held.refresh_token:
            return ()
        form = {"token": held.refresh_token}
        return (Revocation(call=Call(url=ORIGIN + REVOKE_PATH, form=form, authorised=False)),)


class UnhurriedKind(Fake):
    """Takes one message a second in each channel."""

    kind = "unhurried"
    rate = (1, 1.0)


class Setting(Fake):
    """Sets values, so that the last event of a document is all that counts."""

    kind = "setting"
    latest_wins = True


class Lengthy(Fake):
    """Takes long over each call."""

    kind = "lengthy"
    seconds = 15.0


class Posting(Fake):
    """Sends mail."""

    kind = "posting"

    def origins(self, connection: FakeConnection) -> tuple[str, ...]:
        """The vendor's mail server."""
        return (f"smtp://{HOST}",)

    def prepare(self, connection: FakeConnection, config: FakeConfig, context: Context) -> Mail | Skip:
        """One mail."""
        host = "elsewhere.example" if config.does == "elsewhere" else HOST
        return Mail(
            url=f"smtp://{host}",
            login=("me", connection.key),
            sender="us@vendor.example",
            to=("you@vendor.example",),
            subject=config.text,
            text=config.text,
            key=context.key,
        )

    def probe(self, connection: FakeConnection) -> Mail:
        """Signs in and leaves."""
        login = ("me", connection.key)
        return Mail(url=f"smtp://{HOST}", login=login, sender="us@vendor.example", to=(), subject="", text="", key="0")


KINDS = Destinations([Fake(), UnhurriedKind(), Setting(), Lengthy(), Posting()])


class GivenToken(Struct):
    """A token that the vendor gave."""

    value: str
    ends_at: float
    uses: int = 0


class FakeVendor:
    """The other side of `Fake`."""

    def __init__(self, *, sign_in: str = "nothing", token_seconds: float = 1_800.0, grace: float = 0.0) -> None:
        """Tokens end after `token_seconds`; a refresh token that was replaced is good for `grace` seconds more."""
        self._sign_in = sign_in
        self.token_seconds = token_seconds
        self._grace = grace
        self.calls: list[VendorCall] = []
        self.token_calls: list[VendorCall] = []
        self.tokens: dict[str, GivenToken] = {}
        self.refresh_token = "refresh-0"
        self._former: dict[str, float] = {}
        """Refresh tokens that were replaced, and until when each is good."""
        self.revoked: list[str] = []
        """The refresh tokens that were taken back, in order."""
        self.messages: list[dict[str, Any]] = []
        """What was taken, in order."""
        self.take: Callable[[VendorCall], VendorReply | None] = lambda _call: None
        """What happens to a message, if it is not simply taken."""
        self.give: Callable[[VendorCall], VendorReply | None] = lambda _call: None
        """What happens to a request for a token that would be given; the vendor has given it all the same."""
        self.refuses: str | None = None
        """The error with which no token is given any more."""

    def answer(self, call: VendorCall) -> VendorReply:
        """See `Vendor`."""
        if call.path == TOKEN_PATH:
            self.token_calls.append(call)
            return self._answer_for_token(call)
        if call.path == REVOKE_PATH:
            self.revoked.append(dict(parse_qsl(call.body.decode()))["token"])
            return _json({})
        self.calls.append(call)
        if not self._lets_in(call):
            return VendorReply(401, b"{}")
        reply = self.take(call)
        if reply is not None and reply.failure is None and not 200 <= reply.status < 300:
            return reply
        if call.method == "POST":
            self.messages.append(json.loads(call.body))
        return reply or _json({"id": f"m{len(self.messages)}"})

    def end_tokens(self) -> None:
        """No token that was given is good any more."""
        for token in self.tokens.values():
            token.ends_at = 0.0

    def _lets_in(self, call: VendorCall) -> bool:
        authorization = call.headers.get("authorization", "")
        if self._sign_in == "nothing":
            return True
        if self._sign_in == "fixed":
            return authorization == f"Bearer {SECRET}" and self.refuses is None
        if self._sign_in == "signed":
            return authorization.split(" ")[1] == str(len(SECRET)) and self.refuses is None
        token = self.tokens.get(authorization.removeprefix("Bearer "))
        if token is None or token.ends_at <= call.at:
            return False
        token.uses += 1
        return True

    def _answer_for_token(self, call: VendorCall) -> VendorReply:
        form = dict(parse_qsl(call.body.decode()))
        if self.refuses is not None:
            return _json({"error": self.refuses, "error_description": "Ask your administrator."}, 400)
        given: dict[str, Any] = {}
        if form["grant_type"] == "refresh_token":
            asked = form["refresh_token"]
            if asked != self.refresh_token and self._former.get(asked, 0.0) <= call.at:
                return _json({"error": "invalid_grant"}, 400)
            self._former[self.refresh_token] = call.at + self._grace
            self.refresh_token = given["refresh_token"] = f"refresh-{len(self._former)}"
        value = f"token-{len(self.tokens) + 1}"
        self.tokens[value] = GivenToken(value, call.at + self.token_seconds)
        given |= {"access_token": value, "expires_in": self.token_seconds}
        return self.give(call) or _json(given)


LOST = VendorReply(failure=Failure.RESET)
"""The answer does not arrive."""


def _json(value: Any, status: int = 200) -> VendorReply:
    return VendorReply(status, json.dumps(value).encode())
