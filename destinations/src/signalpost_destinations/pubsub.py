"""Google Cloud Pub/Sub: a message to a topic for each event.

The event's document is the ordering key: a subscription at Google that has message ordering gets a document's messages
in their order, if all are published in one region. A message whose answer was lost comes twice, under another id of
Google's and with the same `ce-id`.
"""

from base64 import b64encode
from typing import Annotated, Final

from msgspec import UNSET, Meta

from signalpost.destinations import (
    Access,
    Call,
    Context,
    Destination,
    Done,
    Grant,
    Input,
    Private,
    Reauthorise,
    Reject,
    Reply,
    Ruling,
    ServiceAccountKey,
    StandIn,
    Throttle,
    by_status,
    grant_to,
    or_stand_in,
    origin_of,
    read_key_file,
    retry_after,
    secret,
    shortened,
)
from signalpost_destinations.cloud_events import (
    SOURCE_INPUT,
    EventConfig,
    body_of,
    document_of,
    every_event,
    message_attributes,
)

SCOPE: Final = "https://www.googleapis.com/auth/pubsub"
THROTTLE_PAUSE: Final = 10.0
_HINTS: Final = {
    "NOT_FOUND": "There is no such topic: correct its name, or create it.",
    "PERMISSION_DENIED": "Give the service account the role “Pub/Sub Publisher” on the topic.",
}


class PubSubConnection(Private, frozen=True, kw_only=True):
    """A service account."""

    key_file: Annotated[
        ServiceAccountKey,
        secret(
            "Key file",
            "The key file of a service account that may publish to the topics, whole.",
            '{"type": "service_account", "client_email": "signalpost@…", "private_key": "-----BEGIN PRIVATE KEY-----…',
        ),
    ]
    region: Annotated[
        str,
        Meta(
            title="Region",
            description="Where messages are published, so that the order of a document's is kept. Left empty, Google "
            "chooses the nearest.",
            examples=["europe-west3"],
            max_length=40,
            pattern="^([a-z]+-[a-z]+[0-9]+)?$",
        ),
    ] = ""
    stand_in: StandIn = UNSET


class PubSubConfig(EventConfig, frozen=True):
    """Which topic gets the events."""

    topic: Annotated[
        str,
        Meta(
            title="Topic",
            description="The topic's full name, with its project.",
            examples=["projects/contracts-4711/topics/events"],
            max_length=400,
            pattern="^projects/[a-z0-9.:-]+/topics/[A-Za-z][A-Za-z0-9._~+%-]{2,254}$",
        ),
    ]


class PubSub(Destination[PubSubConnection, PubSubConfig]):
    """Publishes a message to a topic."""

    kind = "pubsub"
    title = "Google Pub/Sub"
    seconds = 10.0
    rate = (300, 1.0)
    at_once = 16
    strict = True
    connection = PubSubConnection
    config = PubSubConfig
    presets = every_event(
        "pubsub",
        "a topic",
        "Publishes every event, as webhooks receive it, to a topic.",
        Input(
            name="topic",
            title="Topic",
            description="The topic's full name, with its project.",
            pointer="/config/topic",
            example="projects/contracts-4711/topics/events",
        ),
        SOURCE_INPUT,
    )

    def origins(self, connection: PubSubConnection) -> tuple[str, ...]:
        """Where messages go, and where tokens come from."""
        tokens = origin_of(_grant(connection).url)
        return tuple(dict.fromkeys((_origin(connection), tokens)))

    def access(self, connection: PubSubConnection) -> Access:
        """A token for a signed assertion."""
        return _grant(connection)

    def prepare(self, connection: PubSubConnection, config: PubSubConfig, context: Context) -> Call:
        """The message."""
        message = {
            "data": b64encode(body_of(context).encode()).decode(),
            "attributes": message_attributes(context, config.source),
            "orderingKey": document_of(context) or context.event["type"],
        }
        return Call(url=f"{_origin(connection)}/v1/{config.topic}:publish", json={"messages": [message]})

    def classify(
        self, connection: PubSubConnection, config: PubSubConfig, context: Context, call: Call, reply: Reply
    ) -> Ruling:
        """Errors come as `{"error": {"status": …, "message": …}}`."""
        if reply.is_success:
            published = reply.at("messageIds", 0)
            return Done(detail=f"Message {shortened(published)}." if isinstance(published, str) else "")
        ruling, code = by_status(reply), reply.at("error", "status")
        if not isinstance(code, str) or not code:
            return ruling
        detail = shortened(f"{code}: {reply.at('error', 'message')}")
        match ruling:
            case Throttle():
                return Throttle(detail, retry_after(reply) or THROTTLE_PAUSE)
            case Reauthorise():
                return Reauthorise(detail)
            case Reject():
                return Reject(code, f"{detail} {_HINTS.get(code, '')}".strip())
        return ruling


def _grant(connection: PubSubConnection) -> Grant:
    return grant_to(read_key_file(connection.key_file), SCOPE, connection.stand_in)


def _origin(connection: PubSubConnection) -> str:
    region = f"{connection.region}-" if connection.region else ""
    return or_stand_in(f"https://{region}pubsub.googleapis.com", connection.stand_in)
