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
from signalpost.destinations.fields import JsonTemplate, PathTemplate, Private, SecretText, Template, Value, secret
from signalpost.destinations.members import Origin, StandIn, or_stand_in, origin_of, shortened
from signalpost.domain.body import Body
from signalpost.domain.checks import Bad, Several
from signalpost.domain.endpoint import EndpointUrl
from signalpost.domain.values import written

__all__ = [
    "API",
    "MAX_FOLLOW_UPS",
    "MAX_REVOCATIONS",
    "Access",
    "Bad",
    "Body",
    "Call",
    "Consent",
    "Context",
    "Destination",
    "Done",
    "EndpointUrl",
    "Fixed",
    "Grant",
    "Held",
    "Input",
    "JsonTemplate",
    "Origin",
    "PathTemplate",
    "Preset",
    "Private",
    "Reauthorise",
    "Reject",
    "Reply",
    "Retry",
    "Revocation",
    "Ruling",
    "SecretText",
    "Several",
    "Skip",
    "StandIn",
    "Template",
    "Then",
    "Throttle",
    "Value",
    "by_status",
    "or_stand_in",
    "origin_of",
    "retry_after",
    "secret",
    "shortened",
    "written",
]
