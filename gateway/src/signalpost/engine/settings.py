"""What an engine is set to."""

from msgspec import Struct

from signalpost.domain.access.tenant_limits import NO_LIMITS, TenantLimits
from signalpost.domain.delivery.lane_bounds import BOUNDS, Bounds
from signalpost.domain.operations.conditions import NoticeTerms
from signalpost.engine.lanes.log_cache import MAX_BYTES
from signalpost.sharing.slots import DEFAULTS, Limits
from signalpost.store.nouns.fleet import NodeRole


class EngineSettings(Struct, frozen=True, kw_only=True):
    """How much the engine may have in flight and in memory, and the limits of tenants that have none of their own."""

    retention_days: int = 30
    """How many days events are kept for a tenant without its own retention."""
    tenant_limits: TenantLimits = NO_LIMITS
    """The limits of tenants that have none of their own."""
    disable_after_days: int = 5
    """A subscription whose endpoint fails for this long is disabled; 0 means never."""
    attempt_timeout: float = 5.0
    """How many seconds an attempt of a webhook may take."""
    limits: Limits = DEFAULTS
    """What may be in flight."""
    lane_bounds: Bounds = BOUNDS
    """How much of each lane is kept in memory."""
    cache_bytes: int = MAX_BYTES
    """How much of the log is kept in memory."""
    rest_after: float = 300.0
    """After how many seconds without anything to do a lane rests."""
    notices: NoticeTerms = NoticeTerms()
    """When operators are told of conditions."""
    look_every: float = 10.0
    """After how many seconds conditions are looked at again."""
    public_url: str = ""
    """What the links of notices begin with."""
    role: NodeRole = NodeRole.ALL
    """Whether this node owns lanes, and whether it answers clients."""
