"""Writes docs/notice-kinds.md from the table of kinds: `.venv/bin/python docs/make_notice_kinds.py`. A test keeps it
so."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from signalpost.domain.operations.kinds import KINDS, ConditionKind, Severity
from signalpost.domain.timestamps import DAY, HOUR, MINUTE, SECOND

PAGE = Path(__file__).parent / "notice-kinds.md"
HEAD = """# Kinds of notices

Generated from the table of kinds by `.venv/bin/python docs/make_notice_kinds.py`; do not edit.

[Notices](guides/notices.md) tell people what is wrong: these are all kinds. A kind has one sentence for one that it is
about, in which `…` is its name, and one for several. Kinds and severities are part of the API: conditions of a
subscription choose by them.

| kind | told when | severity |
| --- | --- | --- |
"""
WHEN: Final[Mapping[str, str]] = {
    "subscriptionFailing": "nothing reaches its endpoint for `NOTICE_AFTER` seconds (120)",
    "subscriptionDisablingSoon": "it is disabled within a day",
    "subscriptionDisabled": "the gateway disabled it",
    "subscriptionHeld": "its connection does not let it send: revoked, consent or token refused",
    "subscriptionUnread": "events wait that its customer is to [read](guides/poll.md), and nobody asked for an hour",
    "deliveriesGivenUp": "deliveries were given up in the last day, and wait for a replay",
    "eventsLost": "the retention removed events in the last day that were not delivered",
    "retentionNear": "the oldest event that waits is past half of the time for which events are kept, or 80 % of it",
    "backlogOld": "it delivers, but an event waits for more than 5 minutes",
    "objectiveBurning": "so many events miss its [objective](guides/objectives.md) that the error budget lasts for two "
    "days at most",
    "sourceBehind": "a [source](guides/sources.md) said nothing for 2 minutes, a change waited there for 5, or it gave "
    "something up; nothing is told while its tenant is paused",
    "certificateExpiring": "the certificate of its endpoint ends within 14 days, or 3",
    "clientCertificateExpiring": "the [client certificate](guides/client-certificates.md) that it offers ends within "
    "14 days, or 3",
    "gatewayCertificateExpiring": "the certificate with which a node itself speaks TLS ends within 14 days, or 3",
    "secretOverlapEnding": "the old secret of a rotation ends within 4 hours",
    "keyExpiring": "an API key ends within 14 days",
    "diskLow": "less than twice `DISK_RESERVE_MB` is free",
    "refusesDocuments": "less than `DISK_RESERVE_MB` is free",
    "backupOld": "the last `signalpost db backup` was 26 hours ago; nothing is told if there never was one",
    "partitionsMissing": "PostgreSQL lacks partitions for the coming days, and the gateway may not make them",
    "auditBroken": "the audit lacks entries that a node had seen",
    "contactsNotTold": "for half an hour, no mail to [contacts](guides/contacts.md) of subscriptions got through, or "
    "the connection of mail is broken",
    "nodeLost": "a node of a machine stopped without a word, and none started there within 2 minutes, or it had run "
    "for less than an hour. However often it is started and stops again, that is one thing, until none was lost for an "
    "hour. A gateway on SQLite is a fleet of one, so it tells after its next start that it was killed",
}
"""What a kind's fact is: the code that finds it is in `engine/operations/`."""
WORSE: Final = frozenset(
    {"retentionNear", "certificateExpiring", "clientCertificateExpiring", "gatewayCertificateExpiring"}
)
"""The kinds that become critical with time."""


def page() -> str:
    rows = "".join(f"| [`{name}`](#{name.lower()}) | {WHEN[name]} | {_severity(name)} |\n" for name in KINDS)
    return HEAD + rows + "".join(_section(name, kind) for name, kind in KINDS.items())


def _severity(name: str) -> str:
    return KINDS[name].severity.wire + (", then critical" if name in WORSE else "")


def _section(name: str, kind: ConditionKind) -> str:
    return (
        f"\n## {name}\n\nAbout a {kind.about}. It opens {_opens(kind)}, and closes {_closes(kind)}. "
        f"{_reminds(name, kind)}\n\n"
        f"| | one | several |\n| --- | --- | --- |\n"
        f"| opened | {' | '.join(map(_said, kind.opened))} |\n| closed | {' | '.join(map(_said, kind.closed))} |\n"
    )


def _reminds(name: str, kind: ConditionKind) -> str:
    if not kind.reminds:
        return "You are not told again."
    if kind.severity is Severity.CRITICAL:
        return "You are told again each `NOTICE_REMIND` hours."
    worse = ", and each `NOTICE_REMIND` hours while it is critical" if name in WORSE else ""
    return f"You are told again after `NOTICE_REMIND` hours, then ever more seldom{worse}."


def _opens(kind: ConditionKind) -> str:
    if kind.opens_after is None:
        return "after `NOTICE_AFTER` seconds"
    return f"after {_span(kind.opens_after)}" if kind.opens_after else "at once"


def _closes(kind: ConditionKind) -> str:
    return f"once it was away for {_span(kind.closes_after)}" if kind.closes_after else "as soon as it is over"


def _said(sentence: str) -> str:
    return sentence.replace("{name}", "…").replace("{count}", "12")


def _span(duration: int) -> str:
    for unit, word in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (SECOND, "second")):
        count, rest = divmod(duration, unit)
        if count and not rest:
            return f"{count} {word}{'' if count == 1 else 's'}"
    raise AssertionError(f"{duration} µs are not a whole number of seconds")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
