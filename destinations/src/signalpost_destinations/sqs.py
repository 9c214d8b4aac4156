"""Amazon SQS: a message in a queue for each event.

In a FIFO queue, the messages of a document are a group, and the event's id tells a repeated message from a new one: one
that comes again within five minutes is dropped there. A standard queue may have a message twice.
"""

from typing import Annotated, Any

from msgspec import UNSET, Meta

from signalpost.destinations import Bad, Call, Context, Input, Reject, origin_of
from signalpost_destinations.aws import Aws, AwsConnection, in_order, size_of, too_large
from signalpost_destinations.cloud_events import SOURCE_INPUT, EventConfig, body_of, every_event, message_attributes


class SqsConfig(EventConfig, frozen=True):
    """Which queue gets the events."""

    queue_url: Annotated[
        str,
        Meta(
            title="Queue URL",
            description="From the queue's page. The name of a FIFO queue ends in .fifo.",
            examples=["https://sqs.eu-central-1.amazonaws.com/123456789012/contracts.fifo"],
            max_length=500,
            pattern=r"^https?://[^/?#\s]+/[0-9]{12}/[A-Za-z0-9_-]{1,80}(\.fifo)?$",
        ),
    ]


class Sqs(Aws[SqsConfig]):
    """Sends a message to a queue."""

    kind = "sqs"
    title = "Amazon SQS"
    service = host = "sqs"
    needs = (
        "sqs:SendMessage on the queue and, if it is encrypted with a key of yours, kms:GenerateDataKey and kms:Decrypt"
    )
    hints = dict.fromkeys(
        ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
        "There is no such queue in this account and region: correct its URL, or create it.",
    )
    strict = True
    config = SqsConfig
    presets = every_event(
        "sqs",
        "a queue",
        "Sends every event, as webhooks receive it, to a queue.",
        Input(
            name="queueUrl",
            title="Queue URL",
            description="From the queue's page.",
            pointer="/config/queueUrl",
            example="https://sqs.eu-central-1.amazonaws.com/123456789012/contracts.fifo",
        ),
        SOURCE_INPUT,
    )

    def check(self, connection: AwsConnection, config: SqsConfig) -> None:
        """The queue is where the connection's calls go."""
        at = origin_of(config.queue_url)
        if connection.endpoint is UNSET and at != self.origin(connection):
            detail = f"Give a queue at {self.origin(connection)}, where calls of the connection go, not one at {at}."
            raise Bad("wrong_region", detail, ("queueUrl",))

    def prepare(self, connection: AwsConnection, config: SqsConfig, context: Context) -> Call | Reject:
        """The message."""
        body, attributes = body_of(context), message_attributes(context, config.source)
        message: dict[str, Any] = {
            "QueueUrl": config.queue_url,
            "MessageBody": body,
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        }
        message |= in_order(config.queue_url, context)
        return too_large(size_of(body, attributes)) or self.asked(connection, "AmazonSQS.SendMessage", message, "1.0")

    def probe(self, connection: AwsConnection) -> Call:
        """Asks for one queue."""
        return self.asked(connection, "AmazonSQS.ListQueues", {"MaxResults": 1}, "1.0")
