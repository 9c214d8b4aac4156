"""How values are laid out in the columns of a database: each is read back as it was written."""

from typing import Any

import msgspec
from gateway.tests.vaults import vault_for
from hypothesis import given
from hypothesis import strategies as st

from signalpost.domain.subscription import Subscription
from signalpost.store.packing.documents import title_in
from signalpost.store.packing.sequences import pack_sequences, unpack_sequences
from signalpost.store.tables.subscriptions import SUBSCRIPTION
from signalpost.store.tables.table import Codec

SEQUENCES = st.sets(st.integers(1, 2**62)).map(sorted)
TEXTS = st.text(st.characters(codec="utf-8"))
TIMES = st.integers(0, 2**53)


@given(SEQUENCES)
def test_sequences(ascending: list[int]) -> None:
    assert unpack_sequences(pack_sequences(ascending)) == ascending


@given(st.integers(1, 2**40), st.lists(st.integers(1, 127), max_size=600))
def test_neighbours_take_a_byte_each(first: int, steps: list[int]) -> None:
    ascending = [first]
    for step in steps:
        ascending.append(ascending[-1] + step)
    packed = pack_sequences(ascending)
    assert unpack_sequences(packed) == ascending
    assert len(packed) <= 6 + len(steps)


@given(
    st.fixed_dictionaries(
        {
            "id": st.uuids().map(str),
            "tenant_id": st.integers(1, 2**40),
            "number": st.integers(1, 2**40),
            "name": TEXTS,
            "url": TEXTS,
            "secret": TEXTS,
            "headers": st.dictionaries(TEXTS, TEXTS, max_size=3),
            "status": st.sampled_from(["active", "paused", "disabled"]),
            "ordering": st.sampled_from(["loose", "strict"]),
            "rate_limit": st.none() | st.integers(1, 100_000),
            "retry_delays": st.lists(st.integers(1, 86_400), max_size=10).map(tuple),
            "starts_after": TIMES,
            "filters": st.lists(st.tuples(TIMES, st.integers(1, 7)), min_size=1, max_size=4).map(tuple),
            "skip_to": TIMES,
            "created_at": TIMES,
            "updated_at": TIMES,
            "version": st.integers(1, 2**40),
            "deleted_at": st.none() | TIMES,
        }
    )
)
def test_subscriptions(attributes: dict[str, Any]) -> None:
    subscription = Subscription(**attributes)
    assert set(Subscription.__struct_fields__) >= set(attributes)
    vault = vault_for(subscription.tenant_id)
    codec = Codec(str, str, vault.seal, vault.open)
    assert SUBSCRIPTION.unpack(SUBSCRIPTION.pack(subscription, codec), codec) == subscription


@given(TEXTS | st.just('","status":"signed'), TEXTS | st.just(',"status":"'))
def test_a_title_is_found_whatever_the_texts_before_it_say(document_type: str, title: str) -> None:
    document = {"type": document_type, "title": title, "status": "draft", "additionalFacts": {"title": "another"}}
    assert title_in(msgspec.json.encode(document)) == title
