"""The presets of Google Calendar."""

from typing import Final

from signalpost.destinations.presets import Input, Preset
from signalpost.destinations.presets.conditions import CREATED, DELETED, UPDATED

PRESETS: Final = (
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
