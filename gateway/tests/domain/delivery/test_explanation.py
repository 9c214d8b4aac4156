"""Why an event did not arrive: one cause for each situation, the most telling one first."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from signalpost.domain.delivery.explanation import Cause, HeldUp, KnownFacts, LastAttempt, explain
from signalpost.domain.event import EventType
from signalpost.domain.subscription import Subscription

SUBSCRIPTION = Subscription(
    id="00000000-0000-7000-8000-000000000001", tenant_id=1, number=1, name="a", url="https://x.example", secret="s",
    headers={}, status="active", ordering="loose", rate_limit=None, retry_delays=(10, 60, 300), starts_after=10,
    filters=((10, EventType.CREATED),), created_at=0, updated_at=0,
)  # fmt: skip
FAILED = LastAttempt(1_700_000_000_000_000, "The endpoint answered 503.")

UNMET = LastAttempt(0, "skipped: Not sent: document.status is 'approved'.", "Not sent: document.status is 'approved'.")


def known(status: Any, **more: Any) -> KnownFacts:
    given = {"subscription": SUBSCRIPTION, "sequence": 11, "event_type": int(EventType.CREATED), "status": status}
    return KnownFacts(**(given | more))


def subscription(**changes: Any) -> Subscription:
    return replace(SUBSCRIPTION, **changes)


SKIPPED = subscription(skip_to=11, skipped_at=1_000_000)


@pytest.mark.parametrize(
    ("situation", "cause", "words"),
    [
        (known(None, event_type=int(EventType.DELETED)), Cause.TYPE_NOT_WANTED, "not subscribed to documentDeleted"),
        (known(None, sequence=10), Cause.SUBSCRIBED_LATER, "before the subscription, which begins at sequence 11"),
        (known(None, subscription=SKIPPED), Cause.BACKLOG_SKIPPED, "given up at 1970-01-01T00:00:01"),
        (known(None), Cause.REMOVED, "The retention"),
        (known("retrying", failed_attempts=1, held_up=HeldUp(in_flight=True)), Cause.SENDING, "Attempt 2 is under way"),
        (
            known("delivered", last_attempt=LastAttempt(0, None, "", 2)),
            Cause.DELIVERED,
            "by attempt 2 at 1970-01-01T00:00",
        ),
        (
            known("delivered", last_attempt=LastAttempt(0, None, "", 1, run=1)),
            Cause.DELIVERED,
            "by attempt 1 at 1970-01-01T00:00:00.000000+00:00, after somebody had it sent again.",
        ),
        (
            known("failed", failed_attempts=4, max_attempts=4, last_attempt=FAILED),
            Cause.GIVEN_UP,
            "after 4 attempts: The endp",
        ),
        (
            known("failed", failed_attempts=1, max_attempts=1, last_attempt=LastAttempt(0, "E.", "", 1, run=1)),
            Cause.GIVEN_UP,
            "after 1 attempt more: E.",
        ),
        (
            known("failed", failed_attempts=1, max_attempts=4, subscription=SKIPPED, last_attempt=FAILED),
            Cause.BACKLOG_SKIPPED,
            "its backlog skipped",
        ),
        (
            known("failed", failed_attempts=4, max_attempts=4, subscription=SKIPPED, last_attempt=FAILED),
            Cause.GIVEN_UP,
            "after 4 attempts",
        ),
        (known("failed"), Cause.REMOVED, "The retention"),
        (known("skipped", last_attempt=UNMET), Cause.SKIPPED, "Not sent: document.status is 'approved'."),
        (known("pending", subscription=subscription(status="paused")), Cause.PAUSED, "once it is resumed"),
        (
            known("pending", subscription=subscription(status="disabled", disabled_at=0)),
            Cause.DISABLED,
            "at 1970-01-01",
        ),
        (known("delivered", retry_asked=True), Cause.RETRY_BY_HAND, "is sent next"),
        (
            known("pending", probe_at=0, last_error="No answer came."),
            Cause.BREAKER_OPEN,
            "keeps failing. No answer came. The next attempt there is at 1970-01-01",
        ),
        (
            known("retrying", due=0, failed_attempts=2, last_attempt=FAILED),
            Cause.RETRY_SCHEDULED,
            "Attempt 2 failed: The endpoint answered 503. The next attempt follows at 1970-01-01",
        ),
        (
            known("retrying", due=0, last_attempt=FAILED, held_up=HeldUp(asked_to_wait_until=0)),
            Cause.RETRY_SCHEDULED,
            "The endpoint asked to wait until 1970-01-01T00:00:00.000000+00:00 (Retry-After). The next attempt follows",
        ),
        (known("retrying", due=0), Cause.DELAYED, "It has not been sent yet: the first attempt follows at 1970-01-01"),
        (known("pending", behind_event="e1"), Cause.BEHIND_EARLIER, "behind event e1 of the same document"),
        (known("pending", ahead=3, held_up=HeldUp(asked_to_wait_until=0)), Cause.ASKED_TO_WAIT, "(Retry-After)"),
        (
            known("pending", subscription=subscription(rate_limit=5), held_up=HeldUp(rate_limited_until=0)),
            Cause.RATE_LIMITED,
            "The rate limit of 5 a second",
        ),
        (known("pending", ahead=3), Cause.IN_QUEUE, "3 events of the log come first"),
        (known("pending"), Cause.IN_QUEUE, "sent next"),
        (
            known("pending", subscription=subscription(kind="poll")),
            Cause.IN_QUEUE,
            "It waits until its reader has acknowledged it.",
        ),
        (
            known("pending", subscription=subscription(kind="poll", status="paused")),
            Cause.PAUSED,
            "What waits can be read once it is resumed.",
        ),
    ],
)
def test_each_situation_has_its_cause(situation: KnownFacts, cause: Cause, words: str) -> None:
    found = explain(situation)
    assert found.cause is cause
    assert words in found.sentence


def test_what_holds_up_everything_is_told_before_what_holds_up_this_one() -> None:
    paused = subscription(status="paused")
    held = known("retrying", subscription=paused, probe_at=1, due=1, behind_event="e1", last_attempt=FAILED)
    assert explain(held).cause is Cause.PAUSED
    assert explain(replace(held, subscription=SUBSCRIPTION)).cause is Cause.BREAKER_OPEN
    assert explain(replace(held, subscription=SUBSCRIPTION, probe_at=None)).cause is Cause.RETRY_SCHEDULED


def test_a_retry_by_hand_of_a_paused_subscription_waits_for_the_resume() -> None:
    held = known("failed", subscription=subscription(status="paused"), retry_asked=True)
    assert explain(held).cause is Cause.PAUSED


def test_what_was_delivered_before_a_pause_was_delivered() -> None:
    assert explain(known("delivered", subscription=subscription(status="paused"))).cause is Cause.DELIVERED


@given(
    st.sampled_from(["pending", "delivered", "skipped", "retrying", "failed", None]),
    st.sampled_from(["active", "paused", "disabled"]),
    st.none() | st.integers(0, 2**50),
    st.integers(0, 2**40),
)
def test_there_is_always_a_sentence(status: Any, state: Any, time: int | None, count: int) -> None:
    said = explain(
        known(
            status,
            subscription=subscription(status=state, disabled_at=time),
            due=time,
            probe_at=time,
            ahead=count,
            failed_attempts=count,
        )
    )
    assert said.sentence.endswith(".")
