"""Slack: a message for an event, through an incoming webhook or a bot.

An incoming webhook is one secret URL that posts to one channel. A bot posts to every channel that it is in, and can
keep the messages about a document in one thread: the first message's `ts` is remembered, and later ones answer to it.
Slack has no key by which it knows a repeated request: a message whose answer was lost comes twice.

The Web API answers 200 also when it refuses; the body then says `{"ok": false, "error": …}`.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from msgspec import UNSET, Meta
from msgspec.structs import replace

from signalpost.destinations.access import Access, Fixed, Held, Revocation
from signalpost.destinations.calls import Call, Reply, Skip
from signalpost.destinations.destination import Context, Destination
from signalpost.destinations.fields import Private, SecretText, Template, secret
from signalpost.destinations.members import StandIn, at_stand_in, hosted_at, or_stand_in, origin_of, shortened
from signalpost.destinations.presets.slack import PRESETS
from signalpost.destinations.rulings import (
    Done,
    Reauthorise,
    Reject,
    Retry,
    Ruling,
    Then,
    Throttle,
    by_status,
    retry_after,
)
from signalpost.domain.body import Body
from signalpost.domain.checks import Bad, Several
from signalpost.domain.endpoint import EndpointUrl

API_ORIGIN: Final = "https://slack.com"
MAX_TEXT: Final = 40_000
"""Slack cuts longer messages itself."""
_SOON_OVER: Final = frozenset({"fatal_error", "internal_error", "service_unavailable", "request_timeout"})
_TOO_FAST: Final = frozenset({"ratelimited", "rate_limited"})
_LET_IN_NO_MORE: Final = frozenset({"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"})
_THREAD_IS_GONE: Final = frozenset({"thread_not_found", "cannot_reply_to_message"})

Channel = Annotated[
    str,
    Meta(
        min_length=2,
        max_length=80,
        pattern=r"^(#[^\s#,]+|[A-Z0-9]+)$",
    ),
]


class IncomingWebhook(Private, frozen=True, kw_only=True, tag_field="with", tag="webhook"):
    """One secret URL, which posts to one channel."""

    url: Annotated[
        EndpointUrl,
        secret(
            "Webhook URL",
            "From the Slack app's page “Incoming Webhooks”. Anyone who has it can post.",
            "https://hooks.slack.com/services/T00000000/B00000000/abcdefghijklmnopqrstuvwx",
        ),
        hosted_at("hooks.slack.com", "hooks.slack-gov.com"),
    ]


class Bot(Private, frozen=True, kw_only=True, tag_field="with", tag="bot"):
    """A bot's token, which posts to the channels that the bot is in."""

    token: Annotated[
        SecretText,
        secret(
            "Bot token",
            "From the Slack app's page “OAuth & Permissions”, with the scope chat:write.",
            "xoxb-0123456789-abcdefghijkl",
        ),
        Meta(pattern="^xox[!-~]+$"),
    ]
    channel: Annotated[
        Channel | None,
        Meta(
            title="Channel",
            description="Channel for messages whose subscription names none: its id, or its name with #. Invite the "
            "bot there first.",
            examples=["#contracts"],
        ),
    ] = None


class SlackConnection(Body, frozen=True, kw_only=True):
    """How the gateway signs in to a Slack workspace."""

    sign_in: Annotated[
        IncomingWebhook | Bot,
        Meta(
            title="Signs in with",
            description="An incoming webhook (one channel, two clicks), or a bot (any channel, threads).",
            examples=[{"with": "bot", "token": "xoxb-0123456789-abcdefghijkl"}],
        ),
    ]
    stand_in: StandIn = UNSET


class SlackConfig(Body, frozen=True, kw_only=True):
    """What is posted, and where."""

    text: Annotated[
        Template,
        Meta(
            title="Message",
            description="In Slack's markup: *bold*, _italic_, <https://example.com|a link>. Values of placeholders "
            "are shown literally.",
            examples=["*{{ document.title }}* is now {{ document.status }}."],
        ),
    ]
    channel: Annotated[
        Channel | None,
        Meta(
            title="Channel",
            description="With a bot: the channel's id, or its name with #. Without one, the connection's own.",
            examples=["#contracts", None],
        ),
    ] = None
    one_thread_per_document: Annotated[
        bool,
        Meta(
            title="One thread per document",
            description="With a bot: the first message about a document begins a thread, the later ones go into it.",
            examples=[True],
        ),
    ] = False


class Slack(Destination[SlackConnection, SlackConfig]):
    """Posts a message for each event."""

    kind = "slack"
    title = "Slack"
    rate = (1, 1.0)
    presets = PRESETS
    connection = SlackConnection
    config = SlackConfig

    def check(self, connection: SlackConnection, config: SlackConfig) -> None:
        """A bot needs a channel; a webhook has one, and knows no threads."""
        bads: list[Bad] = []
        if isinstance(connection.sign_in, Bot):
            if _channel(connection.sign_in, config) is None:
                bads.append(Bad("required", "Name a channel here or in the connection.", ("channel",)))
        else:
            if config.channel is not None:
                detail = "An incoming webhook posts to its own channel. Leave this out, or connect with a bot."
                bads.append(Bad("not_allowed", detail, ("channel",)))
            if config.one_thread_per_document:
                detail = "An incoming webhook cannot answer in threads. Leave this out, or connect with a bot."
                bads.append(Bad("not_allowed", detail, ("oneThreadPerDocument",)))
        if bads:
            raise Several(bads)

    def origins(self, connection: SlackConnection) -> tuple[str, ...]:
        """Slack's, or where the webhook's URL leads."""
        if isinstance(connection.sign_in, Bot):
            return (or_stand_in(API_ORIGIN, connection.stand_in),)
        return (or_stand_in(origin_of(connection.sign_in.url), connection.stand_in),)

    def paced_by(self, connection: SlackConnection, config: SlackConfig) -> str:
        """A channel takes one message a second. An incoming webhook has its own."""
        return (_channel(connection.sign_in, config) if isinstance(connection.sign_in, Bot) else None) or ""

    def access(self, connection: SlackConnection) -> Access:
        """A bot's token goes with each call; a webhook's URL is all that its calls need."""
        return Fixed(f"Bearer {connection.sign_in.token}") if isinstance(connection.sign_in, Bot) else None

    def prepare(self, connection: SlackConnection, config: SlackConfig, context: Context) -> Call | Skip:
        """One message."""
        text = config.text[:MAX_TEXT]
        if not text.strip():
            return Skip("The message is empty for this document.")
        sign_in = connection.sign_in
        if isinstance(sign_in, IncomingWebhook):
            return Call(url=at_stand_in(sign_in.url, connection.stand_in), json={"text": text}, authorised=False)
        message = {"channel": _channel(sign_in, config), "text": text}
        made = context.made
        if config.one_thread_per_document and made.get("channel") == message["channel"]:
            message["thread_ts"] = made["ts"]
        return Call(url=f"{self.origins(connection)[0]}/api/chat.postMessage", json=message)

    def classify(
        self, connection: SlackConnection, config: SlackConfig, context: Context, call: Call, reply: Reply
    ) -> Ruling:
        """What Slack's answer means; a message that begins a thread is remembered."""
        if isinstance(connection.sign_in, IncomingWebhook):
            return _webhook_ruling(reply)
        ruling = _api_ruling(reply)
        message: dict[str, Any] = dict(call.json) if isinstance(call.json, dict) else {}
        if isinstance(ruling, Reject) and ruling.code in _THREAD_IS_GONE and "thread_ts" in message:
            del message["thread_ts"]  # the thread's first message was deleted: begin another
            return Then(replace(call, json=message))
        if isinstance(ruling, Done) and config.one_thread_per_document and "thread_ts" not in message:
            return Done(made={"channel": message["channel"], "ts": str(reply.at("ts"))})
        return ruling

    def probe(self, connection: SlackConnection) -> Call | None:
        """Asks Slack whose token this is. There is no such question for a webhook."""
        if isinstance(connection.sign_in, Bot):
            return Call(url=f"{self.origins(connection)[0]}/api/auth.test", json={})
        return None

    def probed(self, connection: SlackConnection, reply: Reply) -> Ruling:
        """Reads `ok`, because a refusal is a 200 too."""
        return _api_ruling(reply)

    def revocations(self, connection: SlackConnection, held: Held) -> Sequence[Revocation]:
        """Slack takes back the token that asks for it. An incoming webhook can be removed only in the app's
        settings."""
        if isinstance(connection.sign_in, Bot):
            return (Revocation(call=Call(url=f"{self.origins(connection)[0]}/api/auth.revoke", form={})),)
        return ()

    def revoked(self, connection: SlackConnection, reply: Reply) -> Ruling:
        """A token that Slack no longer takes needs no revocation."""
        ruling = _api_ruling(reply)
        return Done(detail="Slack had already revoked the token.") if isinstance(ruling, Reauthorise) else ruling

    def escape(self, text: str) -> str:
        """Slack's three control characters, so that nothing in a title becomes a link or calls a channel together."""
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _channel(bot: Bot, config: SlackConfig) -> str | None:
    return config.channel or bot.channel


def _webhook_ruling(reply: Reply) -> Ruling:
    """A refusal is a word in plain text, such as `no_service`."""
    ruling = by_status(reply)
    word = shortened(reply.body.decode("utf-8", "replace"))
    if isinstance(ruling, Reject) and word.isidentifier():
        return Reject(word, f"Slack answered {reply.status}: {word}.")
    return ruling


def _api_ruling(reply: Reply) -> Ruling:
    error = reply.at("error")
    if reply.status != 200 and not isinstance(error, str):
        return by_status(reply)
    if reply.at("ok") is True:
        return Done()
    if not isinstance(error, str):
        return Retry("Slack's answer is not one of its API.")
    detail = f"Slack refused: {shortened(error)}."
    if error in _SOON_OVER:
        return Retry(detail, retry_after(reply))
    if error in _TOO_FAST or reply.status == 429:
        return Throttle(detail, retry_after(reply) or 60.0)
    if error in _LET_IN_NO_MORE:
        return Reauthorise(detail)
    return Reject(error, detail)
