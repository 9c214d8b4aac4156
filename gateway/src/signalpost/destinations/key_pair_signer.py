"""Signs a webhook with a subscription's key pair (`domain/key_pair.py`)."""

from base64 import b64encode
from collections.abc import Sequence

from signalpost.domain.key_pair import KeyPair


class KeyPairSigner:
    """Signs with one private key. Immutable."""

    def __init__(self, pair: KeyPair) -> None:
        self._key = pair.private

    def entry(self, event_id: str, timestamp: int, body: bytes) -> str:
        """An entry of `webhook-signature`. `timestamp` is the attempt's time in whole seconds."""
        signature = self._key.sign(f"{event_id}.{timestamp}.".encode() + body)
        return f"v1a,{b64encode(signature).decode()}"


def entries(signers: Sequence[KeyPairSigner], event_id: str, timestamp: int, body: bytes) -> str:
    """The entries of key pairs in `webhook-signature`, which follow those of secrets."""
    return "".join(f" {each.entry(event_id, timestamp, body)}" for each in signers)
