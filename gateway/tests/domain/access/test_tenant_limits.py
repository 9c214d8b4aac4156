"""What a tenant may have at most: exactly as much, and what it has already is never taken away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalpost.domain.access.tenant_limits import NO_LIMITS, LimitsPatch, TenantLimits, TenantUse, check_room
from signalpost.domain.body import read
from signalpost.domain.errors import Forbidden, Invalid

COUNTS = st.integers(0, 20)
NOUNS = ("documents", "subscriptions", "file_bytes")


@given(st.sampled_from(NOUNS), COUNTS, COUNTS, st.integers(-20, 20))
def test_growth_is_refused_exactly_where_it_leads_beyond_the_limit(noun: str, most: int, has: int, more: int) -> None:
    limits, use, growth = TenantLimits(**{noun: most}), TenantUse(**{noun: has}), TenantUse(**{noun: more})
    if more > 0 and has + more > most:
        with pytest.raises(Forbidden) as refused:
            check_room(limits, use, growth)
        assert refused.value.code == {
            "documents": "document_limit", "subscriptions": "subscription_limit", "file_bytes": "file_limit",
        }[noun]  # fmt: skip
        assert f"may have {most} " in refused.value.detail
    else:
        check_room(limits, use, growth)
    check_room(NO_LIMITS, use, growth)


@given(st.builds(TenantLimits, documents=st.none() | COUNTS, in_flight=st.none() | COUNTS))
def test_the_settings_count_where_a_tenant_has_no_limit_of_its_own(own: TenantLimits) -> None:
    found = own.over(TenantLimits(documents=7, subscriptions=8))
    assert found.documents == (7 if own.documents is None else own.documents)
    assert (found.subscriptions, found.in_flight) == (8, own.in_flight)


def test_a_change_sets_what_it_names_and_null_takes_back() -> None:
    before = TenantLimits(documents=5, subscriptions=6)
    patch: LimitsPatch = read(LimitsPatch, {"documents": None, "fileBytes": 0})
    assert patch.applied_to(before) == TenantLimits(subscriptions=6, file_bytes=0)
    assert read(LimitsPatch, {}).applied_to(before) == before


@pytest.mark.parametrize(
    "given_", [{"documents": -1}, {"inFlight": 0}, {"requestsPerSecond": 0}, {"fileBytes": 1.5}, {"documents": "5"}]
)
def test_a_limit_that_makes_no_sense_is_refused(given_: dict[str, object]) -> None:
    with pytest.raises(Invalid) as refused:
        read(LimitsPatch, given_)
    assert [error.pointer for error in refused.value.errors] == [f"/{name}" for name in given_]
