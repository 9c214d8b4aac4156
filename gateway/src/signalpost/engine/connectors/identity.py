"""How a vendor tells one delivery from another, and one document's from another's.

Both names follow from what they are for, so a repeated attempt, a restart and a preview come to the same ones.
"""

from hashlib import sha256


def key_of(subscription_id: str, event_id: str) -> str:
    """See `Context.key`."""
    return _name(subscription_id, event_id)


def slot_of(subscription_id: str, document_id: str) -> str:
    """See `Context.slot`."""
    return _name(subscription_id, document_id)


def _name(*parts: str) -> str:
    return sha256(" ".join(parts).encode()).hexdigest()[:32]
