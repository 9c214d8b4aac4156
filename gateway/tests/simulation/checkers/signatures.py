"""Every request is signed with the secrets of its own time, in both schemes (C19 to C21)."""

import hmac
from base64 import b64decode, b64encode

from gateway.tests.simulation.checkers import Checker
from gateway.tests.simulation.history import Secrets
from gateway.tests.world.network import SentRequest

from signalpost.domain.timestamps import SECOND


class Signatures(Checker):
    def sent(self, sent: SentRequest) -> None:
        if int(sent.headers["webhook-timestamp"]) != sent.wall // SECOND:
            self.fail(f"{sent} says another time than its own")
        known = self.world.subscriber(sent.host).secrets.at(sent.at)
        if not any(_is_signed(sent, pair) for secrets in known for pair in self._in_force(secrets, sent.wall)):
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


def _is_signed(sent: SentRequest, secrets: Secrets) -> bool:
    headers = sent.headers
    page, standard = _page(secrets.current, sent), _standard(secrets.current, sent)
    if secrets.next is None:
        return (
            headers["plexus-webhook-signature"] == page
            and headers["webhook-signature"] == standard
            and "plexus-webhook-signature-alternate" not in headers
        )
    return (
        headers["plexus-webhook-signature"] == page
        and headers.get("plexus-webhook-signature-alternate") == _page(secrets.next, sent)
        and headers["webhook-signature"] == f"{standard} {_standard(secrets.next, sent)}"
    )


def _page(secret: str, sent: SentRequest) -> str:
    return hmac.digest(secret.encode(), sent.body, "sha512").hex()


def _standard(secret: str, sent: SentRequest) -> str:
    key = b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    signed = f"{sent.event_id}.{sent.headers['webhook-timestamp']}.".encode() + sent.body
    return f"v1,{b64encode(hmac.digest(key, signed, 'sha256')).decode()}"
