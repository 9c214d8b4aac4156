"""Sources: what a report may say, and when a person should look."""

from typing import Any

import pytest

from signalpost.domain.body import check_of
from signalpost.domain.checks import Bad, Several
from signalpost.domain.source import (
    BEHIND_FROM,
    MAX_NUMBER,
    SILENT_AFTER,
    Source,
    SourceReport,
    SourceState,
    trouble_of,
)
from signalpost.domain.timestamps import SECOND, parse_timestamp

HEARD_AT = parse_timestamp("2026-11-30T10:00:00.000000+00:00")


def source(**said: int) -> Source:
    given = {"oldest_seconds": 0, "dead": 0, **said}
    return Source(number=1, tenant_id=1, id="a", name="outbox", added_at=HEARD_AT, heard_at=HEARD_AT, **given)


@pytest.mark.parametrize("number", [0, 1, MAX_NUMBER])
def test_a_report_has_an_age_and_a_number(number: int) -> None:
    given = {"oldestSeconds": number, "dead": number}
    assert check_of(SourceReport)(given) == SourceReport(oldest_seconds=number, dead=number)


@pytest.mark.parametrize("member", ["oldestSeconds", "dead"])
@pytest.mark.parametrize("value", [-1, 0.5, MAX_NUMBER + 1, "1", None, True])
def test_a_report_that_cannot_be_is_refused_by_its_member(member: str, value: Any) -> None:
    with pytest.raises((Bad, Several)) as refused:
        check_of(SourceReport)({"oldestSeconds": 0, "dead": 0, member: value})
    assert isinstance(refused.value, Several)
    assert [bad.below for bad in refused.value.bads] == [(member,)]


@pytest.mark.parametrize(
    ("said", "later", "state", "since", "detail"),
    [
        ({}, SILENT_AFTER, SourceState.HEALTHY, None, ""),
        ({"oldest_seconds": BEHIND_FROM - 1}, 0, SourceState.HEALTHY, None, ""),
        (
            {"oldest_seconds": BEHIND_FROM},
            0,
            SourceState.BEHIND,
            HEARD_AT - BEHIND_FROM * SECOND,
            "A change has waited there since 2026-11-30 09:55 UTC.",
        ),
        (
            {"oldest_seconds": BEHIND_FROM, "dead": 1},
            SILENT_AFTER + 1,
            SourceState.SILENT,
            HEARD_AT - BEHIND_FROM * SECOND,
            (
                "Nothing was heard of it since 2026-11-30 10:00 UTC. A change has waited there since 2026-11-30 09:55"
                " UTC. It gave up 1 change, and keeps the reasons."
            ),
        ),
        ({"dead": 1_200}, 0, SourceState.HEALTHY, HEARD_AT, "It gave up 1,200 changes, and keeps the reasons."),
    ],
)
def test_a_person_should_look_at_a_source_that_is_silent_or_behind_or_gave_something_up(
    said: dict[str, int], later: int, state: SourceState, since: int | None, detail: str
) -> None:
    found, now = source(**said), HEARD_AT + later
    trouble = trouble_of(found, now, 0)
    assert found.state(now) is state
    assert found.needs_someone(now) == (trouble is not None)
    assert (trouble and trouble.since, trouble.detail if trouble else "") == (since, detail)


def test_while_no_one_listened_no_source_was_silent() -> None:
    listens_since = HEARD_AT + 3_600 * SECOND
    assert trouble_of(source(), listens_since + SILENT_AFTER, listens_since) is None
    assert trouble_of(source(), listens_since + SILENT_AFTER + 1, listens_since) is not None
