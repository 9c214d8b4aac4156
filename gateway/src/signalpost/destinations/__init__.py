"""Kinds of destinations: what an author of one imports, and one module for each that is built in.

The names below are the interface to which `API` gives a version. Whatever else a module here contains may change with
any release of the gateway.
"""

from signalpost.destinations.destination import (
    API,
    MAX_FOLLOW_UPS,
    MAX_REVOCATIONS,
    Access,
    Call,
    Consent,
    Context,
    Destination,
    Done,
    Fixed,
    Grant,
    Held,
    Input,
    Preset,
    Reauthorise,
    Reject,
    Reply,
    Retry,
    Revocation,
    Ruling,
    Skip,
    Then,
    Throttle,
    by_status,
    retry_after,
)
from signalpost.destinations.fields import (
    DayTemplate,
    JsonTemplate,
    MomentTemplate,
    NumberTemplate,
    PathTemplate,
    Private,
    SecretText,
    Template,
    Value,
    secret,
)
from signalpost.destinations.members import Origin, StandIn, or_stand_in, origin_of, shortened
