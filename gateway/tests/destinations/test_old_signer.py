"""Signatures of other systems beside the gateway's own: what receivers that were written for these verify."""

import base64
import hmac
from random import Random

import pytest
from gateway.tests.bodies import subscription_request
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from signalpost.destinations.old_signer import OldSigner
from signalpost.destinations.webhook import RequestKind, Webhook
from signalpost.domain.documents import sample
from signalpost.domain.event import EventType
from signalpost.domain.old_signature import Algorithm, Encoding, OldSignature, with_secrets
from signalpost.domain.subscription import UNSAVED
from signalpost.domain.timestamps import SECOND
from signalpost_receiver import Receiver

NOW = 1_700_000_000 * SECOND
EVENT = sample.event(EventType.CREATED, 1, NOW, Random(1).getrandbits)
SECRET = "the gateway's own"
OLD = [
    {
        "header": "X-Convoy-Signature",
        "over": "{timestamp},{body}",
        "prefix": "t={timestamp},v1=",
        "secret": "convoy's",
    },
    {"header": "X-Outpost-Signature", "algorithm": "sha1", "encoding": "base64", "secret": "outpost's"},
]
SUBSCRIPTION = replace(
    UNSAVED,
    url="https://example.com/hook",
    secret=SECRET,
    sign_also=with_secrets(subscription_request(signAlso=OLD).sign_also, ()),
)


def headers_of(head: bytes) -> dict[str, str]:
    lines = [line.partition(": ")[::2] for line in head.decode().split("\r\n")[1:-2]]
    assert len(dict(lines)) == len(lines), "a header is there twice"
    return dict(lines)


@given(
    body=st.binary(max_size=200),
    algorithm=st.sampled_from(Algorithm),
    encoding=st.sampled_from(["hex", "base64"]),
    before=st.sampled_from(["", "{timestamp}.", "{id}.{timestamp}.", "v0:{timestamp}:"]),
    after=st.sampled_from(["", ".{timestamp}", "{id}"]),
    secret=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200),
    cuts=st.lists(st.integers(0, 200), max_size=4),
)
def test_a_signature_is_the_keyed_hash_of_what_was_asked_for_in_pieces_or_not(
    body: bytes, algorithm: Algorithm, encoding: Encoding, before: str, after: str, secret: str, cuts: list[int]
) -> None:
    signer = OldSigner(OldSignature("X-Old", algorithm, encoding, f"{before}{{body}}{after}", "p=", secret))
    around = [text.replace("{timestamp}", "17").replace("{id}", EVENT.id).encode() for text in (before, after)]
    mac = hmac.new(secret.encode(), around[0] + body + around[1], algorithm).digest()
    expected = f"X-Old: p={mac.hex() if encoding == 'hex' else base64.b64encode(mac).decode()}\r\n"
    assert signer.line(EVENT.id, 17, body) == expected
    signing = signer.signing(EVENT.id, 17)
    places = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    for begin, end in zip(places, [*places[1:], len(body)], strict=True):
        signing.update(body[begin:end])
    assert signing.line() == expected


def test_receivers_of_other_systems_verify_beside_those_of_the_contract() -> None:
    """Convoy's and Outpost's receivers check their own headers, and C19, C20 hold as ever."""
    request = Webhook(SUBSCRIPTION).prepare(EVENT, 1, RequestKind.DELIVERY, NOW)
    headers = headers_of(request.head)
    moment, _, version = headers["X-Convoy-Signature"].partition(",v1=")
    signed = moment.removeprefix("t=").encode() + b"," + request.body
    assert moment == "t=1700000000"
    assert version == hmac.new(b"convoy's", signed, "sha256").hexdigest()
    outposts = hmac.new(b"outpost's", request.body, "sha1").digest()
    assert headers["X-Outpost-Signature"] == base64.b64encode(outposts).decode()
    assert Receiver(secrets=SECRET, max_age=None).verify(request.body, headers).id == EVENT.id


@pytest.mark.parametrize("rotates", [False, True])
def test_a_large_event_is_signed_alike_in_pieces(*, rotates: bool) -> None:
    subscription = replace(SUBSCRIPTION, next_secret="the next one", promote_at=2 * NOW) if rotates else SUBSCRIPTION
    webhook = Webhook(subscription)
    signing = webhook.signing(EVENT, NOW)
    for at in range(0, len(EVENT.body), 7):
        signing.update(EVENT.body[at : at + 7])
    in_pieces = webhook.signed(EVENT, 2, RequestKind.REPLAY, signing)
    assert in_pieces == webhook.prepare(EVENT, 2, RequestKind.REPLAY, NOW)
    assert b"X-Convoy-Signature: " in in_pieces.head


def test_a_subscription_without_any_sends_what_it_always_sent() -> None:
    plain = replace(SUBSCRIPTION, sign_also=())
    with_old = headers_of(Webhook(SUBSCRIPTION).prepare(EVENT, 1, RequestKind.DELIVERY, NOW).head)
    without = headers_of(Webhook(plain).prepare(EVENT, 1, RequestKind.DELIVERY, NOW).head)
    assert {name: value for name, value in with_old.items() if name in without} == without
    assert set(with_old) - set(without) == {"X-Convoy-Signature", "X-Outpost-Signature"}
