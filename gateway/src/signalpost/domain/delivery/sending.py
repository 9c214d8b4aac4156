"""What is known of an attempt while it is made."""

from msgspec import Struct

from signalpost.domain.delivery.attempt_trace import AttemptTrace
from signalpost.domain.delivery.delivery import Delivery
from signalpost.domain.event import Event
from signalpost.domain.subscription import Subscription


class Sending(Struct, frozen=True):
    """An attempt that is being made, or that has just ended."""

    subscription: Subscription
    """The subscription as the attempt began: it may have changed since."""
    delivery: Delivery
    event: Event
    trace: AttemptTrace | None
    """None if the event is not traced."""
