"""What waits for its commit: in which order, and how much of it."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalpost.domain.errors import TooMany
from signalpost.sharing.command_queues import ALWAYS_ALLOWED, MAX_WAITING, CommandQueues, Queue
from signalpost.sharing.slots import share

QUEUES = st.sampled_from(Queue)
ADDED = st.lists(st.tuples(st.integers(1, 4), QUEUES), max_size=60)
Item = tuple[int, Queue, int]


def filled(added: list[tuple[int, Queue]]) -> CommandQueues[Item]:
    intake: CommandQueues[Item] = CommandQueues()
    for number, (tenant_id, queue) in enumerate(added):
        intake.add(tenant_id, queue, (tenant_id, queue, number))
    return intake


@given(ADDED, st.integers(1, 20))
def test_everything_is_taken_once_and_each_queue_in_its_order(added: list[tuple[int, Queue]], most: int) -> None:
    intake = filled(added)
    taken: list[Item] = []
    while part := intake.take(most):
        assert len(part) <= most
        taken += part
        assert intake.waiting == len(added) - len(taken)
    assert sorted(number for _, _, number in taken) == list(range(len(added)))
    for key in set(added):
        numbers = [number for *of, number in taken if tuple(of) == key]
        assert numbers == sorted(numbers)


@given(ADDED)
def test_no_tenant_waits_for_more_than_one_turn_of_each_other(added: list[tuple[int, Queue]]) -> None:
    taken = filled(added).take(1_000)
    left = Counter(tenant_id for tenant_id, _ in added)
    since: Counter[tuple[int, int]] = Counter()
    for tenant_id, *_ in taken:
        left[tenant_id] -= 1
        for other in left:
            if other != tenant_id and left[other]:
                since[other, tenant_id] += 1
                assert since[other, tenant_id] <= 1
            since[tenant_id, other] = 0


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_within_a_tenant_no_kind_starves_another(control: int, documents: int, lines: int) -> None:
    intake = filled(
        [(1, Queue.BACKGROUND)] * lines + [(1, Queue.DOCUMENT)] * documents + [(1, Queue.CONTROL)] * control
    )
    order = [queue for _, queue, _ in intake.take(1_000)]
    for queue, every in ((Queue.CONTROL, 2), (Queue.DOCUMENT, 4), (Queue.BACKGROUND, 4)):
        at = [place for place, each in enumerate(order) if each is queue]
        gaps = [later - earlier for earlier, later in zip([-1, *at], at, strict=False)]
        assert all(gap <= every for gap in gaps), order


@pytest.mark.parametrize("queue", Queue)
def test_a_tenant_is_refused_before_the_process_is_full_and_others_are_not(queue: Queue) -> None:
    intake = filled([(1, queue)] * share(MAX_WAITING[queue], 0))
    with pytest.raises(TooMany, match="of this tenant"):
        intake.check(1, queue)
    intake.check(2, queue)
    for other in set(Queue) - {queue}:
        intake.check(1, other)
    intake.take(5)
    intake.check(1, queue)


@given(st.lists(st.integers(1, 6), max_size=300), st.integers(1, 120))
def test_a_few_of_each_tenant_may_wait_whatever_others_have(came: list[int], most: int) -> None:
    intake, waiting = filled([]), Counter[int]()
    for number, tenant_id in enumerate(came):
        try:
            intake.check(tenant_id, Queue.DOCUMENT, most)
        except TooMany:
            assert waiting[tenant_id] >= max(ALWAYS_ALLOWED, 4 * (most - waiting.total()))
        else:
            intake.add(tenant_id, Queue.DOCUMENT, (tenant_id, Queue.DOCUMENT, number))
            waiting[tenant_id] += 1
    assert waiting.total() <= most + 6 * ALWAYS_ALLOWED


def test_what_operators_ask_for_is_taken_although_no_document_may_wait_any_more() -> None:
    intake = filled([(1, Queue.DOCUMENT)] * share(MAX_WAITING[Queue.DOCUMENT], 0))
    intake.check(1, Queue.CONTROL)
    intake.add(1, Queue.CONTROL, (1, Queue.CONTROL, 0))
    assert intake.take(2)[0] == (1, Queue.CONTROL, 0)
