"""Amazon S3, and what speaks its protocol: an object in a bucket for each event.

The key is made of the event, so a repeated call writes the same object once more, with the same content.
"""

from typing import Annotated, Final
from urllib.parse import quote

from msgspec import Meta

from signalpost.destinations import Call, Context, Done, Input, Reject, Reply, Ruling, Template
from signalpost_destinations.aws import Aws, AwsConnection
from signalpost_destinations.cloud_events import EventConfig, attributes_of, every_event

DEFAULT_KEY: Final = "events/{{ document.externalId }}/{{ event.id }}.json"
MAX_KEY_BYTES: Final = 1024


class S3Config(EventConfig, frozen=True):
    """Which bucket gets the events, and under which keys."""

    bucket: Annotated[
        str,
        Meta(
            title="Bucket",
            description="The name of the bucket.",
            examples=["contract-events"],
            min_length=3,
            max_length=63,
            pattern="^[a-z0-9][a-z0-9.-]+[a-z0-9]$",
        ),
    ]
    key: Annotated[
        Template,
        Meta(
            title="Key",
            description="The object's key. Have the event's id in it, or later events replace earlier ones.",
            examples=[DEFAULT_KEY],
            min_length=1,
        ),
    ] = DEFAULT_KEY


class S3(Aws[S3Config]):
    """Writes an object into a bucket."""

    kind = "s3"
    title = "Amazon S3"
    service = host = "s3"
    needs = "s3:PutObject on the bucket's objects and, if it is encrypted with a key of yours, kms:GenerateDataKey"
    hints = {"NoSuchBucket": "There is no such bucket: correct its name, or create it."}
    config = S3Config
    presets = every_event(
        "s3",
        "a bucket",
        "Writes every event, as webhooks receive it, into a bucket: an object for each.",
        Input(
            name="bucket",
            title="Bucket",
            description="The name of the bucket.",
            pointer="/config/bucket",
            example="contract-events",
        ),
        Input(
            name="key",
            title="Key",
            description="The object's key.",
            pointer="/config/key",
            example=DEFAULT_KEY,
            default=DEFAULT_KEY,
        ),
    )

    def prepare(self, connection: AwsConnection, config: S3Config, context: Context) -> Call | Reject:
        """The object."""
        if (fault := _fault_of_key(config.key)) is not None:
            return Reject("bad_key", fault)
        attributes = attributes_of(context, config.source)
        return Call(
            method="PUT",
            url=f"{self.origin(connection)}/{config.bucket}/{quote(config.key, safe='/')}",
            json=context.event,
            headers={f"x-amz-meta-{name}": value for name, value in attributes.items()},
        )

    def classify(
        self, connection: AwsConnection, config: S3Config, context: Context, call: Call, reply: Reply
    ) -> Ruling:
        """Nothing is said of an object that was written."""
        return Done() if reply.is_success else self.refusal(reply)

    def probe(self, connection: AwsConnection) -> Call:
        """Asks for buckets."""
        return Call(method="GET", url=f"{self.origin(connection)}/")


def _fault_of_key(key: str) -> str | None:
    """Why no object can have this key; None if one can."""
    if len(key.encode()) > MAX_KEY_BYTES:
        return (
            f"The key has more than {MAX_KEY_BYTES} bytes for this document: shorten it, or truncate what is filled in."
        )
    if key.startswith("/") or not {"", ".", ".."}.isdisjoint(key.split("/")):
        return "No part of the key between two / may be empty, . or .. for this document: choose other placeholders."
    return None
