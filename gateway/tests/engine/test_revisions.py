"""What changed after a position is known of each tenant and topic, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalpost.engine.revisions import Revisions, Topic

topics = st.sampled_from(Topic)
changes = st.lists(st.tuples(st.integers(1, 3), topics))


@given(changes, changes)
def test_what_changed_after_a_position_is_named_and_nothing_from_before(
    before: list[tuple[int, Topic]], after: list[tuple[int, Topic]]
) -> None:
    revisions = Revisions("aa")
    for tenant, topic in before:
        revisions.note(tenant, topic)
    position = revisions.position
    for tenant, topic in after:
        revisions.note(tenant, topic)
    for tenant in (1, 2, 3):
        assert revisions.since(tenant, position) == {topic for of, topic in after if of == tenant}
        assert revisions.since(tenant, revisions.position) == set()


@pytest.mark.parametrize("position", ["", "aa", "aa-", "aa-x", "ab-0", f"aa-{9**99}"])
def test_what_is_no_position_of_this_process_may_have_missed_anything(position: str) -> None:
    revisions = Revisions("aa")
    assert revisions.since(1, position) == set(Topic)
    assert not revisions.has_all_until(revisions.position, position)


def test_what_was_seen_has_all_that_changed_before_and_nothing_else() -> None:
    revisions = Revisions("aa")
    before = revisions.position
    revisions.note(1, Topic.EVENTS)
    after = revisions.position
    assert revisions.has_all_until(after, before)
    assert revisions.has_all_until(after, after)
    assert not revisions.has_all_until(before, after)
