"""Makes deliveries for the local tools, without a gateway: from a URL, a secret and the bytes of an event."""

from msgspec.structs import replace

from signalpost.domain.event import Event
from signalpost.domain.subscription import UNSAVED, Subscription

_NEVER = 2**62


def endpoint(
    url: str, secret: str, next_secret: str | None = None, headers: dict[str, str] | None = None
) -> Subscription:
    """A subscription for the requests of the local tools. With `next_secret` it is in the overlap of a rotation, which
    does not end."""
    return replace(
        UNSAVED,
        name=url,
        url=url,
        secret=secret,
        next_secret=next_secret,
        promote_at=None if next_secret is None else _NEVER,
        headers=headers or {},
    )


def event_of(body: bytes, event_id: str, document_id: str, sequence: int = 0) -> Event:
    """An event of which only the bytes are known."""
    return Event(tenant_id=0, sequence=sequence, at=0, id=event_id, type=0, document_id=document_id, body=body)
