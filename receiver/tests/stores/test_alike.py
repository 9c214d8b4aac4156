"""Every store does what the store in memory does, whatever is asked of it."""

import itertools
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from receiver.tests.stores.conftest import StoreOf

from signalpost_receiver.stores import Claimed, Held, Item, MemoryStore, Store

START = 1_780_000_000.0
EVENTS = st.sampled_from([(number, document) for number in range(3) for document in ("a", "b")])
STEPS = st.one_of(
    st.tuples(st.just("claim"), EVENTS),
    st.tuples(st.just("hold"), EVENTS, st.sampled_from([0, 5])),
    st.tuples(st.just("take")),
    st.tuples(st.just("commit"), st.integers(0, 5), st.sampled_from([20, 100])),
    st.tuples(st.just("release"), st.integers(0, 5), st.sampled_from([0, 15])),
    st.tuples(st.just("forget"), EVENTS),
    st.tuples(st.just("wait"), st.sampled_from([1, 10, 40, 120])),
)
_runs = itertools.count()


@dataclass
class Side:
    """One store, and the claims that it granted, the latest first."""

    store: Store
    run: int
    claims: list[tuple[Item, str]]

    def item(self, event: tuple[int, str], *, ordered: bool) -> Item:
        number, document = event
        event_id = f"{self.run} event {number} of {document}"
        return Item(event_id, f"{self.run} {document}", f"{number}") if ordered else Item(event_id, None, "")

    def do(self, step: Any, now: float, *, ordered: bool) -> object:
        """What the store answers, without the tokens, of which each store has its own."""
        match step:
            case ("claim", event):
                item = self.item(event, ordered=ordered)
                return self._noted(item, self.store.claim(item, now=now, lease_until=now + 30))
            case ("hold", event, wait) if ordered:
                answer = self.store.hold(self.item(event, ordered=True), b"{}", "", now=now, due_at=now + wait)
                return Claimed if isinstance(answer, Claimed) else answer
            case ("take",):
                held = self.store.take(now=now, lease_until=now + 30)
                return None if held is None else self._noted(held.item, held)
            case ("commit", which, keep) if which < len(self.claims):
                item, token = self.claims[which]
                return self.store.commit(item, token, now=now, forget_at=now + keep)
            case ("release", which, wait) if which < len(self.claims):
                item, token = self.claims[which]
                self.store.release(item, token, again_at=now + wait)
            case ("forget", event):
                self.store.forget(self.item(event, ordered=ordered).event_id)
        return None

    def _noted(self, item: Item, answer: object) -> object:
        if isinstance(answer, (Claimed, Held)):
            self.claims.insert(0, (item, answer.token))
            return item
        return answer


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=st.lists(STEPS, max_size=25), ordered=st.booleans())
def test_every_store_answers_as_the_one_in_memory_does(open_store: StoreOf, steps: list[Any], *, ordered: bool) -> None:
    run, now = next(_runs), START
    expected, found = Side(MemoryStore(), run, []), Side(open_store(), run, [])
    try:
        for step in steps:
            if step[0] == "wait":
                now += step[1]
            else:
                # Those that are due at the same time may be taken in either order, so a little passes between two.
                now += 0.001
                answer = found.do(step, now, ordered=ordered)
                assert answer == expected.do(step, now, ordered=ordered), step
    finally:
        for number, document in itertools.product(range(3), ("a", "b")):
            found.do(("forget", (number, document)), now, ordered=ordered)
