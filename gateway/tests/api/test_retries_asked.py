"""Whether it is worth a look in the audit who asked for an attempt of a delivery."""

from typing import Any

import pytest
from msgspec.structs import replace

from signalpost.api.resources.retries_asked import may_be_by_hand
from signalpost.domain.timestamps import SECOND
from signalpost.store.deliveries import AttemptRow, DeliveryView, ReadDelivery
from signalpost.store.log import LogRow

AT = 1_700_000_000 * SECOND
FAILED = AttemptRow(1, AT, SECOND, 1, 0, True, 503, "status", "", b"")
DELAYS = (10, 60)


@pytest.mark.parametrize(
    ("later", "known", "is_worth_it"),
    [
        ([], {}, False),
        ([], {"retry_asked": True}, True),
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
