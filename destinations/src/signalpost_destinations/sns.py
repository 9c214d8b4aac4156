"""Amazon SNS: a message to a topic for each event, which its subscribers get: queues, functions, mail.

A FIFO topic keeps the order of a document's messages, and drops one that comes again within five minutes, as a FIFO
queue does. Subscribers can filter by the attributes.
"""

from typing import Annotated

from msgspec import Meta

from signalpost.destinations import Bad, Call, Context, Input, Reject
from signalpost_destinations.aws import Aws, AwsConnection, in_order, size_of, too_large
from signalpost_destinations.cloud_events import SOURCE_INPUT, EventConfig, body_of, every_event, message_attributes


class SnsConfig(EventConfig, frozen=True):
    """Which topic gets the events."""

    topic_arn: Annotated[
        str,
        Meta(
            title="Topic ARN",
            description="From the topic's page. The name of a FIFO topic ends in .fifo.",
            examples=["arn:aws:sns:eu-central-1:123456789012:contracts.fifo"],
            max_length=400,
            pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?$",
        ),
    ]


class Sns(Aws[SnsConfig]):
    """Publishes a message to a topic."""

    kind = "sns"
    title = "Amazon SNS"
    service = host = "sns"
    needs = "sns:Publish on the topic and, if it is encrypted with a key of yours, kms:GenerateDataKey and kms:Decrypt"
    hints = {"NotFound": "There is no such topic: correct its ARN, or create it."}
    strict = True
    config = SnsConfig
    presets = every_event(
        "sns",
        "a topic",
        "Publishes every event, as webhooks receive it, to a topic.",
        Input(
            name="topicArn",
            title="Topic ARN",
            description="From the topic's page.",
            pointer="/config/topicArn",
            example="arn:aws:sns:eu-central-1:123456789012:contracts",
        ),
        SOURCE_INPUT,
    )

    def check(self, connection: AwsConnection, config: SnsConfig) -> None:
        """The topic is in the connection's region."""
        region = config.topic_arn.split(":")[3]
        if region != connection.region:
            detail = f"Give a topic in {connection.region}, where the connection leads, not one in {region}."
            raise Bad("wrong_region", detail, ("topicArn",))

    def prepare(self, connection: AwsConnection, config: SnsConfig, context: Context) -> Call | Reject:
        """The message, as the form that the service takes."""
        body, attributes = body_of(context), message_attributes(context, config.source)
        form = {"Action": "Publish", "Version": "2010-03-31", "TopicArn": config.topic_arn, "Message": body}
        for number, (name, value) in enumerate(attributes.items(), 1):
            entry = f"MessageAttributes.entry.{number}"
            form |= {f"{entry}.Name": name, f"{entry}.Value.DataType": "String", f"{entry}.Value.StringValue": value}
        form |= in_order(config.topic_arn, context)
        return too_large(size_of(body, attributes)) or Call(url=f"{self.origin(connection)}/", form=form)

    def probe(self, connection: AwsConnection) -> Call:
        """Asks for topics."""
        return Call(url=f"{self.origin(connection)}/", form={"Action": "ListTopics", "Version": "2010-03-31"})
