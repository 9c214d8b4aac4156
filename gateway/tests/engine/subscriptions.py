"""A subscription for tests that need one and do not care what it says."""

from signalpost.domain.event import EventType
from signalpost.domain.subscription import Subscription


def subscription(tenant_id: int = 1, number: int = 1) -> Subscription:
    return Subscription(
        id=f"00000000-0000-4000-8000-{number:012}",
        tenant_id=tenant_id,
        number=number,
        name="a",
        url="https://example.com/hook",
        secret="a secret of mine",
        headers={},
        status="active",
        ordering="loose",
        rate_limit=None,
        retry_delays=(10,),
        starts_after=0,
        filters=((0, EventType.CREATED),),
        created_at=0,
        updated_at=0,
    )
