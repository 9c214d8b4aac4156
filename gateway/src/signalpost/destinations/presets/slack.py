"""The presets of Slack."""

from typing import Any, Final

from signalpost.destinations.presets import Input, Preset
from signalpost.destinations.presets.conditions import CREATED, DELETED, NOTICE, REFUSED, UPDATED, becomes


def _message(text: str, example: str) -> Input:
    return Input(
        name="text",
        title="Message",
        description="In Slack's markup; placeholders insert values of the event.",
        pointer="/config/text",
        example=example,
        default=text,
    )


_CHANNEL: Final = Input(
    name="channel",
    title="Channel",
    description="With a bot: the channel to post to; empty for the connection's own. Leave it empty with a webhook.",
    pointer="/config/channel",
    example="#contracts",
    default=None,
)


def _slack(name: str, title: str, about: str, text: str, **body: Any) -> Preset:
    config = {"text": text, "channel": None, **body.pop("config", {})}
    example = body.pop("example", "*{{ document.title }}* is signed.")
    inputs = (*body.pop("inputs", ()), _message(text, example), _CHANNEL)
    return Preset(name=name, title=title, about=about, body={**body, "config": config}, inputs=inputs)


PRESETS: Final = (
    _slack(
        "slack-executed",
        "Signed contract → message",
        "Tells a channel when a document is signed by everyone.",
        ':white_check_mark: *{{ document.title }}* with {{ document.counterpartyName | default: "nobody else" }} is '
        "signed.",
        eventTypes=[UPDATED],
        when=becomes("executed"),
    ),
    _slack(
        "slack-refused",
        "Rejected or expired → message",
        "Tells a channel when a review, an approval or a signature was refused, or the time to sign ran out.",
        ":warning: *{{ document.title }}* is now {{ document.status }}; it was {{ before.status }}.",
        eventTypes=[UPDATED],
        when=REFUSED,
    ),
    _slack(
        "slack-approval-waits",
        "Approval waits → reminder",
        "Reminds a channel of a document that still waits for its approval three days later.",
        ":hourglass: *{{ document.title }}* still waits for its approval.",
        eventTypes=[UPDATED],
        when=becomes("awaitingApproval"),
        after={"seconds": 259_200, "if": {"field": "document.status", "is": "awaitingApproval"}},
        inputs=(
            Input(
                name="seconds",
                title="After",
                description="How long after the request for approval the reminder comes.",
                pointer="/after/seconds",
                example=86_400,
                default=259_200,
            ),
        ),
    ),
    _slack(
        "slack-deleted",
        "Deletion → message",
        "Tells a channel when a document is deleted, and its last status.",
        ':wastebasket: *{{ document.title }}* was deleted; it was {{ before.status | default: "in no status" }}.',
        eventTypes=[DELETED],
    ),
    _slack(
        "slack-thread",
        "One thread per document",
        "Keeps everything about a document in one thread. Needs a bot.",
        "*{{ document.title }}*: {{ document.status }}",
        eventTypes=[CREATED, UPDATED, DELETED],
        config={"oneThreadPerDocument": True},
    ),
    _slack(
        "slack-notices",
        "What is wrong → message",
        "Tells a channel what is wrong with the gateway or its subscriptions, and when it is over.",
        '{{ notice.action | choose: "resolve", ":white_check_mark:", ":rotating_light:" }} {{ notice.sentence }} '
        "<{{ notice.url }}|Look>",
        example="{{ notice.sentence }} {{ notice.url }}",
        eventTypes=[NOTICE],
    ),
)
