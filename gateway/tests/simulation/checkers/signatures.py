"""Every request is signed with the secrets of its own time, and with the key pairs that came with them, in all schemes
(C19 to C21)."""

import hmac
from base64 import b64decode, b64encode
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from gateway.tests.simulation.checkers import Checker
from gateway.tests.simulation.history import Secrets
from gateway.tests.world.network import SentRequest

from signalpost.domain.timestamps import SECOND


class Signatures(Checker):
    def sent(self, sent: SentRequest) -> None:
        if int(sent.headers["webhook-timestamp"]) != sent.wall // SECOND:
            self.fail(f"{sent} says another time than its own")
        subscriber = self.world.subscriber(sent.host)
        known = subscriber.secrets.at(sent.at)
        in_force = [each for secrets in known for each in self._in_force(secrets, sent.wall)]
        if not any(_is_signed(sent, each, with_pairs=subscriber.has_key_pair) for each in in_force):
            self.fail(f"{sent}: no signature with {known}")

    def _in_force(self, secrets: Secrets, wall: int) -> list[Secrets]:
        """Where the clock was set back over the end of a rotation, the rotation may be over or not."""
        if secrets.next is None:
            return [secrets]
        over, both = Secrets(secrets.next), secrets
        if secrets.promote_at is None:
            return [both, over, *([Secrets(secrets.instead, secrets.next)] if secrets.instead else [])]
        if wall >= secrets.promote_at:
            return [over]
        return [both, over] if self.world.wall_reached >= secrets.promote_at else [both]


def _is_signed(sent: SentRequest, secrets: Secrets, *, with_pairs: bool) -> bool:
    headers = sent.headers
    signing = [each for each in (secrets.current, secrets.next) if each is not None]
    pages = [*(_page(each, sent) for each in signing), None]
    entries = [*(_standard(each, sent) for each in signing), *(_of_pair(each, sent) for each in signing if with_pairs)]
    return (
        headers["plexus-webhook-signature"] == pages[0]
        and headers.get("plexus-webhook-signature-alternate") == pages[1]
        and headers["webhook-signature"] == " ".join(entries)
    )


def _page(secret: str, sent: SentRequest) -> str:
    return hmac.digest(secret.encode(), sent.body, "sha512").hex()


def _standard(secret: str, sent: SentRequest) -> str:
    key = b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    return f"v1,{b64encode(hmac.digest(key, _signed(sent), 'sha256')).decode()}"


def _of_pair(secret: str, sent: SentRequest) -> str:
    private = Ed25519PrivateKey.from_private_bytes(sha256(secret.encode()).digest())
    return f"v1a,{b64encode(private.sign(_signed(sent))).decode()}"


def _signed(sent: SentRequest) -> bytes:
    return f"{sent.event_id}.{sent.headers['webhook-timestamp']}.".encode() + sent.body
