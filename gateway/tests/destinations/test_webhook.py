"""The request of a signed webhook while its secret is changed (C18–C21)."""

import base64
from datetime import UTC, datetime
from random import Random
from typing import Any, NamedTuple

import pytest
from gateway.tests.acceptance.page import verify_signature
from gateway.tests.bodies import subscription_patch, subscription_request
from gateway.tests.vaults import vault_for
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook as StandardWebhook

from signalpost.api.rendering import kept_answers
from signalpost.commands.batch import Batch, BatchContext, Rows
from signalpost.commands.command import Command
from signalpost.commands.secrets import PromoteSecret, RotateSecret
from signalpost.commands.subscriptions import CreateSubscription, DeleteSubscription, PatchSubscription
from signalpost.destinations.webhook import RequestKind, Webhook
from signalpost.domain.access.tenant import Tenant
from signalpost.domain.documents import sample
from signalpost.domain.documents.links import Links
from signalpost.domain.errors import Conflict
from signalpost.domain.event import Event, EventType
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND
from signalpost.store.sqlite.tables import codec_with
from signalpost.store.tables.subscriptions import SUBSCRIPTION
from signalpost_receiver import Receiver, make_token
from signalpost_receiver.errors import VerificationError

LINKS = Links(b"", "")
NOW = 1_700_000_000 * SECOND
HOUR = 3600 * SECOND
ID = "00000000-0000-4000-8000-000000000001"
EVENT = sample.event(EventType.CREATED, 1, NOW, Random(1).getrandbits)
VAULT = vault_for(1)
CODEC = codec_with(VAULT)
OWN = "an owner's own, ü"
SECRETS = [make_token(Random(number).randbytes) for number in range(6)] + [OWN, "whsec_not base64 !", "another one"]


class Shop:
    """One subscription over time. After every change it is written and read back, as a restart would."""

    def __init__(self, secret: str) -> None:
        self.now = NOW
        self.found: Subscription
        self.do(
            CreateSubscription(
                tenant_id=1,
                subscription_id=ID,
                new=subscription_request(url="https://example.com/hook?a=1"),
                secret=secret,
                retry_delays=(10,),
            )
        )

    def do(self, command: Command[Any]) -> None:
        known = {ID: self.found} if hasattr(self, "found") else {}
        rows = Rows(tenants={1: Tenant(1, "default")}, rows={Subscription: known})
        batch = Batch(rows, self.now, BatchContext(LINKS, kept_answers(LINKS), Random(1).getrandbits))
        batch.run(command)
        for changed in batch.changed(Subscription):
            self.found = SUBSCRIPTION.unpack(SUBSCRIPTION.pack(changed, CODEC), CODEC)

    def rotate(self, secret: str, overlap_hours: int) -> None:
        self.do(RotateSecret(tenant_id=1, subscription_id=ID, secret=secret, overlap_hours=overlap_hours))

    def promote(self) -> None:
        self.do(PromoteSecret(tenant_id=1, subscription_id=ID))

    def patch(self, **given: Any) -> None:
        self.do(PatchSubscription(tenant_id=1, subscription_id=ID, patch=subscription_patch(**given)))

    def headers(self, at: int, event: Event = EVENT) -> dict[str, str]:
        head = Webhook(self.found).prepare(event, 1, RequestKind.DELIVERY, at).head.decode("ascii")
        assert head.endswith("\r\n\r\n")
        lines = [line.partition(": ")[::2] for line in head.split("\r\n")[1:-2]]
        assert len(dict(lines)) == len(lines), "a header is there twice"
        return dict(lines)


def fits(headers: dict[str, str], secret: str, header: str = "plexus-webhook-signature") -> bool:
    """Whether the page's own function accepts it, as it stands there (C19)."""
    given = {"plexus-webhook-signature": headers.get(header, "")}
    return bool(verify_signature(EVENT.body, given, secret.encode()))


def standard_of(headers: dict[str, str], secret: str) -> str:
    """What a Standard Webhooks library signs with a secret: the owner is shown it in this form (C20)."""
    try:
        raw = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        form = secret if secret.startswith("whsec_") and 24 <= len(raw) <= 64 else ""
    except ValueError:
        form = ""
    library = StandardWebhook(form or "whsec_" + base64.b64encode(secret.encode()).decode())
    seconds = int(headers["webhook-timestamp"])
    return library.sign(headers["webhook-id"], datetime.fromtimestamp(seconds, UTC), EVENT.body.decode())


def signs_with(headers: dict[str, str], old: str, new: str | None = None) -> None:
    """Assert that headers are signed with these secrets and no others."""
    assert fits(headers, old)
    expected = [standard_of(headers, old)]
    if new is None:
        assert "plexus-webhook-signature-alternate" not in headers
    else:
        assert fits(headers, new, "plexus-webhook-signature-alternate")
        expected.append(standard_of(headers, new))
    assert headers["webhook-signature"].split(" ") == expected
    for secret in SECRETS:
        receiver = Receiver(secrets=secret, max_age=None)
        if secret in (old, new):
            assert receiver.verify(EVENT.body, headers).id == EVENT.id
        else:
            with pytest.raises(VerificationError):
                receiver.verify(EVENT.body, headers)


def test_without_a_rotation_the_secret_alone_signs() -> None:
    for secret in SECRETS:
        signs_with(Shop(secret).headers(NOW), secret)


@pytest.mark.parametrize("hours", [1, 24, 720])
@pytest.mark.parametrize(("old", "new"), [(SECRETS[0], SECRETS[1]), (OWN, SECRETS[0]), (SECRETS[0], OWN), (OWN, OWN)])
def test_the_overlap_ends_to_the_microsecond(old: str, new: str, hours: int) -> None:
    shop = Shop(old)
    shop.rotate(new, hours)
    end = NOW + hours * HOUR
    for at in (NOW, NOW + 1, end - SECOND, end - 1):
        signs_with(shop.headers(at), old, new)
    for at in (end, end + 1, end + 1000 * HOUR):
        signs_with(shop.headers(at), new)


def test_no_overlap_makes_the_new_secret_the_only_one_at_once_also_in_a_rotation() -> None:
    shop = Shop(SECRETS[0])
    shop.rotate(SECRETS[1], 0)
    signs_with(shop.headers(NOW), SECRETS[1])
    shop.rotate(SECRETS[2], 24)
    shop.rotate(SECRETS[3], 0)
    for at in (NOW, NOW + 24 * HOUR, NOW + 25 * HOUR):
        signs_with(shop.headers(at), SECRETS[3])


def test_a_second_rotation_waits_for_the_first_s_end() -> None:
    shop = Shop(SECRETS[0])
    shop.rotate(SECRETS[1], 1)
    for shop.now in (NOW, NOW + HOUR - 1):
        with pytest.raises(Conflict, match="under way"):
            shop.rotate(SECRETS[2], 1)
    shop.now = NOW + HOUR
    shop.rotate(SECRETS[2], 1)
    signs_with(shop.headers(shop.now), SECRETS[1], SECRETS[2])


def test_only_a_rotation_that_is_under_way_can_be_promoted() -> None:
    shop = Shop(SECRETS[0])
    with pytest.raises(Conflict, match="No rotation"):
        shop.promote()
    shop.rotate(SECRETS[1], 1)
    shop.now = NOW + HOUR
    with pytest.raises(Conflict, match="No rotation"):
        shop.promote()
    signs_with(shop.headers(shop.now), SECRETS[1])


def test_a_deletion_in_the_middle_keeps_neither_secret() -> None:
    shop = Shop(SECRETS[0])
    shop.rotate(SECRETS[1], 1)
    shop.do(DeleteSubscription(tenant_id=1, subscription_id=ID))
    assert (shop.found.secret, shop.found.next_secret, shop.found.promote_at) == ("", None, None)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_an_event_that_is_signed_piece_by_piece_makes_the_same_request(size: int) -> None:
    shop = Shop(SECRETS[0])
    shop.rotate(SECRETS[1], 1)
    for at in (NOW, NOW + HOUR - 1, NOW + HOUR):
        webhook = Webhook(shop.found)
        signing = webhook.signing(EVENT, at)
        for begin in range(0, len(EVENT.body), size):
            signing.update(EVENT.body[begin : begin + size])
        assert webhook.signed(EVENT, 2, RequestKind.REPLAY, signing) == webhook.prepare(
            EVENT, 2, RequestKind.REPLAY, at
        )


class ExpectedRotation(NamedTuple):
    """The rotation as a reader of C21 would keep it."""

    secret: str
    following: str | None = None
    until: int = 0

    def at(self, now: int) -> "ExpectedRotation":
        return self if self.following is None or now < self.until else ExpectedRotation(self.following)


STEPS = st.one_of(
    st.tuples(st.just("rotate"), st.sampled_from(SECRETS), st.sampled_from([0, 1, 2, 24])),
    st.tuples(st.just("promote")),
    st.tuples(st.just("wait"), st.sampled_from([0, 1, SECOND, HOUR - 1, HOUR, HOUR + 1, 23 * HOUR, 30 * HOUR])),
    st.tuples(st.just("patch"), st.sampled_from([{"name": "b"}, {"status": "paused"}, {"headers": {"a": "1"}}])),
)


@settings(max_examples=200)
@given(st.sampled_from(SECRETS), st.lists(STEPS, max_size=12))
def test_whatever_is_done_when_each_request_is_signed_with_the_secrets_of_its_time(first: str, steps: Any) -> None:
    shop, expected = Shop(first), ExpectedRotation(first)
    for name, *asked in steps:
        expected = expected.at(shop.now)
        under_way = expected.following is not None
        if name == "wait":
            shop.now += asked[0]
        elif name == "patch":
            shop.patch(**asked[0])
        elif name == "promote" and under_way:
            shop.promote()
            expected = ExpectedRotation(expected.following or "")
        elif name == "rotate" and asked[1] == 0:
            shop.rotate(asked[0], 0)
            expected = ExpectedRotation(asked[0])
        elif name == "rotate" and not under_way:
            shop.rotate(*asked)
            expected = ExpectedRotation(expected.secret, asked[0], shop.now + asked[1] * HOUR)
        else:
            with pytest.raises(Conflict):
                shop.promote() if name == "promote" else shop.rotate(*asked)
        for at in {shop.now, max(shop.now, expected.until - 1), max(shop.now, expected.until)}:
            then = expected.at(at)
            headers = shop.headers(at)
            assert fits(headers, then.secret)
            assert headers["webhook-signature"].split(" ") == [
                standard_of(headers, secret) for secret in (then.secret, then.following) if secret is not None
            ]
            assert ("plexus-webhook-signature-alternate" in headers) == (then.following is not None)
