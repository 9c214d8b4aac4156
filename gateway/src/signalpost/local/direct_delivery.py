"""Makes a delivery that no gateway's log and no subscription stand behind: its parts are given one by one."""

from signalpost.domain.event import Event
from signalpost.domain.subscription import Subscription

_NEVER = 2**62


def endpoint(
    url: str, secret: str, next_secret: str | None = None, headers: dict[str, str] | None = None
) -> Subscription:
    """The subscription that `Webhook` makes requests for, where no gateway has one. With `next_secret`, a rotation's
    overlap is under way and does not end."""
    return Subscription(
        id="00000000-0000-7000-8000-000000000000",
        tenant_id=0,
        number=0,
        name=url,
        url=url,
        secret=secret,
        next_secret=next_secret,
        promote_at=None if next_secret is None else _NEVER,
        headers=headers or {},
        status="active",
        ordering="loose",
        rate_limit=None,
        retry_delays=(),
        starts_after=0,
        filters=((0, 7),),
        created_at=0,
        updated_at=0,
    )


def event_of(body: bytes, event_id: str, document_id: str, sequence: int = 0) -> Event:
    """An event that is known by its bytes alone."""
    return Event(tenant_id=0, sequence=sequence, at=0, id=event_id, type=0, document_id=document_id, body=body)
