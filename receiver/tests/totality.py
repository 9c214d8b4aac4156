"""What holds for whatever arrives: for the property tests, and for `make fuzz-receiver`."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

from receiver.tests.requests import NOW, SECRET

from signalpost_receiver import (
    Event,
    PayloadError,
    Receiver,
    ReceiverError,
    Refusal,
    ReplayError,
    Schema,
    Signer,
    UsageError,
    VerificationError,
    parse,
)
from signalpost_receiver.decoding import decode, decode_noting_repeated, encode
from signalpost_receiver.envelope import event_of
from signalpost_receiver.stores.base import item_of
from signalpost_receiver.usual_body import read_usual

RECEIVER = Receiver(secrets=SECRET, clock=lambda: NOW)
RECEIVER.on()(lambda _event: None)
SIGNER = Signer(SECRET)
EVENT_ID = "019e6f5e-41cc-712c-858d-0374e2c007fc"


def assert_forged(body: Any, headers: Any) -> None:
    """Nothing that is not signed passes, and nothing is raised that a caller does not expect."""
    try:
        RECEIVER.receive(body, headers)
    except (VerificationError, PayloadError, UsageError) as error:
        _assert_safe(error, body)
        return
    raise AssertionError("a request that nobody signed passed")


def assert_signed(body: bytes, *, page_only: bool) -> None:
    """A signed body is an event, about which everything can be done, or is refused for what it is."""
    headers = {"plexus-webhook-signature": SIGNER.page_signature(body)}
    if not page_only:
        signature = SIGNER.standard_signature(EVENT_ID, NOW, body)
        headers |= {"webhook-id": EVENT_ID, "webhook-timestamp": str(NOW), "webhook-signature": signature}
    try:
        event = RECEIVER.verify(body, headers)
    except (PayloadError, ReplayError) as error:
        _assert_safe(error, body)
        return
    _assert_sound(event, body)


def assert_read_alike(body: bytes) -> None:
    """What is recognised as a whole is what the decoder reads, to the digit. No name comes twice but in the facts."""
    usual = read_usual(body)
    if usual is None:
        return
    value, repeated = decode_noting_repeated(body)
    assert encode(usual) == encode(value)
    assert _event_or_error(lambda: parse(body)) == _event_or_error(lambda: event_of(value))
    assert all(each == usual["data"]["document"]["additionalFacts"] for each in repeated)


def _event_or_error(read: Callable[[], Event]) -> Event | str:
    try:
        return read()
    except Schema as error:
        return str(error)


def _assert_safe(error: ReceiverError, body: Any) -> None:
    shown = f"{error!r} {error.__context__!r} {error.__cause__!r}"
    assert SECRET not in shown
    assert isinstance(error, UsageError) or (isinstance(error, Refusal) and 400 <= error.status <= 413)
    if isinstance(body, bytes):
        assert SIGNER.page_signature(body) not in shown


def _assert_sound(event: Event, body: bytes) -> None:
    hash(event)
    assert copy.deepcopy(event) == event
    assert pickle.loads(pickle.dumps(event)) == event
    assert item_of(event, ordered=True).position.isalnum()
    event.id.encode()
    assert parse(encode(decode(body))) == parse(body)
    assert_read_alike(body)
    if event.document is not None and event.document.contract_value is not None:
        int(event.document.contract_value)
