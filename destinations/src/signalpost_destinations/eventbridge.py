"""Amazon EventBridge: an entry on an event bus for each event, which rules send on by its source and its type.

An entry has no attributes, and members of its own in their place: source, type, time, and the document among the
resources. The answer is 200 even if the entry was not taken; it then has the code.
"""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta

from signalpost.destinations import Call, Context, Done, Input, Reject, Reply, Ruling, shortened
from signalpost_destinations.aws import Aws, AwsConnection, too_large
from signalpost_destinations.cloud_events import SOURCE_INPUT, EventConfig, body_of, document_of, every_event

_OF_TIME = 14
"""What the time of an entry counts."""


class EventBridgeConfig(EventConfig, frozen=True):
    """Which bus gets the events."""

    event_bus: Annotated[
        str,
        Meta(
            title="Event bus",
            description="Its name, or the ARN of one in another account.",
            examples=["contracts"],
            min_length=1,
            max_length=400,
            pattern="^[/.A-Za-z0-9_:-]+$",
        ),
    ] = "default"


class EventBridge(Aws[EventBridgeConfig]):
    """Puts an entry on an event bus."""

    kind = "eventbridge"
    title = "Amazon EventBridge"
    service = host = "events"
    needs = "events:PutEvents on the bus"
    hints = {
        "ResourceNotFoundException": "There is no such bus in this account and region.",
        "NotAuthorizedForSourceException": "A source cannot begin with aws. there: choose another.",
    }
    config = EventBridgeConfig
    presets = every_event(
        "eventbridge",
        "an event bus",
        "Puts every event, as webhooks receive it, on an event bus.",
        Input(
            name="eventBus",
            title="Event bus",
            description="Its name, or the ARN of one in another account.",
            pointer="/config/eventBus",
            example="contracts",
            default="default",
        ),
        SOURCE_INPUT,
    )

    def prepare(self, connection: AwsConnection, config: EventBridgeConfig, context: Context) -> Call | Reject:
        """The entry."""
        event, document = context.event, document_of(context)
        resources = [] if document is None else [document]
        entry: dict[str, Any] = {
            "EventBusName": config.event_bus,
            "Source": config.source,
            "DetailType": event["type"],
            "Detail": body_of(context),
            "Time": datetime.fromisoformat(event["createdAt"]).timestamp(),
            "Resources": resources,
        }
        counted = (config.source, event["type"], entry["Detail"], *resources)
        size = _OF_TIME + sum(len(text.encode()) for text in counted)
        return too_large(size) or self.asked(connection, "AWSEvents.PutEvents", {"Entries": [entry]}, "1.1")

    def classify(
        self, connection: AwsConnection, config: EventBridgeConfig, context: Context, call: Call, reply: Reply
    ) -> Ruling:
        """An entry that was not taken has a code of its own."""
        if not reply.is_success:
            return self.refusal(reply)
        code, message, taken = (reply.at("Entries", 0, name) for name in ("ErrorCode", "ErrorMessage", "EventId"))
        if isinstance(code, str) and code:
            return self.refused(
                {"Code": code, "Message": message if isinstance(message, str) else ""}, Reject(code, code)
            )
        return Done(detail=f"Event {shortened(taken)}." if isinstance(taken, str) else "")

    def probe(self, connection: AwsConnection) -> Call:
        """Asks for one bus."""
        return self.asked(connection, "AWSEvents.ListEventBuses", {"Limit": 1}, "1.1")
