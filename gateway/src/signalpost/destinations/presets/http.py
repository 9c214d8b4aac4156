"""The presets of any service that takes HTTP requests."""

from typing import Final

from signalpost.destinations.presets import Input, Preset
from signalpost.destinations.presets.conditions import CREATED, DELETED, NOTICE, UPDATED
from signalpost.domain.operations.kinds import KINDS, Severity

_PAGED: Final = [name for name, kind in KINDS.items() if kind.severity is Severity.CRITICAL]

PRESETS: Final = (
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
