"""Whether it is worth a look in the audit who asked for an attempt of a delivery."""

from typing import Any

import pytest
from msgspec.structs import replace

from signalpost.api.resources.retries_asked import may_be_by_hand, was_delivered_meanwhile
from signalpost.domain.timestamps import SECOND
from signalpost.store.nouns.deliveries import AttemptRow, DeliveryView, ReadDelivery
from signalpost.store.nouns.log import LogRow

AT = 1_700_000_000 * SECOND
FAILED = AttemptRow(1, AT, SECOND, 1, 0, True, 503, "status", "", b"")
DELAYS = (10, 60)


@pytest.mark.parametrize(
    ("later", "known", "is_worth_it"),
    [
        ([], {}, False),
        ([], {"retry_asked": True}, True),
        ([{"started_at": AT + 11 * SECOND, "number": 2, "failure": None}], {}, True),
        ([{"started_at": AT + 11 * SECOND, "number": 2}], {}, False),
        ([{"started_at": AT + 11 * SECOND - 1, "number": 2}], {}, True),
        ([{"started_at": AT + 99 * SECOND, "number": 2, "counted": False}], {}, True),
        ([{"started_at": AT + 99 * SECOND, "run": 1}], {}, True),
        ([{"started_at": AT + 11 * SECOND, "number": 2}, {"started_at": AT + 71 * SECOND, "number": 3}], {}, True),
        ([{"started_at": AT + 11 * SECOND, "number": 2}, {"started_at": AT + 72 * SECOND, "number": 3}], {}, False),
        ([{"started_at": AT + SECOND, "number": 4}, {"started_at": AT + 3 * SECOND, "number": 5}], {}, True),
    ],
)
def test_an_attempt_that_did_not_come_at_its_time_may_be_by_hand(
    later: list[dict[str, Any]], known: dict[str, Any], is_worth_it: bool
) -> None:
    view = DeliveryView("", LogRow(1, AT, "", 1, ""), "retrying", None, 1, **known)
    delivery = ReadDelivery(view, [FAILED, *(replace(FAILED, **each) for each in later)], None)
    assert may_be_by_hand(delivery, DELAYS) == is_worth_it


@pytest.mark.parametrize(
    ("at", "failure", "later", "is_so"),
    [
        (AT + SECOND // 2, None, [], True),
        (AT + SECOND // 2, "status", [], False),
        (AT + 2 * SECOND, None, [], False),
        (AT - 1, None, [], False),
        (AT + SECOND // 2, None, [AT + 3 * SECOND], False),
    ],
)
def test_a_retry_that_was_asked_for_during_an_attempt_that_succeeded_is_told(
    at: int, failure: str | None, later: list[int], *, is_so: bool
) -> None:
    """C16"""
    first = replace(FAILED, failure=failure)
    assert was_delivered_meanwhile([first, *(replace(FAILED, started_at=each) for each in later)], at) == is_so
