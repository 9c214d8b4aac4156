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
