"""A webhook that is signed with a key pair, too: when which of two pairs signs, whole or in pieces."""

from random import Random

import pytest
from msgspec.structs import replace

from signalpost.destinations.webhook import RequestKind, Webhook
from signalpost.domain.documents import sample
from signalpost.domain.event import EventType
from signalpost.domain.key_pair import made_of
from signalpost.domain.subscription import UNSAVED
from signalpost.domain.timestamps import SECOND
from signalpost_receiver import Receiver, VerificationError

NOW = 1_700_000_000 * SECOND
EVENT = sample.event(EventType.CREATED, 1, NOW, Random(1).getrandbits)
OLD, NEW = made_of(bytes(range(32))), made_of(bytes(range(1, 33)))
PLAIN = replace(UNSAVED, url="https://example.com/hook", secret="the gateway's own")
WITH_PAIR = replace(PLAIN, key_pair=OLD)
ROTATING = replace(WITH_PAIR, next_secret="the next of these", next_key_pair=NEW, promote_at=NOW + SECOND)


def head(webhook: Webhook, now: int = NOW, *, in_pieces: bool = False) -> dict[str, str]:
    if in_pieces:
        signing = webhook.signing(EVENT, now)
        for at in range(0, len(EVENT.body), 100):
            signing.update(EVENT.body[at : at + 100])
        request = webhook.signed(EVENT, 1, RequestKind.DELIVERY, signing)
    else:
        request = webhook.prepare(EVENT, 1, RequestKind.DELIVERY, now)
    return dict(line.partition(": ")[::2] for line in request.head.decode().split("\r\n")[1:-2])


def fits(headers: dict[str, str], secret: str) -> bool:
    try:
        Receiver(secrets=secret, max_age=None).verify(EVENT.body, headers)
    except VerificationError:
        return False
    return True


@pytest.mark.parametrize("in_pieces", [False, True])
def test_c21_both_pairs_sign_until_the_rotation_ends(in_pieces: bool) -> None:
    for subscription, now, expected in (
        (WITH_PAIR, NOW, [True, False]),
        (ROTATING, NOW, [True, True]),
        (ROTATING, NOW + SECOND, [False, True]),
        (ROTATING.with_secrets_of(NOW + SECOND), NOW + SECOND, [False, True]),
        (replace(ROTATING, next_key_pair=None), NOW, [True, False]),
        (replace(ROTATING, next_key_pair=None), NOW + SECOND, [True, False]),
        (replace(ROTATING, next_key_pair=None).promoted(NOW), NOW, [True, False]),
    ):
        headers = head(Webhook(subscription), now, in_pieces=in_pieces)
        assert [fits(headers, pair.public_key) for pair in (OLD, NEW)] == expected


def test_c20_the_signatures_of_secrets_are_as_without_it() -> None:
    plain, with_pair = head(Webhook(PLAIN)), head(Webhook(WITH_PAIR))
    standard = plain.pop("webhook-signature")
    assert with_pair.pop("webhook-signature").startswith(f"{standard} v1a,")
    assert with_pair == plain
    assert fits(head(Webhook(WITH_PAIR)), PLAIN.secret)


def test_what_stands_in_for_a_secret_stands_in_for_the_pairs() -> None:
    headers = head(Webhook(ROTATING.signing_with("a text that is no secret")))
    assert "v1a," in headers["webhook-signature"]
    assert not fits(headers, OLD.public_key)
    assert not fits(headers, NEW.public_key)


def test_no_repr_shows_a_private_key() -> None:
    assert repr(OLD.seed) not in repr(OLD)
    assert OLD.public_key in repr(OLD)
