"""The gate of a lane whose subscription cannot send: its connection is gone, or its condition cannot be read."""

from signalpost.engine.lanes.carriers import NEVER


class ClosedGate:
    """A gate that lets nothing through. The lane loses nothing: its deliveries wait."""

    def __init__(self, trouble: str) -> None:
        self.trouble: str | None = trouble

    def ready_at(self, _now: int) -> int:
        """See `Gate`."""
        return NEVER

    def wake(self) -> None:
        """See `Gate`."""

    def try_again(self) -> None:
        """Does nothing: only a change of the subscription, or another version of the gateway, opens the lane's way."""
