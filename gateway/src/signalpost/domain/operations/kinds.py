"""What can be wrong: the kinds of conditions, each with what is said when one begins and when it is over."""

from enum import IntEnum, StrEnum
from typing import Final

from msgspec import Struct

from signalpost.domain.timestamps import MINUTE, SECOND


class Severity(IntEnum):
    INFO = 1
    """Worth knowing."""
    WARNING = 2
    """An operator should look today."""
    CRITICAL = 3
    """An operator should look now."""

    @property
    def wire(self) -> str:
        """The name that receivers see."""
        return self.name.lower()


SEVERITIES: Final = tuple(each.wire for each in Severity)


class About(StrEnum):
    """What conditions of a kind are about, and so who can say that one of them is over."""

    SUBSCRIPTION = "subscription"
    KEY = "key"
    SOURCE = "source"
    NODE = "node"
    GATEWAY = "gateway"


class ConditionKind(Struct, frozen=True, kw_only=True):
    """What can be wrong. In sentences, `{name}` is what it is about, and `{count}` is how many there are."""

    about: About
    severity: Severity = Severity.WARNING
    opens_after: int | None = 0
    """How long its fact must have lasted, µs; None: as long as the setting NOTICE_AFTER says."""
    closes_after: int = 10 * MINUTE
    """How long its fact must have been away."""
    gathers_for: int = 30 * SECOND
    """How long a new one waits for others, which are told in the same notice."""
    reminds: bool = True
    """Whether people are told again after a day."""
    opened: tuple[str, str]
    """The sentence for one, and for several."""
    closed: tuple[str, str]
    link: str = ""
    """The page of the console, below that of the tenant, that shows several."""


KINDS: Final = {
    "subscriptionFailing": ConditionKind(
        about=About.SUBSCRIPTION,
        opens_after=None,
        opened=("Nothing reaches the endpoint of {name}.", "Nothing reaches the endpoints of {count} subscriptions."),
        closed=(
            "{name} no longer fails: it delivers again, or it was paused, disabled or deleted.",
            "{count} subscriptions no longer fail: they deliver again, or they were paused, disabled or deleted.",
        ),
        link="/subscriptions",
    ),
    "subscriptionDisablingSoon": ConditionKind(
        about=About.SUBSCRIPTION,
        severity=Severity.CRITICAL,
        reminds=False,
        opened=(
            "{name} is disabled within a day if its endpoint goes on failing.",
            "{count} subscriptions are disabled within a day if their endpoints go on failing.",
        ),
        closed=(
            "{name} is not about to be disabled any more: it delivers, or was disabled or paused.",
            "{count} subscriptions are not about to be disabled any more: they deliver, or were disabled or paused.",
        ),
        link="/subscriptions",
    ),
    "subscriptionDisabled": ConditionKind(
        about=About.SUBSCRIPTION,
        severity=Severity.CRITICAL,
        opened=(
            "{name} was disabled. Its events wait until it is resumed.",
            "{count} subscriptions were disabled. Their events wait until they are resumed.",
        ),
        closed=(
            "{name} is not disabled any more: it was resumed or deleted.",
            "{count} subscriptions are not disabled any more: they were resumed or deleted.",
        ),
        link="/subscriptions?state=disabled",
    ),
    "subscriptionHeld": ConditionKind(
        about=About.SUBSCRIPTION,
        opens_after=None,
        opened=(
            "Nothing is sent for {name}, because its connection does not let it.",
            "Nothing is sent for {count} subscriptions, because their connections do not let them.",
        ),
        closed=(
            "{name} is not held up any more.",
            "{count} subscriptions are not held up any more.",
        ),
        link="/connections",
    ),
    "subscriptionUnread": ConditionKind(
        about=About.SUBSCRIPTION,
        opened=(
            "Events wait for the reader of {name}, and it does not come.",
            "Events wait for the readers of {count} subscriptions, and these do not come.",
        ),
        closed=(
            "The events of {name} are read again, or none waits any more.",
            "The events of {count} subscriptions are read again, or none waits any more.",
        ),
        link="/subscriptions",
    ),
    "deliveriesGivenUp": ConditionKind(
        about=About.SUBSCRIPTION,
        gathers_for=5 * MINUTE,  # retries are spread, so what failed at once is given up over minutes
        reminds=False,
        opened=(
            "Deliveries of {name} were given up. A replay sends them again.",
            "Deliveries of {count} subscriptions were given up. A replay sends them again.",
        ),
        closed=(
            "Nothing more of {name} was given up for a day, or it was sent again.",
            "Nothing more of {count} subscriptions was given up for a day, or it was sent again.",
        ),
        link="/deliveries?status=failed",
    ),
    "eventsLost": ConditionKind(
        about=About.SUBSCRIPTION,
        severity=Severity.CRITICAL,
        reminds=False,
        opened=(
            "The retention removed events of {name} before they were delivered.",
            "The retention removed events of {count} subscriptions before they were delivered.",
        ),
        closed=(
            "{name} lost no more events for a day.",
            "{count} subscriptions lost no more events for a day.",
        ),
        link="/subscriptions",
    ),
    "retentionNear": ConditionKind(
        about=About.SUBSCRIPTION,
        opened=(
            "Events of {name} wait for so long that the retention is about to remove them.",
            "Events of {count} subscriptions wait for so long that the retention is about to remove them.",
        ),
        closed=(
            "No event of {name} is about to be removed before it is delivered.",
            "No event of {count} subscriptions is about to be removed before it is delivered.",
        ),
        link="/subscriptions",
    ),
    "backlogOld": ConditionKind(
        about=About.SUBSCRIPTION,
        opens_after=5 * MINUTE,
        opened=(
            "{name} gets its events more than five minutes late.",
            "{count} subscriptions get their events more than five minutes late.",
        ),
        closed=(
            "{name} is not late any more.",
            "{count} subscriptions are not late any more.",
        ),
        link="/subscriptions",
    ),
    "objectiveBurning": ConditionKind(
        about=About.SUBSCRIPTION,
        severity=Severity.CRITICAL,
        opened=(
            "So many events of {name} are late that its error budget lasts for two days at most.",
            "So many events of {count} subscriptions are late that their error budgets last for two days at most.",
        ),
        closed=(
            "The error budget of {name} is not used up too fast any more.",
            "The error budgets of {count} subscriptions are not used up too fast any more.",
        ),
        link="/subscriptions",
    ),
    "sourceBehind": ConditionKind(
        about=About.SOURCE,
        gathers_for=MINUTE,  # the word of a source may come a little later, such as after an outage
        opened=(
            "The source {name} does not keep up.",
            "{count} sources do not keep up.",
        ),
        closed=(
            "The source {name} keeps up again, or was removed.",
            "{count} sources keep up again, or were removed.",
        ),
    ),
    "certificateExpiring": ConditionKind(
        about=About.SUBSCRIPTION,
        reminds=False,
        opened=(
            "The certificate of the endpoint of {name} ends soon.",
            "The certificates of the endpoints of {count} subscriptions end soon.",
        ),
        closed=(
            "The certificate of the endpoint of {name} is not about to end any more.",
            "The certificates of the endpoints of {count} subscriptions are not about to end any more.",
        ),
        link="/subscriptions",
    ),
    "clientCertificateExpiring": ConditionKind(
        about=About.SUBSCRIPTION,
        reminds=False,
        opened=(
            "The client certificate of {name} ends soon. Give it another one.",
            "The client certificates of {count} subscriptions end soon. Give them others.",
        ),
        closed=(
            "The client certificate of {name} is not about to end any more.",
            "The client certificates of {count} subscriptions are not about to end any more.",
        ),
        link="/subscriptions",
    ),
    "gatewayCertificateExpiring": ConditionKind(
        about=About.NODE,
        opened=(
            "The certificate with which {name} speaks TLS ends soon.",
            "The certificates with which {count} nodes speak TLS end soon.",
        ),
        closed=(
            "{name} has another certificate.",
            "{count} nodes have other certificates.",
        ),
    ),
    "secretOverlapEnding": ConditionKind(
        about=About.SUBSCRIPTION,
        reminds=False,
        opened=(
            "The old secret of {name} ends within four hours. See that its receiver has the new one.",
            "The old secrets of {count} subscriptions end within four hours. See that their receivers have new ones.",
        ),
        closed=(
            "The rotation of the secret of {name} is over.",
            "The rotations of the secrets of {count} subscriptions are over.",
        ),
        link="/subscriptions",
    ),
    "keyExpiring": ConditionKind(
        about=About.KEY,
        reminds=False,
        opened=("The API key {name} expires soon.", "{count} API keys expire soon."),
        closed=(
            "The API key {name} expired or was revoked.",
            "{count} API keys expired or were revoked.",
        ),
        link="/keys",
    ),
    "diskLow": ConditionKind(
        about=About.NODE,
        opened=("The disk of {name} is filling up.", "The disks of {count} nodes are filling up."),
        closed=("The disk of {name} has room again.", "The disks of {count} nodes have room again."),
    ),
    "refusesDocuments": ConditionKind(
        about=About.NODE,
        severity=Severity.CRITICAL,
        opened=(
            "{name} refuses documents, because its disk is nearly full.",
            "{count} nodes refuse documents, because their disks are nearly full.",
        ),
        closed=("{name} takes documents again.", "{count} nodes take documents again."),
    ),
    "backupOld": ConditionKind(
        about=About.GATEWAY,
        opened=("The last backup of {name} is more than 26 hours old.", ""),
        closed=("There is a new backup of {name}.", ""),
    ),
    "partitionsMissing": ConditionKind(
        about=About.GATEWAY,
        severity=Severity.CRITICAL,
        opened=(
            "The database of {name} lacks partitions for the coming days: run `signalpost db partitions`.",
            "",
        ),
        closed=("The database of {name} has partitions for the coming days.", ""),
    ),
    "auditBroken": ConditionKind(
        about=About.NODE,
        severity=Severity.CRITICAL,
        closes_after=0,
        opened=(
            "The audit lacks entries that {name} had seen: run `signalpost audit verify`.",
            "The audit lacks entries that {count} nodes had seen: run `signalpost audit verify`.",
        ),
        closed=(
            "The audit has everything that {name} had seen.",
            "The audit has everything that {count} nodes had seen.",
        ),
    ),
    "contactsNotTold": ConditionKind(
        about=About.GATEWAY,
        opens_after=30 * MINUTE,
        opened=("Mails of {name} to contacts of subscriptions do not get through.", ""),
        closed=("Mails of {name} to contacts of subscriptions get through again, or there are none to send.", ""),
        link="/connections",
    ),
    "nodeLost": ConditionKind(
        about=About.NODE,
        closes_after=50 * MINUTE,
        reminds=False,
        opened=(
            "A node of {name} ended without a word. Another node, or its next start, took over its lanes.",
            "Nodes of {count} machines ended without a word. Others, or their next starts, took over their lanes.",
        ),
        closed=("No node of {name} was lost for an hour.", "No node of {count} machines was lost for an hour."),
    ),
}
"""Every kind by its name, which is a part of the API."""
