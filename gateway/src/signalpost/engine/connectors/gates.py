"""The gate of a lane that cannot send as things are."""

from signalpost.engine.lanes.carriers import NEVER


class Shut:
    """A lane behind it loses nothing: its deliveries wait."""

    def __init__(self, trouble: str) -> None:
        self.trouble: str | None = trouble

    def ready_at(self, _now: int) -> int:
        """See `Gate`."""
        return NEVER

    def wake(self) -> None:
        """See `Gate`."""

    def try_again(self) -> None:
        """Only a change of the subscription or the connection, or another version of the gateway, helps."""
