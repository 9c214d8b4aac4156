"""The presets of the built-in kinds: subscriptions in which two or three blanks are left to fill in."""

from typing import Any, Final, NamedTuple

from signalpost.destinations.presets import Input, Preset
from signalpost.domain.operations.kinds import KINDS, Severity

CREATED: Final = "documentCreated"
UPDATED: Final = "documentUpdated"
DELETED: Final = "documentDeleted"
NOTICE: Final = "notice"
"""Only the tenant `operations` has such events, and no others."""


def _becomes(status: str) -> dict[str, Any]:
    return {"field": "document.status", "changedTo": status}


def _is_known(field: str) -> dict[str, Any]:
    return {"field": f"document.{field}", "exists": True}


_REFUSED: Final = {
    "any": [
        _becomes("reviewRejected"),
        _becomes("approvalRejected"),
        _becomes("signatureRejected"),
        _becomes("signatureRequestExpired"),
    ]
}


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


SLACK: Final = (
    _slack(
        "slack-executed",
        "Signed contract → message",
        "Tells a channel when a document is signed by everyone.",
        ':white_check_mark: *{{ document.title }}* with {{ document.counterpartyName | default: "nobody else" }} is '
        "signed.",
        eventTypes=[UPDATED],
        when=_becomes("executed"),
    ),
    _slack(
        "slack-refused",
        "Rejected or expired → message",
        "Tells a channel when a review, an approval or a signature was refused, or the time to sign ran out.",
        ":warning: *{{ document.title }}* is now {{ document.status }}; it was {{ before.status }}.",
        eventTypes=[UPDATED],
        when=_REFUSED,
    ),
    _slack(
        "slack-approval-waits",
        "Approval waits → reminder",
        "Reminds a channel of a document that still waits for its approval three days later.",
        ":hourglass: *{{ document.title }}* still waits for its approval.",
        eventTypes=[UPDATED],
        when=_becomes("awaitingApproval"),
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


def _salesforce(what: str, record: str, field: str, value: str) -> Preset:
    return Preset(
        name=f"salesforce-executed-{what}",
        title=f"Signed contract → {what}",
        about=f"Once everyone has signed, changes the {what} whose id is the document's reference. Creates none.",
        body={
            "eventTypes": [UPDATED],
            "when": {"all": [_becomes("executed"), _is_known("referenceId")]},
            "config": {
                "object": record,
                "matchField": "Id",
                "matchValue": "{{ document.referenceId }}",
                "fields": {field: value},
            },
        },
        inputs=(
            Input(
                name="value",
                title=field,
                description=f"What the {what} is set to: a value that your organisation has.",
                pointer=f"/config/fields/{field}",
                example=value,
                default=value,
            ),
            Input(
                name="matchField",
                title="Found by",
                description="Id, or the external id field that has the document's reference.",
                pointer="/config/matchField",
                example="Contract_Number__c",
                default="Id",
            ),
            Input(
                name="matchValue",
                title="Has the value",
                description="The value by which the document's record is found in that field.",
                pointer="/config/matchValue",
                example="{{ document.externalId }}",
                default="{{ document.referenceId }}",
            ),
        ),
    )


SALESFORCE: Final = (
    _salesforce("lead", "Lead", "Status", "Working - Contacted"),
    _salesforce("opportunity", "Opportunity", "StageName", "Closed Won"),
)

GOOGLE_CALENDAR: Final = (
    Preset(
        name="google-calendar-expiry",
        title="Expiry date → reminder",
        about="Keeps a reminder 30 days before a contract ends. It moves with the date, and is removed when the "
        "document is cancelled or deleted.",
        body={
            "eventTypes": [CREATED, UPDATED, DELETED],
            "config": {
                "calendarId": "primary",
                "summary": "{{ document.title }} ends on {{ document.expiryDate | date }}",
                "description": 'With {{ document.counterpartyName | default: "nobody else" }}. '
                "Owner: {{ document.ownerEmail }}",
                "start": "{{ document.expiryDate | days: -30 | date }}",
                "removeWhen": ["cancelled"],
            },
        },
        inputs=(
            Input(
                name="calendarId",
                title="Calendar",
                description="From the calendar's settings, “Integrate calendar”.",
                pointer="/config/calendarId",
                example="c_0123456789abcdef@group.calendar.google.com",
            ),
            Input(
                name="start",
                title="When",
                description="30 days ahead; write another number for another time.",
                pointer="/config/start",
                example="{{ document.expiryDate | days: -90 | date }}",
                default="{{ document.expiryDate | days: -30 | date }}",
            ),
            Input(
                name="summary",
                title="Title",
                description="The entry's title.",
                pointer="/config/summary",
                example="Renew {{ document.title }}?",
                default="{{ document.title }} ends on {{ document.expiryDate | date }}",
            ),
        ),
    ),
)

XERO_BILL: Final = (
    Preset(
        name="xero-bill-executed",
        title="Signed contract → draft bill",
        about="Creates a draft bill for a contract with a value once everyone has signed.",
        body={
            "eventTypes": [UPDATED],
            "when": {
                "all": [
                    _becomes("executed"),
                    {"field": "document.contractValue", "above": 0},
                    _is_known("counterpartyName"),
                ]
            },
            "config": {
                "contact": "{{ document.counterpartyName }}",
                "number": "{{ document.externalId }}",
                "due": "{{ document.executedAt | days: 30 | date }}",
                "amountsAre": "Exclusive",
                "lines": [
                    {
                        "description": "{{ document.title }}",
                        "unitAmount": "{{ document.contractValue }}",
                        "accountCode": "400",
                    }
                ],
            },
        },
        inputs=(
            Input(
                name="accountCode",
                title="Account",
                description="The code of the account, from the chart of accounts.",
                pointer="/config/lines/0/accountCode",
                example="429",
            ),
            Input(
                name="due",
                title="Due",
                description="When the bill is due.",
                pointer="/config/due",
                example="{{ document.executedAt | days: 14 | date }}",
                default="{{ document.executedAt | days: 30 | date }}",
            ),
            Input(
                name="amountsAre",
                title="Amounts are",
                description="Exclusive of tax, Inclusive, or NoTax.",
                pointer="/config/amountsAre",
                example="Inclusive",
                default="Exclusive",
            ),
        ),
    ),
)


class _Mail(NamedTuple):
    """What a mail says, or might say."""

    to: list[str]
    subject: str
    text: str


_ABOUT_DOCUMENT: Final = _Mail(
    to=["legal@example.com", "{{ document.ownerEmail }}"],
    subject="Signed: {{ document.title }}",
    text="{{ document.title }} is signed. Please file it.",
)
_ABOUT_NOTICE: Final = _Mail(
    to=["ops@example.com"],
    subject="{{ notice.kind }} ({{ notice.what }})",
    text="{{ notice.sentence }}\n\nSince {{ notice.since }}.",
)


def _mail(
    name: str, title: str, about: str, subject: str, text: str, example: _Mail = _ABOUT_DOCUMENT, **body: Any
) -> Preset:
    return Preset(
        name=name,
        title=title,
        about=about,
        body={"eventTypes": [UPDATED], **body, "config": {"to": [], "subject": subject, "text": text}},
        inputs=(
            Input(
                name="to",
                title="To",
                description="The addresses that get the mail.",
                pointer="/config/to",
                example=example.to,
            ),
            Input(
                name="subject",
                title="Subject",
                description="One line; placeholders insert values of the event.",
                pointer="/config/subject",
                example=example.subject,
                default=subject,
            ),
            Input(
                name="text",
                title="Text",
                description="Plain text; placeholders insert values of the event.",
                pointer="/config/text",
                example=example.text,
                default=text,
            ),
        ),
    )


MAIL: Final = (
    _mail(
        "mail-executed",
        "Signed contract → mail",
        "Writes to people when a document is signed by everyone.",
        "{{ document.title }} is signed",
        '{{ document.title }} with {{ document.counterpartyName | default: "nobody else" }} is signed by everyone.',
        when=_becomes("executed"),
    ),
    _mail(
        "mail-refused",
        "Rejected or expired → mail",
        "Writes to people when a review, an approval or a signature was refused, or the time to sign ran out.",
        "{{ document.title }} is now {{ document.status }}",
        "{{ document.title }} is now {{ document.status }}; it was {{ before.status }}.",
        when=_REFUSED,
    ),
    _mail(
        "mail-notices",
        "What is wrong → mail",
        "Writes to people what is wrong with the gateway or its subscriptions, and when it is over.",
        "{{ notice.sentence }}",
        "{{ notice.sentence }}\n\n{{ notice.url }}",
        _ABOUT_NOTICE,
        eventTypes=[NOTICE],
    ),
)

_PAGED: Final = [name for name, kind in KINDS.items() if kind.severity is Severity.CRITICAL]

HTTP: Final = (
    Preset(
        name="http-everything",
        title="Every event → a service",
        about="Sends every event, as webhooks receive it, to a service with another way to sign in.",
        body={"eventTypes": [CREATED, UPDATED, DELETED], "config": {"method": "POST", "path": "/"}},
        inputs=(
            Input(
                name="path",
                title="Path",
                description="Where the events go, from the / on.",
                pointer="/config/path",
                example="/events",
            ),
            Input(
                name="method",
                title="Method",
                description="The HTTP method.",
                pointer="/config/method",
                example="PUT",
                default="POST",
            ),
        ),
    ),
    Preset(
        name="http-pagerduty",
        title="What is wrong → PagerDuty",
        about="Opens an alert in PagerDuty for each kind of thing that is wrong, and resolves it when it is over.",
        body={
            "eventTypes": [NOTICE],
            "when": {"field": "notice.kind", "in": _PAGED},
            "config": {
                "method": "POST",
                "path": "/v2/enqueue",
                "json": {
                    "event_action": "{{ notice.action }}",
                    "dedup_key": "signalpost/{{ notice.kind }}",
                    "payload": {
                        "summary": "{{ notice.sentence | truncate: 1000 }}",
                        "source": "Signalpost",
                        "severity": "{{ notice.severity }}",
                        "timestamp": "{{ event.createdAt }}",
                        "class": "{{ notice.kind }}",
                    },
                    "client": "Signalpost",
                    "client_url": "{{ notice.url }}",
                },
            },
        },
        inputs=(
            Input(
                name="kinds",
                title="Kinds",
                description="The kinds of notices that open an alert.",
                pointer="/when/in",
                example=["subscriptionDisabled", "diskLow"],
                default=_PAGED,
            ),
            Input(
                name="source",
                title="Source",
                description="What PagerDuty calls this gateway.",
                pointer="/config/json/payload/source",
                example="signalpost.example.com",
                default="Signalpost",
            ),
        ),
    ),
)
