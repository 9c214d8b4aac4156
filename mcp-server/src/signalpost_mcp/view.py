"""What an assistant is shown of the gateway's answers.

An assistant may take any text for an instruction. So it sees codes, numbers and times; what other people wrote is in
a member of its own, `fromOthers`, and most of that only if an operator asked for it. Sentences of the gateway that may
quote an endpoint's answer count as written by others.
"""

from typing import Any

import msgspec

from signalpost_client import shapes

MARK = "fromOthers"
"""The member that has what others wrote."""
MAX_ATTEMPTS = 5
"""How many attempts of a delivery an assistant is shown, at most."""
Json = dict[str, Any]


def as_text(value: Json) -> str:
    """A result as a tool returns it."""
    return msgspec.json.encode(value).decode()


class View:
    """Makes results of the gateway's answers."""

    def __init__(self, *, show_payloads: bool) -> None:
        self.show_payloads = show_payloads

    def overview(self, found: shapes.Overview) -> Json:
        """What needs attention now."""
        return {
            "subscriptions": found.subscriptions,
            "waiting": found.waiting,
            "failed": found.failed,
            "lost": found.lost,
            "lastHour": found.last_hour,
            "attention": [self._attention(each) for each in found.attention],
            "moreNeedAttention": found.more,
            "replays": [
                {
                    "id": each.id,
                    "subscription": each.subscription.id,
                    "count": each.count,
                    "queued": each.queued,
                    "delivered": each.delivered,
                    "failed": each.failed,
                }
                for each in found.replays
            ],
            "sources": [self._source(each) for each in found.sources],
        }

    def _source(self, found: shapes.SourceShown) -> Json:
        return {
            "state": found.state,
            "oldestSeconds": found.oldest_seconds,
            "dead": found.dead,
            **self._marked({"name": found.name}, {}),
        }

    def _attention(self, found: shapes.NeedsAttention) -> Json:
        return {
            "subscription": found.subscription.id,
            "need": found.need,
            "since": found.since,
            "waiting": found.waiting,
            "failed": found.failed,
            "lost": found.lost,
            "exampleEvent": found.event_id,
            "diagnosis": _diagnosis(found.diagnosis),
            **self._marked({"name": found.subscription.name}, {"why": found.detail}),
        }

    def delivery(self, found: shapes.Delivery) -> Json:
        """A delivery in a list."""
        return {
            **_facts(found),
            "lastAttempt": None if found.last_attempt is None else _attempt(found.last_attempt),
            **self._marked({"name": found.subscription_name}, {"title": found.title, "why": found.cause.detail}),
        }

    def delivery_with_attempts(self, found: shapes.DeliveryWithAttempts) -> Json:
        """A delivery with its newest attempts, and the likely cause of its failure."""
        newest = found.attempts[-MAX_ATTEMPTS:]
        judged = None if found.diagnosis is None else found.diagnosis.for_us
        quoted = {
            "title": found.title,
            "why": found.cause.detail,
            "whatWasSeen": judged,
            "answers": [each.answer for each in newest if each.answer],
        }
        return {
            **_facts(found),
            "attempts": len(found.attempts),
            "newestAttempts": [_attempt(each) for each in newest],
            "diagnosis": _diagnosis(found.diagnosis),
            **self._marked({"name": found.subscription_name}, quoted),
        }

    def event(self, found: shapes.LogEntry) -> Json:
        """An event; its payload only if that is to be shown."""
        about = {"event": found.event.id, "sequence": found.sequence, "type": found.event.type}
        return about | {"createdAt": found.event.created_at} | self._marked({}, {"payload": found.event.data})

    def _marked(self, names: Json, quoted: Json) -> Json:
        """The text that others wrote. Names are always shown, and what is quoted only if that was asked for."""
        written = names | quoted if self.show_payloads else names
        kept = {name: text for name, text in written.items() if text}
        return {MARK: kept} if kept else {}


def _facts(found: shapes.Delivery | shapes.DeliveryWithAttempts) -> Json:
    return {
        "subscription": found.subscription_id,
        "event": found.event_id,
        "type": found.event_type,
        "document": found.external_id,
        "createdAt": found.created_at,
        "status": found.status,
        "cause": found.cause.code,
        "waitsBehindEvent": found.cause.event_id,
        "nextAttemptAt": found.next_attempt_at,
    }


def _attempt(found: shapes.Attempt | shapes.AttemptSummary) -> Json:
    return {
        "number": found.number,
        "startedAt": found.started_at,
        "durationMs": found.duration_ms,
        "statusCode": found.status_code,
        "error": found.error,
    }


def _diagnosis(found: shapes.Diagnosis | None) -> Json | None:
    """The gateway's judgement, in words of its own: the sentences that quote an answer are not among them."""
    return None if found is None else {"cause": found.cause, "title": found.title, "remedy": found.remedy}
