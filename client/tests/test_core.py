"""What is sent, and what is made of each answer, without any I/O."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import UNSET

from signalpost_client import errors, shapes
from signalpost_client.core import (
    DEADLINE,
    LONGEST_PAUSE,
    Address,
    Answer,
    Call,
    Loss,
    OngoingCall,
    Patience,
    Wait,
    path,
)

KEY = "sp_" + "k" * 43
ADDRESS = Address("http://gateway.example.com/behind/", KEY, None)
READ = Call[shapes.Number]("GET", path("numbers"), {200: shapes.Number})
CHANGE = Call[shapes.Number]("POST", path("numbers"), {201: shapes.Number}, body={"number": "1.0"}, is_keyed=True)
UNKEYED = Call[shapes.Number]("POST", path("numbers"), {201: shapes.Number}, body={"number": "1.0"})


def problem(status: int, code: str, **headers: str) -> Answer:
    document = {"title": "No", "status": status, "detail": "Not now.", "code": code, "requestId": "0123456789abcdef"}
    return Answer(status, headers, json.dumps(document).encode())


def ongoing(call: Call[Any], deadline: float = DEADLINE, jitter: Callable[[], float] = lambda: 1.0) -> OngoingCall[Any]:
    return OngoingCall(ADDRESS, call, Patience(deadline, 0.0, jitter))


# --- What is sent -----------------------------------------------------------------------------------------------------


def test_the_path_of_the_gateway_stays_before_that_of_the_call_whose_parts_are_escaped() -> None:
    call = Call[None]("GET", path("documents", "../keys?x"), {}, query={"status": "a b", "deleted": True, "type": None})
    request = ADDRESS.request(call, {})
    assert request.url == "http://gateway.example.com/behind/v1/documents/..%2Fkeys%3Fx?status=a+b&deleted=true"


def test_what_is_not_given_is_not_sent_and_null_is() -> None:
    request = ADDRESS.request(Call[None]("PATCH", path("documents"), {}, body={"title": UNSET, "startDate": None}), {})
    assert request.content == b'{"startDate":null}'
    assert request.headers["content-type"] == "application/json"


def test_each_change_has_a_key_of_its_own_and_a_read_has_none() -> None:
    keys = [ongoing(CHANGE).request.headers["idempotency-key"] for _ in range(2)]
    assert len(set(keys)) == 2
    assert "idempotency-key" not in ongoing(READ).request.headers


@pytest.mark.parametrize("key", ["sp_x ", "sp_x\n", "sp_ö", "sp_x\x00"])
def test_a_key_that_cannot_be_sent_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ValueError, match="printable") as refused:
        Address("http://127.0.0.1", key, None)
    assert key not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8080",
        "ftp://a",
        "http://",
        "http://me:secret@a",
        "http://a/?key=secret",
        "http://me:secret@[",
        "http://a:secret",
    ],
)
def test_a_url_that_is_none_of_a_gateway_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ValueError, match="http") as refused:
        Address(url, KEY, None)
    assert "secret" not in str(refused.value)


def test_an_address_is_shown_without_its_key() -> None:
    assert repr(ADDRESS) == "'http://gateway.example.com/behind'"


# --- Repeats ----------------------------------------------------------------------------------------------------------


def test_a_result_is_typed_and_has_the_headers_of_its_answer() -> None:
    found = ongoing(CHANGE).answered(Answer(201, {"etag": '"1"'}, b'{"number": "1.0", "seal": {"of": "wax"}}'), 0.0)
    assert isinstance(found, shapes.Number)
    assert found.number == "1.0"
    assert found.response_headers["etag"] == '"1"'
    assert found.unknown_members == {"seal": {"of": "wax"}}


@pytest.mark.parametrize(("status", "code"), [(429, "too_many_requests"), (503, "stopping"), (503, "outcome_unknown")])
def test_a_change_is_repeated_with_its_key_after(status: int, code: str) -> None:
    one = ongoing(CHANGE)
    key = one.request.headers["idempotency-key"]
    assert isinstance(one.answered(problem(status, code), 0.0), Wait)
    assert one.request.headers["idempotency-key"] == key


def test_the_gateway_says_how_long_to_wait_at_least() -> None:
    wait = ongoing(CHANGE).answered(problem(503, "stopping", **{"retry-after": "7"}), 0.0)
    assert 7 < wait.seconds < 8


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    with pytest.raises(errors.Unavailable) as raised:
        ongoing(CHANGE).answered(problem(503, "disk_nearly_full", **{"retry-after": "30"}), 0.0)
    assert raised.value.retry_after == 30


def test_pauses_grow_up_to_a_bound_and_end_with_the_deadline() -> None:
    one, now, waits = ongoing(READ), 0.0, list[float]()

    def try_for_ever() -> None:
        nonlocal now
        while True:
            one.timeout(now)
            waits.append(one.lost(Loss("refused", was_sent=False), now).seconds)
            now += waits[-1]

    with pytest.raises(errors.NoAnswer) as raised:
        try_for_ever()
    assert waits[:4] == [0.1, 0.2, 0.4, 0.8]
    assert max(waits) == LONGEST_PAUSE
    assert now < DEADLINE
    assert f"after {len(waits) + 1} tries" in str(raised.value)


def test_pauses_of_many_clients_are_spread() -> None:
    assert ongoing(READ, jitter=lambda: 0.0).lost(Loss("", was_sent=False), 0.0).seconds == 0.05


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 412, 413, 415, 416, 422, 431, 500])
def test_what_a_repeat_cannot_mend_is_raised_at_once_by_its_class(status: int) -> None:
    with pytest.raises(errors.Problem) as raised:
        ongoing(CHANGE).answered(problem(status, "some_code"), 0.0)
    assert type(raised.value) is errors.BY_STATUS.get(status, errors.Problem)
    assert (raised.value.status, raised.value.code) == (status, "some_code")
    assert raised.value.request_id == "0123456789abcdef"


def test_what_has_no_key_is_repeated_only_if_nothing_was_done() -> None:
    assert isinstance(ongoing(UNKEYED).answered(problem(503, "stopping"), 0.0), Wait)
    assert isinstance(ongoing(UNKEYED).lost(Loss("refused", was_sent=False), 0.0), Wait)
    with pytest.raises(errors.Unavailable):
        ongoing(UNKEYED).answered(problem(503, "outcome_unknown"), 0.0)
    with pytest.raises(errors.NoAnswer) as cut:
        ongoing(UNKEYED).lost(Loss("cut", was_sent=True), 0.0)
    assert cut.value.outcome_unknown
    with pytest.raises(errors.NoAnswer) as proxied:
        ongoing(UNKEYED).answered(Answer(502, {}, b"<html>"), 0.0)
    assert proxied.value.outcome_unknown


def test_a_lost_change_says_whether_it_may_have_been_made_and_with_which_key_to_repeat_it() -> None:
    one = ongoing(CHANGE, deadline=0.01)
    with pytest.raises(errors.DeadlinePassed) as raised:
        one.lost(Loss("it took too long", was_sent=True, timed_out=True), 0.0)
    assert raised.value.outcome_unknown
    assert raised.value.idempotency_key == one.request.headers["idempotency-key"]
    assert "may have been made" in str(raised.value)


def test_a_try_that_can_be_repeated_leaves_time_for_others_and_one_that_cannot_has_it_all() -> None:
    assert ongoing(CHANGE).timeout(0.0) == DEADLINE / 3
    assert ongoing(CHANGE).timeout(28.0) == 2.0
    assert ongoing(UNKEYED).timeout(5.0) == 25.0


def test_a_gateway_without_the_call_is_said_to_be_older() -> None:
    with pytest.raises(errors.UnknownCall):
        ongoing(READ).answered(problem(404, "no_such_path"), 0.0)


@pytest.mark.parametrize("content", [b"<html>", b"", b"{}", b"[]", b'{"number": 1}'])
def test_an_answer_that_is_none_is_said_to_be_unexpected(content: bytes) -> None:
    with pytest.raises(errors.UnexpectedAnswer) as raised:
        ongoing(READ).answered(Answer(200, {}, content), 0.0)
    assert raised.value.__suppress_context__


@pytest.mark.parametrize(
    "answer", [Answer(302, {"location": "/"}, b""), Answer(404, {}, b"nginx"), Answer(500, {}, b"")]
)
def test_something_that_is_no_gateway_is_said_to_be_none(answer: Answer) -> None:
    with pytest.raises(errors.UnexpectedAnswer, match="Is the URL right"):
        ongoing(READ).answered(answer, 0.0)


def test_no_error_has_the_key_in_it() -> None:
    for answer in (problem(401, "unauthorized"), Answer(200, {}, b"<html>"), Answer(502, {}, b"")):
        with pytest.raises(errors.SignalpostError) as raised:
            OngoingCall(ADDRESS, CHANGE, Patience(0.001, 0.0)).answered(answer, 0.0)
        assert KEY not in f"{raised.value} {raised.value!r} {vars(raised.value)}"
