from collections.abc import Callable
from datetime import timedelta
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from signalpost_receiver import (
    ConfigError,
    EventType,
    InFuture,
    InvalidJSON,
    MalformedSignature,
    Mismatch,
    MissingHeader,
    Receiver,
    ReceiverError,
    Signer,
    TooLarge,
    TooOld,
    VerificationError,
    errors,
    make_token,
)

BODY = (Path(__file__).parent / "examples" / "documentUpdated.json").read_bytes()
EVENT_ID = "8cfa669c-41cc-412c-858d-0374e2c007fc"
NOW = 1_700_000_000
OLD, NEW = "the old token", make_token(lambda size: bytes(range(size)))
PAGE, ALTERNATE = "plexus-webhook-signature", "plexus-webhook-signature-alternate"
HOUR = timedelta(hours=1)


def request(*tokens: str, body: bytes = BODY, at: int = NOW) -> dict[str, str]:
    """The headers that the gateway sends: with two tokens, those of a rotation (C21)."""
    signers = [Signer(token) for token in tokens]
    pages = zip((PAGE, ALTERNATE), (signer.page_signature(body) for signer in signers), strict=False)
    return dict(pages) | {
        "webhook-id": EVENT_ID,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(signer.standard_signature(EVENT_ID, at, body) for signer in signers),
    }


def only(headers: dict[str, str], *prefixes: str) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith(prefixes)}


def untimed(tokens: str | list[str]) -> Receiver:
    """The body's event is of 2021."""
    return Receiver(secrets=tokens, max_age=None)


def aged(*tokens: str) -> Receiver:
    return Receiver(secrets=tokens, max_age=HOUR, clock=lambda: NOW)


@pytest.mark.parametrize("prefixes", [("plexus", "webhook"), ("plexus",), ("webhook",)])
@pytest.mark.parametrize("token", [OLD, NEW])
def test_c19_c20_either_signature_is_enough(token: str, prefixes: tuple[str, ...]) -> None:
    event = untimed(token).verify(BODY, only(request(token), *prefixes))
    assert event.type is EventType.DOCUMENT_UPDATED
    assert event.id == EVENT_ID


def as_message(headers: dict[str, str]) -> Message:
    message = Message()
    for name, value in headers.items():
        message[name] = value
    return message


@pytest.mark.parametrize(
    "form",
    [
        dict,
        lambda headers: {name.title(): value for name, value in headers.items()},
        lambda headers: {name.upper(): value for name, value in headers.items()},
        lambda headers: list(headers.items()),
        lambda headers: iter(headers.items()),
        lambda headers: [(name.encode(), value.encode()) for name, value in headers.items()],
        lambda headers: {name.encode(): value.encode() for name, value in headers.items()},
        as_message,
    ],
)
def test_c19_headers_come_in_any_form_and_case(form: Callable[[dict[str, str]], Any]) -> None:
    assert untimed(OLD).verify(BODY, form(request(OLD))).id == EVENT_ID
    assert aged(OLD).verify(BODY, form(request(OLD))).id == EVENT_ID


@pytest.mark.parametrize("tokens", [[OLD], [NEW], [OLD, NEW], [NEW, OLD], ["another token", NEW]])
@pytest.mark.parametrize("prefixes", [("plexus", "webhook"), ("plexus",), ("webhook",)])
def test_c21_during_a_rotation_either_token_is_enough(tokens: list[str], prefixes: tuple[str, ...]) -> None:
    assert untimed(tokens).verify(BODY, only(request(OLD, NEW), *prefixes)).id == EVENT_ID


@pytest.mark.parametrize("sent", [OLD, NEW])
def test_c21_a_receiver_with_both_tokens_works_before_and_after(sent: str) -> None:
    assert untimed([OLD, NEW]).verify(BODY, request(sent)).id == EVENT_ID


@pytest.mark.parametrize("prefixes", [("plexus", "webhook"), ("plexus",), ("webhook",)])
def test_c19_c20_another_token_or_body_does_not_fit(prefixes: tuple[str, ...]) -> None:
    headers = only(request(OLD, NEW), *prefixes)
    with pytest.raises(Mismatch):
        untimed("another token").verify(BODY, headers)
    with pytest.raises(Mismatch):
        untimed([OLD, NEW]).verify(BODY + b" ", headers)


@pytest.mark.parametrize(("name", "value"), [("webhook-id", "another-id"), ("webhook-timestamp", str(NOW + 1))])
def test_c20_the_signature_covers_id_and_time(name: str, value: str) -> None:
    with pytest.raises(Mismatch):
        untimed(OLD).verify(BODY, only(request(OLD), "webhook") | {name: value})


def test_c20_no_part_of_a_body_passes_as_an_id_or_a_time() -> None:
    """`id.time.body` cut elsewhere gives the same signed bytes."""
    body = b'{"title":".1700000000.rest"}'
    signature = Signer(OLD).standard_signature(EVENT_ID, 1, body)
    headers = {
        "webhook-id": EVENT_ID + '.1.{"title":"',
        "webhook-timestamp": str(NOW),
        "webhook-signature": signature,
    }
    with pytest.raises(MalformedSignature):
        aged(OLD).verify(b'rest"}', headers)


def test_c20_versions_that_are_not_known_are_passed_over() -> None:
    headers = only(request(OLD), "webhook")
    headers["webhook-signature"] = "v1a,abc v2,? nonsense " + headers["webhook-signature"]
    assert untimed(OLD).verify(BODY, headers).id == EVENT_ID


@pytest.mark.parametrize(
    ("headers", "receiver"),
    [
        ({}, untimed(OLD)),
        ({"content-type": "application/json"}, untimed(OLD)),
        (only(request(OLD), "webhook-signature", "webhook-id"), untimed(OLD)),
        (only(request(OLD), "webhook-signature", "webhook-timestamp"), untimed(OLD)),
    ],
)
def test_c19_c20_a_header_that_is_needed(headers: dict[str, str], receiver: Receiver) -> None:
    with pytest.raises(MissingHeader):
        receiver.verify(BODY, headers)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (PAGE, ""),
        (PAGE, "ä" * 128),
        (PAGE, "0" * 127),
        (PAGE, "A" * 128),
        (PAGE, "0" * 128 + "\n"),
        (PAGE, "٠" * 128),
        (ALTERNATE, "x"),
        ("webhook-signature", ""),
        ("webhook-signature", "v1"),
        ("webhook-signature", "v1,"),
        ("webhook-signature", "v1," + "ä" * 44),
        ("webhook-signature", "v1,AAAA"),
        ("webhook-signature", "v2," + "A" * 43 + "="),
        ("webhook-id", ""),
        ("webhook-id", "a.b"),
        ("webhook-id", "ä"),
        ("webhook-id", "\ud800"),
        ("webhook-timestamp", ""),
        ("webhook-timestamp", "abc"),
        ("webhook-timestamp", "1.5"),
        ("webhook-timestamp", "-1"),
        ("webhook-timestamp", f"0{NOW}"),
        ("webhook-timestamp", "٣"),
        ("webhook-timestamp", "9" * 5000),
    ],
)
def test_c19_c20_headers_that_cannot_be_the_gateways(name: str, value: str) -> None:
    prefix = "plexus" if name.startswith("plexus") else "webhook"
    with pytest.raises(MalformedSignature) as caught:
        untimed(OLD).verify(BODY, only(request(OLD), prefix) | {name: value})
    assert caught.value.status == 401


@pytest.mark.parametrize("name", sorted(request(OLD, NEW)))
def test_c19_c20_a_repeated_header_is_refused(name: str) -> None:
    headers = request(OLD, NEW)
    with pytest.raises(MalformedSignature, match="more than once"):
        untimed(OLD).verify(BODY, [*headers.items(), (name.upper(), headers[name])])


def test_other_headers_may_be_repeated() -> None:
    pairs = [("accept", "a"), ("accept", "b"), *request(OLD).items()]
    assert untimed(OLD).verify(BODY, pairs).id == EVENT_ID


@pytest.mark.parametrize("age", [-60, 0, 3600])
def test_c20_the_attempts_time_within_its_bounds(age: int) -> None:
    assert aged(OLD).verify(BODY, request(OLD, at=NOW - age)).id == EVENT_ID


@pytest.mark.parametrize(("age", "error"), [(-61, InFuture), (-(10**11), InFuture), (3601, TooOld), (NOW, TooOld)])
def test_c20_the_attempts_time_beyond_them(age: int, error: type[ReceiverError]) -> None:
    with pytest.raises(error) as caught:
        aged(OLD).verify(BODY, request(OLD, at=NOW - age))
    assert caught.value.status == 400
    assert untimed(OLD).verify(BODY, request(OLD, at=NOW - age)).id == EVENT_ID


def test_c20_a_time_counts_only_with_its_signature() -> None:
    """An old request does not pass with a fresh time written over its own, whatever else fits."""
    headers = request(OLD, at=NOW - 7200) | {"webhook-timestamp": str(NOW)}
    with pytest.raises(Mismatch):
        aged(OLD).verify(BODY, headers)


def test_c13_a_body_over_the_cap_is_not_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = Receiver(secrets=OLD, max_age=None, max_body_bytes=len(BODY))
    receiver.verify(BODY, request(OLD))
    longer = BODY + b" "
    headers = request(OLD, body=longer)
    monkeypatch.delattr(Signer, "page_signature")
    monkeypatch.delattr(Signer, "standard_signature")
    with pytest.raises(TooLarge) as caught:
        receiver.verify(longer, headers)
    assert caught.value.status == 413


def test_c13_a_genuine_body_that_is_no_event() -> None:
    with pytest.raises(InvalidJSON):
        untimed(OLD).verify(b"\xff", request(OLD, body=b"\xff"))


def test_c19_a_forged_body_is_never_parsed() -> None:
    with pytest.raises(Mismatch):
        untimed(OLD).verify(b"[" * 100_000, request(OLD))


@pytest.mark.parametrize("tokens", ["", "seven77", "ends a line\n", [], [OLD, ""], None, b"bytes", [None], "\ud800"])
def test_c19_unusable_tokens_are_refused_at_construction(tokens: Any) -> None:
    with pytest.raises(ConfigError):
        Receiver(secrets=tokens)


@pytest.mark.parametrize(
    "options",
    [{"max_age": timedelta(0)}, {"max_age": 3600}, {"max_age": -HOUR}, {"skew": -HOUR}, {"max_body_bytes": 0}],
)
def test_unusable_limits_are_refused_at_construction(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Receiver(secrets=OLD, **options)


@pytest.mark.parametrize("prefixes", [("plexus", "webhook"), ("plexus",), ("webhook",)])
def test_no_error_tells_the_expected_signature_not_even_to_what_reports_local_variables(
    prefixes: tuple[str, ...],
) -> None:
    with pytest.raises(Mismatch) as caught:
        untimed(OLD).verify(BODY, only(request("another token"), *prefixes))
    shown = f"{caught.value!r} {vars(caught.value)} {caught.value.__context__!r}"
    for entry in caught.traceback[1:]:
        shown += " ".join(map(repr, entry.locals.values()))
    expected = only(request(OLD), "plexus-webhook-signature", "webhook-signature").values()
    assert not any(signature in shown for signature in expected)
    assert OLD not in shown


def test_every_error_has_its_status() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert {kind.__name__: kind.status for kind in kinds if issubclass(kind, ReceiverError)} == {
        "ReceiverError": 500,
        "ConfigError": 500,
        "UsageError": 500,
        "HandlerError": 500,
        "StoreError": 503,
        "FeedError": 503,
        "InProgress": 503,
        "Refusal": 500,
        "TooDeep": 400,
        "DuplicateKey": 400,
        "VerificationError": 401,
        "MissingHeader": 401,
        "MalformedSignature": 401,
        "Mismatch": 401,
        "PayloadError": 400,
        "TooLarge": 413,
        "InvalidJSON": 400,
        "Schema": 400,
        "ReplayError": 400,
        "TooOld": 400,
        "InFuture": 400,
    }


def test_headers_as_an_email_parser_gives_them_are_refused_as_any_others() -> None:
    """What is not ASCII comes as an object of its own."""
    for name in sorted(request(OLD, NEW)):
        parsed = message_from_bytes(name.encode() + b": \xff\n\n")
        with pytest.raises(VerificationError):
            untimed(OLD).verify(BODY, parsed)
