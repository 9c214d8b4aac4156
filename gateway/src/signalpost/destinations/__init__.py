"""Kinds of destinations: what an author of one imports, and one module for each that is built in.

The names below are the interface to which `API` gives a version. All else that a module here contains may change with
any release of the gateway.
"""

from signalpost.destinations.access import Access, Consent, Fixed, Grant, Held, RequestToSign, Revocation, Signer
from signalpost.destinations.calls import Call, Mail, Reply, Skip
from signalpost.destinations.destination import API, MAX_FOLLOW_UPS, MAX_REVOCATIONS, Context, Destination
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
from signalpost.destinations.members import Origin, StandIn, at_stand_in, hosted_at, or_stand_in, origin_of, shortened
from signalpost.destinations.presets import Input, Preset
from signalpost.destinations.rulings import (
    Done,
    Reauthorise,
    Reject,
    Retry,
    Ruling,
    Then,
    Throttle,
    by_mail_status,
    by_status,
    retry_after,
)
from signalpost.destinations.service_account import ServiceAccountKey, grant_to, read_key_file
from signalpost.domain.body import Body
from signalpost.domain.checks import Bad, Several
from signalpost.domain.endpoint import EndpointUrl
from signalpost.domain.language.values import written

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
    "DayTemplate",
    "Destination",
    "Done",
    "EndpointUrl",
    "Fixed",
    "Grant",
    "Held",
    "Input",
    "JsonTemplate",
    "Mail",
    "MomentTemplate",
    "NumberTemplate",
    "Origin",
    "PathTemplate",
    "Preset",
    "Private",
    "Reauthorise",
    "Reject",
    "Reply",
    "RequestToSign",
    "Retry",
    "Revocation",
    "Ruling",
    "SecretText",
    "ServiceAccountKey",
    "Several",
    "Signer",
    "Skip",
    "StandIn",
    "Template",
    "Then",
    "Throttle",
    "Value",
    "at_stand_in",
    "by_mail_status",
    "by_status",
    "grant_to",
    "hosted_at",
    "or_stand_in",
    "origin_of",
    "read_key_file",
    "retry_after",
    "secret",
    "shortened",
    "written",
]
