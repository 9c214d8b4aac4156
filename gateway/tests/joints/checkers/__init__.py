"""Each checker compares one part of what happens with what the model says."""

from typing import TYPE_CHECKING

from gateway.tests.joints.history import Attempt, ClientCall
from gateway.tests.world.model.log import LoggedEvent
from gateway.tests.world.model.wishes import Again, Wish
from gateway.tests.world.network import VendorCall

if TYPE_CHECKING:
    from gateway.tests.joints.joint_world import JointWorld
    from gateway.tests.joints.node import JointNode


class Checker:
    """Is told of everything that happens. A subclass takes what it needs."""

    def __init__(self, world: "JointWorld") -> None:
        self.world = world

    def fail(self, message: str) -> None:
        """Complain of something that the model rules out."""
        self.world.fail(type(self).__name__.lower(), message)

    def logged(self, event: LoggedEvent) -> None:
        """An event is in the log."""

    def answered(self, asked: ClientCall) -> None:
        """A call was answered."""

    def resent(self, wish: Wish, again: Again, asked: ClientCall, event: LoggedEvent | None) -> None:
        """A retry by hand (of this event) or a replay was answered."""

    def sent(self, attempt: Attempt) -> None:
        """A request with an event was sent."""

    def shadowed(self, attempt: Attempt) -> None:
        """A request with an event was sent to a shadow."""

    def tried(self, attempt: Attempt) -> None:
        """A sample was sent to a webhook, with no event of the log."""

    def ended(self, attempt: Attempt) -> None:
        """The process that made it learned the outcome."""

    def token_asked(self, call: VendorCall) -> None:
        """A token was asked for."""

    def line(self, line: str) -> None:
        """Something was written to the log for people."""

    def unsettled(self) -> str | None:
        """What must still happen; None if nothing must."""
        return None

    async def finished(self, node: "JointNode") -> None:
        """Everything has come to its end."""
