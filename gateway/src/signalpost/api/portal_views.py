"""What a customer sees of their deliveries: everything that helps to fix an endpoint, and nothing that is the
operator's.

A customer is never told which address was dialled, since an operator's name servers may know names that others must not
learn of. What was sent and what came back takes a capability. And of an event that is not meant for them, a customer
does not learn that it is there: a subscription's condition may be what keeps other customers' events apart, so nothing
counts as theirs before the condition was looked at.
"""

import re
from ipaddress import ip_address
from typing import Final

from msgspec.structs import replace

from signalpost.api.routing.shapes.deliveries import (
    Attempt,
    AttemptExchange,
    AttemptSummary,
    Delivery,
    DeliveryCause,
    DeliveryWithAttempts,
    Diagnosis,
)
from signalpost.api.routing.shapes.subscriptions import CaseResult, TestResult
from signalpost.domain.access.portal_link import Capability, PortalLink
from signalpost.domain.shown_url import STRUCK
from signalpost.domain.subscription import Subscription
from signalpost.store.nouns.deliveries import DeliveryStatus

_MAYBE_ADDRESS: Final = re.compile(r"(?<![\w.:])[0-9A-Fa-f.:]{2,45}(?<![.:])")
_HEALTH_TEXTS: Final = ("lastError", "disabledReason")


def is_for(link: PortalLink | None, subscription: Subscription, status: DeliveryStatus | None) -> bool:
    """Whether the caller may know of an event with this status at a subscription. `link` is None for callers who may
    know of all."""
    if link is None:
        return True
    return status in ("delivered", "retrying", "failed") or (status == "pending" and subscription.when is None)


def without_addresses(text: str) -> str:
    """A text in which every IP address is struck out."""
    return _MAYBE_ADDRESS.sub(lambda found: STRUCK if _is_address(found.group()) else found.group(), text)


def health_for(link: PortalLink | None, health: dict[str, object]) -> dict[str, object]:
    """A subscription's `health`."""
    if link is None:
        return health
    return {name: _text(value) if name in _HEALTH_TEXTS else value for name, value in health.items()}


def listed_for(link: PortalLink | None, shown: Delivery) -> Delivery:
    if link is None:
        return shown
    return replace(shown, last_attempt=_summary(shown.last_attempt), cause=_cause(shown.cause))


def delivery_for(link: PortalLink | None, shown: DeliveryWithAttempts) -> DeliveryWithAttempts:
    if link is None:
        return shown
    return replace(
        shown,
        last_attempt=_summary(shown.last_attempt),
        cause=_cause(shown.cause),
        attempts=[_attempt(link, each) for each in shown.attempts],
        diagnosis=None if shown.diagnosis is None else _diagnosis(shown.diagnosis),
    )


def test_for(link: PortalLink | None, shown: TestResult) -> TestResult:
    if link is None:
        return shown
    return replace(
        shown,
        detail=_text(shown.detail),
        answer=_answer(link, shown.answer),
        exchange=_exchange(link, shown.exchange),
        diagnosis=None if shown.diagnosis is None else _diagnosis(shown.diagnosis),
    )


def case_for(link: PortalLink | None, shown: CaseResult) -> CaseResult:
    if link is None:
        return shown
    answer = None if shown.answer is None else _answer(link, shown.answer)
    return replace(shown, detail=_text(shown.detail), advice=_text(shown.advice), answer=answer)


def _attempt(link: PortalLink, shown: Attempt) -> Attempt:
    return replace(
        shown,
        detail=_text(shown.detail),
        answer=_answer(link, shown.answer),
        exchange=_exchange(link, shown.exchange),
    )


def _answer(link: PortalLink, answer: str) -> str:
    return answer if Capability.PAYLOAD in link.can else ""


def _exchange(link: PortalLink, shown: AttemptExchange | None) -> AttemptExchange | None:
    if shown is None:
        return None
    headers = shown.answer_headers if Capability.PAYLOAD in link.can else []
    return replace(shown, address=None, answer_headers=headers)


def _summary(shown: AttemptSummary | None) -> AttemptSummary | None:
    return None if shown is None else replace(shown, detail=_text(shown.detail))


def _cause(shown: DeliveryCause) -> DeliveryCause:
    return replace(shown, detail=without_addresses(shown.detail))


def _diagnosis(shown: Diagnosis) -> Diagnosis:
    told = without_addresses(shown.for_customer)
    return replace(shown, for_us=told, for_customer=told)


def _text(value: object) -> str | None:
    return without_addresses(value) if isinstance(value, str) else None


def _is_address(candidate: str) -> bool:
    try:
        ip_address(candidate)
    except ValueError:
        return False
    return True
