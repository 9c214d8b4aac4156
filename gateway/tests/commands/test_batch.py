"""Commands decided together: numbers and times, read-your-writes, refusals that harm no other command, idempotency."""

import json
from random import Random
from typing import Any

import pytest
from gateway.tests.bodies import document_patch, new_document
from hypothesis import given
from hypothesis import strategies as st

from signalpost.api.http.response import Response
from signalpost.api.rendering import EVENT_HEADER, kept_answers, respond
from signalpost.commands.batch import IDEMPOTENCY_KEPT, Batch, BatchContext, Rows
from signalpost.commands.command import BatchView, Command, Decision, IdempotencyKey, Stamp
from signalpost.commands.documents import CreateDocument, DeleteDocument, PatchDocument
from signalpost.domain.access.tenant import Tenant
from signalpost.domain.documents.links import Links
from signalpost.domain.errors import CallerError, Invalid, NotFound
from signalpost.domain.event import time_of
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND, parse_timestamp

LINKS = Links(b"", "")
NOW = 1_700_000_000 * SECOND
IDS = [f"00000000-0000-4000-8000-{n:012d}" for n in range(10)]


class Tenants:
    """What a database would keep between batches."""

    def __init__(self, *tenants: Tenant) -> None:
        self.rows: dict[str, Any] = {"tenants": {tenant.id: tenant for tenant in tenants or [Tenant(1, "default")]}}
        self.rows |= {"documents": {}, "rows": {Subscription: {}}, "answers": {}}
        self.events: list[Any] = []
        self._random = Random(1)

    def batch(self, now: int) -> Batch:
        return Batch(Rows(**self.rows), now, BatchContext(LINKS, kept_answers(LINKS), self._random.getrandbits))

    def keep(self, batch: Batch) -> None:
        self.rows["tenants"] |= batch.tenants.changed
        self.rows["documents"] |= batch.documents.changed
        self.rows["rows"][Subscription] |= {each.id: each for each in batch.changed(Subscription)}
        self.rows["answers"] |= batch.answers.changed
        self.events += batch.events

    def run(self, now: int, *commands: Command[Any]) -> list[Response | CallerError]:
        batch = self.batch(now)
        answers: list[Response | CallerError] = []
        for command in commands:
            try:
                answers.append(respond(batch.run(command), LINKS))
            except CallerError as refused:
                answers.append(refused)
        self.keep(batch)
        return answers


def create(document_id: str = IDS[0], *, tenant: int = 1, key: IdempotencyKey | None = None) -> CreateDocument:
    new = new_document()
    return CreateDocument(tenant_id=tenant, document_id=document_id, new=new, source_app="app", idempotency=key)


def patch(document_id: str, title: str, *, tenant: int = 1, key: IdempotencyKey | None = None,
          if_match: frozenset[str] | None = None) -> PatchDocument:  # fmt: skip
    return PatchDocument(
        tenant_id=tenant, document_id=document_id, patch=document_patch(title=title), idempotency=key, if_match=if_match
    )


def delete(document_id: str, *, tenant: int = 1) -> DeleteDocument:
    return DeleteDocument(tenant_id=tenant, document_id=document_id)


def key(name: str = "k", request: bytes = b"one", api_key: int = 1) -> IdempotencyKey:
    return IdempotencyKey(api_key, name, request)


def replayed(answer: object) -> bool:
    assert isinstance(answer, Response)
    return ("idempotent-replayed", "true") in answer.headers


def named_event(answer: object) -> str | None:
    assert isinstance(answer, Response)
    return dict(answer.headers).get(EVENT_HEADER)


# --- Numbers and times ------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(-10, 10), st.integers(1, 2), st.integers(0, 9)), max_size=30))
def test_numbers_have_no_gap_and_times_strictly_increase_whatever_the_clock_does(
    steps: list[tuple[int, int, int]],
) -> None:
    """C5, C2: also when the clock steps back; id, createdAt and sequence agree."""
    tenants = Tenants(Tenant(1, "a"), Tenant(2, "b"))
    now = NOW
    for step, tenant, count in steps:
        now += step
        tenants.run(now, *(create(IDS[n], tenant=tenant) for n in range(count)))
    for tenant in (1, 2):
        events = [event for event in tenants.events if event.tenant_id == tenant]
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        bodies = [json.loads(event.body) for event in events]
        times = [body["createdAt"] for body in bodies]
        assert times == sorted(set(times))
        assert [body["id"] for body in bodies] == sorted(body["id"] for body in bodies)
        for event, body in zip(events, bodies, strict=True):
            assert event.at == parse_timestamp(body["createdAt"]) == time_of(body["id"])
            assert event.id == body["id"]


def test_a_clock_that_stands_still_gives_a_microsecond_to_each_event() -> None:
    """C5"""
    tenants = Tenants()
    tenants.run(NOW, create(IDS[0]), create(IDS[1]), create(IDS[2]))
    assert [event.at for event in tenants.events] == [NOW, NOW + 1, NOW + 2]


def test_tenants_have_their_own_numbers_and_documents() -> None:
    tenants = Tenants(Tenant(1, "a"), Tenant(2, "b"))
    answers = tenants.run(
        NOW, create(tenant=1), create(tenant=2), patch(IDS[0], "B", tenant=2), create(IDS[1], tenant=1)
    )
    assert [(event.tenant_id, event.sequence) for event in tenants.events] == [(1, 1), (2, 1), (2, 2), (1, 2)]
    assert all(isinstance(answer, Response) for answer in answers)
    [refused] = tenants.run(NOW, patch(IDS[1], "C", tenant=2))
    assert isinstance(refused, NotFound)


# --- Together ---------------------------------------------------------------------------------------------------------

COMMANDS = st.lists(
    st.one_of(
        st.builds(create, st.sampled_from(IDS[:3])),
        st.builds(
            patch,
            st.sampled_from(IDS[:3]),
            st.sampled_from("ABC"),
            if_match=st.none() | st.sampled_from(['"1"', '"2"', "*"]).map(lambda tag: frozenset({tag})),
            key=st.none() | st.sampled_from("kl").map(key),
        ),
        st.builds(delete, st.sampled_from(IDS[:3])),
    ),
    max_size=15,
)


@given(COMMANDS, st.lists(st.integers(1, 5)))
def test_a_batch_comes_to_the_same_as_its_commands_one_by_one(commands: list[Command[Any]], cuts: list[int]) -> None:
    """Read-your-writes: each command sees what those before it in its batch changed."""
    single, batched = Tenants(), Tenants()
    one_by_one = [answer for command in commands for answer in single.run(NOW, command)]
    together: list[Response | CallerError] = []
    rest = list(commands)
    for size in [*cuts, len(commands) + 1]:
        together += batched.run(NOW, *rest[:size])
        rest = rest[size:]
    assert [type(answer) for answer in together] == [type(answer) for answer in one_by_one]
    assert [a for a in together if isinstance(a, Response)] == [a for a in one_by_one if isinstance(a, Response)]
    assert batched.rows == single.rows
    assert [(e.sequence, e.type, e.document_id) for e in batched.events] == [
        (e.sequence, e.type, e.document_id) for e in single.events
    ]


def test_a_refused_command_changes_nothing_and_harms_no_other() -> None:
    with_it, without = Tenants(), Tenants()
    answers = with_it.run(NOW, create(IDS[0]), patch(IDS[1], "B", key=key()), create(IDS[2]))
    without.run(NOW, create(IDS[0]), create(IDS[2]))
    assert isinstance(answers[1], NotFound)
    assert with_it.rows == without.rows
    assert [event.sequence for event in with_it.events] == [1, 2]


class Explodes(CreateDocument, frozen=True, kw_only=True):
    def decide(self, view: BatchView, stamp: Stamp) -> Decision[Any]:
        raise ZeroDivisionError


def test_a_defect_in_one_command_leaves_the_batch_as_it_was() -> None:
    tenants = Tenants()
    batch = tenants.batch(NOW)
    batch.run(create(IDS[0]))
    with pytest.raises(ZeroDivisionError):
        batch.run(Explodes(tenant_id=1, document_id=IDS[1], new=new_document(), source_app="", idempotency=key()))
    batch.run(create(IDS[2]))
    assert [event.sequence for event in batch.events] == [1, 2]
    assert set(batch.documents.changed) == {(1, IDS[0]), (1, IDS[2])}
    assert batch.answers.changed == {}


def test_what_was_read_for_a_batch_is_not_changed_by_it() -> None:
    tenants = Tenants()
    tenants.run(NOW, create())
    before = {name: dict(rows) for name, rows in tenants.rows.items()}
    tenants.batch(NOW).run(patch(IDS[0], "B", key=key()))
    assert tenants.rows == before


# --- Idempotency ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_one_batch", [True, False])
def test_a_repeat_answers_the_same_and_does_nothing(in_one_batch: bool) -> None:
    tenants = Tenants()
    if in_one_batch:
        first, second = tenants.run(NOW, create(IDS[0], key=key()), create(IDS[1], key=key()))
    else:
        [first] = tenants.run(NOW, create(IDS[0], key=key()))
        [second] = tenants.run(NOW + 1, create(IDS[1], key=key()))
    assert isinstance(first, Response)
    assert isinstance(second, Response)
    assert not replayed(first)
    assert replayed(second)
    assert (second.status, second.body) == (first.status, first.body)
    assert second.headers == (*first.headers, ("idempotent-replayed", "true"))
    assert len(tenants.events) == 1


def test_the_answer_to_a_change_names_the_event_that_it_made() -> None:
    tenants = Tenants()
    answers = tenants.run(
        NOW, create(IDS[0], key=key()), create(IDS[1], key=key()), patch(IDS[0], "A"), patch(IDS[0], "B"),
        patch(IDS[9], "B"), delete(IDS[0]),
    )  # fmt: skip
    made, repeated, unchanged, changed, refused, deleted = answers
    created, updated, gone = (event.id for event in tenants.events)
    assert named_event(made) == named_event(repeated) == created
    assert named_event(unchanged) is None
    assert isinstance(refused, NotFound)
    assert [named_event(changed), named_event(deleted)] == [updated, gone]


def test_a_repeat_answers_what_was_answered_even_if_the_document_moved_on() -> None:
    tenants = Tenants()
    [first] = tenants.run(NOW, create(key=key()))
    tenants.run(NOW, patch(IDS[0], "B"), delete(IDS[0]))
    [again] = tenants.run(NOW, create(key=key()))
    assert isinstance(first, Response)
    assert isinstance(again, Response)
    assert again.body == first.body
    assert len(tenants.events) == 3


@pytest.mark.parametrize("in_one_batch", [True, False])
def test_another_request_under_the_same_key_is_invalid(in_one_batch: bool) -> None:
    tenants = Tenants()
    commands = [create(IDS[0], key=key(request=b"one")), create(IDS[1], key=key(request=b"two"))]
    answers = (
        tenants.run(NOW, *commands)
        if in_one_batch
        else [*tenants.run(NOW, commands[0]), *tenants.run(NOW, commands[1])]
    )
    assert isinstance(answers[1], Invalid)
    assert answers[1].code == "idempotency_key_reused"
    assert len(tenants.events) == 1


def test_keys_of_other_api_keys_and_other_tenants_are_other_keys() -> None:
    tenants = Tenants(Tenant(1, "a"), Tenant(2, "b"))
    answers = tenants.run(
        NOW,
        create(IDS[0], key=key(api_key=1)),
        create(IDS[1], key=key(api_key=2, request=b"two")),
        create(IDS[2], tenant=2, key=key(api_key=1, request=b"three")),
    )
    assert not any(replayed(answer) for answer in answers)
    assert len(tenants.events) == 3


def test_a_key_is_remembered_for_24_hours() -> None:
    assert IDEMPOTENCY_KEPT == 24 * 3600 * SECOND
    tenants = Tenants()
    tenants.run(NOW, create(IDS[0], key=key()))
    [again] = tenants.run(NOW + IDEMPOTENCY_KEPT - 1, create(IDS[1], key=key()))
    assert replayed(again)
    [later] = tenants.run(NOW + IDEMPOTENCY_KEPT, create(IDS[1], key=key(request=b"two")))
    assert not replayed(later)
    [again] = tenants.run(NOW + IDEMPOTENCY_KEPT + 1, create(IDS[2], key=key(request=b"two")))
    assert replayed(again)
    assert len(tenants.events) == 2


def test_the_same_request_under_a_key_that_has_expired_is_carried_out_again() -> None:
    """The answer may be there for a while yet, until it is pruned."""
    tenants = Tenants()
    tenants.run(NOW, create(IDS[0], key=key()))
    [later] = tenants.run(NOW + IDEMPOTENCY_KEPT, create(IDS[1], key=key()))
    assert not replayed(later)
    assert len(tenants.events) == 2


def test_a_refusal_is_not_remembered() -> None:
    tenants = Tenants()
    [refused] = tenants.run(NOW, patch(IDS[0], "B", key=key()))
    assert isinstance(refused, NotFound)
    tenants.run(NOW, create(IDS[0]))
    [answer] = tenants.run(NOW, patch(IDS[0], "B", key=key()))
    assert not replayed(answer)
    assert len(tenants.events) == 2


def test_a_change_of_nothing_is_remembered_too() -> None:
    tenants = Tenants()
    tenants.run(NOW, create(IDS[0]))
    tenants.run(NOW, patch(IDS[0], "A", key=key()), patch(IDS[0], "B"))
    [again] = tenants.run(NOW, patch(IDS[0], "A", key=key()))
    assert isinstance(again, Response)
    assert replayed(again)
    assert json.loads(again.body)["title"] == "A"
    assert len(tenants.events) == 2
