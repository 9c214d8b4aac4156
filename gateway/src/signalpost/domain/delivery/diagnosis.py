"""Why an endpoint does not accept deliveries: the likely cause of a failed attempt, in words, with what to do.

Pure: a table of rules (`diagnosis_rules.py`) is looked through from its top, and the first rule that fits says the
cause. A rule fits by what was seen (the class of the failure, the status code, the words of the answer, the sentence
that was noted) and by what was changed since the endpoint last took something: the secret, the URL or the headers. Each
cause has a sentence for the operator, one for the customer whose endpoint it is, and the action that helps
most.

It is a judgement: the facts stay beside it. The words of an answer are the endpoint's own, shortened, and not trusted.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import Struct

from signalpost.domain.delivery.diagnosis_rules import RULES, CauseRule, Change, Remedy
from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.timestamps import SECOND

MAX_QUOTED: Final = 80
"""How many characters of an answer a sentence repeats."""


class Symptom(Struct, frozen=True, kw_only=True):
    """What was seen of an endpoint that fails. Times are µs since the epoch."""

    host: str
    failure: Failure
    status: int | None = None
    detail: str = ""
    """The sentence that was noted with the attempt."""
    answer: str = ""
    failing_since: int
    """When the first of its failures in a row was."""
    delivered_at: int | None = None
    """When it last took a delivery; None if that is not known."""
    changed_at: Mapping[Change, int] = {}
    """When each of these was last changed."""
    certificate_ends: int | None = None
    """When the certificate that it last showed expires, if known."""
    waiting: int = 0
    """How many deliveries wait for it."""
    lost: int = 0
    """How many events the retention removed before they were delivered."""


def symptom_of_test(host: str, outcome: Outcome) -> Symptom | None:
    """What a sample event showed of an endpoint; None if it was delivered."""
    if outcome.failure is None:
        return None
    return Symptom(
        host=host,
        failure=outcome.failure,
        status=outcome.status,
        detail=outcome.detail,
        answer=outcome.answer.decode("utf-8", "replace"),
        failing_since=outcome.started_at,
        certificate_ends=outcome.certificate_ends,
    )


class Diagnosis(Struct, frozen=True):
    """The likely cause of a failure."""

    cause: str
    """One of `CAUSES`, such as `old_secret`."""
    title: str
    for_us: str
    for_customer: str
    remedy: Remedy
    change: Change | None = None
    """The change that most likely caused it."""
    changed_at: int | None = None


def diagnose(symptom: Symptom) -> Diagnosis | None:
    """The likely cause of a failure; None for a failure that is not about the endpoint, such as a stop of the
    gateway."""
    rule = next((rule for rule in RULES if _fits(rule, symptom)), None)
    if rule is None:
        return None
    changed_at = None if rule.change is None else symptom.changed_at[rule.change]
    ends = symptom.certificate_ends
    facts = {
        "status": symptom.status,
        "changed": "" if changed_at is None else _moment(changed_at),
        "certificate": "" if ends is None else f": it ended at {_moment(ends)}",
    }
    return Diagnosis(
        cause=rule.cause,
        title=f"{rule.title}.",
        for_us=f"{_seen(symptom)} {rule.us.format(**facts)}",
        for_customer=" ".join(filter(None, (_told(symptom), rule.customer.format(**facts), _kept(symptom)))),
        remedy=rule.remedy,
        change=rule.change,
        changed_at=changed_at,
    )


def _fits(rule: CauseRule, symptom: Symptom) -> bool:
    return (
        rule.failure is symptom.failure
        and (rule.statuses is None or symptom.status in rule.statuses)
        and (rule.opening is None or symptom.detail.startswith(rule.opening))
        and (rule.change is None or _is_suspect(symptom, rule.change))
        and (rule.answer is None or rule.answer.search(symptom.answer) is not None)
    )


def _is_suspect(symptom: Symptom, change: Change) -> bool:
    """Whether the change came before the failures, and the endpoint accepted nothing in between."""
    at = symptom.changed_at.get(change)
    taken = symptom.delivered_at
    return at is not None and at <= symptom.failing_since and (taken is None or taken <= at)


def _seen(symptom: Symptom) -> str:
    since = f"since {_moment(symptom.failing_since)}"
    if symptom.status is None:
        return f"Failing {since}: {symptom.detail}" if symptom.detail else f"Failing {since}."
    return f"It answers {symptom.status}{_quote(symptom.answer)} {since}."


def _told(symptom: Symptom) -> str:
    since = f"Since {_moment(symptom.failing_since)}"
    if symptom.status is None:
        return f"{since} we cannot deliver to {symptom.host}: {symptom.detail}"
    return f"{since} your endpoint {symptom.host} answers {symptom.status}{_quote(symptom.answer)}."


def _kept(symptom: Symptom) -> str:
    if symptom.waiting == 0 or symptom.lost > 0:
        return ""
    events, wait, are = (
        ("1 event", "waits", "is") if symptom.waiting == 1 else (f"{symptom.waiting:,} events", "wait", "are")
    )
    return f"Nothing is lost: {events} {wait} and {are} sent once it answers with 2xx."


def _quote(answer: str) -> str:
    said = quoted(answer)
    return f" “{said}”" if said else ""


class _Said(Struct):
    """Where answers in JSON say what is wrong."""

    error: object = None
    message: object = None
    detail: object = None
    title: object = None
    errors: object = None


_decode_said = msgspec.json.Decoder(_Said).decode


def quoted(answer: str) -> str:
    """What an answer says, short enough for a sentence: one line without control characters; empty for a page of HTML
    or if it says nothing."""
    text = answer.strip()
    if text.startswith("{"):
        try:
            said = _decode_said(text)
        except msgspec.DecodeError:
            return ""  # cut off in the middle, most likely
        texts = (said.message, said.detail, said.error, said.title)
        text = next((each for each in texts if isinstance(each, str)), "")
    if text.startswith("<"):
        return ""
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= MAX_QUOTED else f"{line[: MAX_QUOTED - 1]}…"


def _moment(at: int) -> str:
    return f"{datetime.fromtimestamp(at // SECOND, UTC):%Y-%m-%d %H:%M} UTC"
