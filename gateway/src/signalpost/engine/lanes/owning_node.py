"""What lanes need from the node that owns them."""

from collections.abc import Awaitable, Callable

from msgspec import Struct


class OwningNode(Struct, frozen=True, kw_only=True):
    may_start: Callable[[], bool]
    """Whether attempts may start at all: the node holds its lease."""
    in_flight_of: Callable[[int], int | None]
    """How many attempts of a tenant may be in flight here; None if the tenant has no limit of its own."""
    check_config: Callable[[int, int], Awaitable[None]]
    """Waits until the node knows the configuration of a tenant at a version."""
    on_news: Callable[[], None]
    """Called when other nodes have committed something that the lanes here have not seen."""
