"""The presets of mail."""

from typing import Any, Final, NamedTuple

from signalpost.destinations.presets import Input, Preset
from signalpost.destinations.presets.conditions import NOTICE, REFUSED, UPDATED, becomes


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


PRESETS: Final = (
    _mail(
        "mail-executed",
        "Signed contract → mail",
        "Writes to people when a document is signed by everyone.",
        "{{ document.title }} is signed",
        '{{ document.title }} with {{ document.counterpartyName | default: "nobody else" }} is signed by everyone.',
        when=becomes("executed"),
    ),
    _mail(
        "mail-refused",
        "Rejected or expired → mail",
        "Writes to people when a review, an approval or a signature was refused, or the time to sign ran out.",
        "{{ document.title }} is now {{ document.status }}",
        "{{ document.title }} is now {{ document.status }}; it was {{ before.status }}.",
        when=REFUSED,
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
