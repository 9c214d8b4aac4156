"""Names by which a vendor can tell deliveries, and documents, apart. Both are computed from the delivery or the
document, so a repeated attempt, a restart and a preview give the same names."""

from hashlib import sha256


def key_of(subscription_id: str, event_id: str) -> str:
    """See `Context.key`."""
    return _name(subscription_id, event_id)


def slot_of(subscription_id: str, document_id: str) -> str:
    """See `Context.slot`."""
    return _name(subscription_id, document_id)


def _name(*parts: str) -> str:
    return sha256(" ".join(parts).encode()).hexdigest()[:32]
