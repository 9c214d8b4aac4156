"""Receivers of Svix, Convoy and Outpost, with the libraries that their makers give them. Run in an environment of its
own (`make former-receivers`): reads requests as JSON from standard input, and says of each whether it is accepted.

    [{"system": "svix", "secret": …, "body": …, "headers": {…}, "options": {…}}, …]  →  [true, …]

Outpost has no library for its own signature: its receivers are told the rules that `outpost` follows here, and to use
the library of Standard Webhooks if the deployment signs so.
"""

import hashlib
import hmac
import json
import sys
from collections.abc import Mapping
from typing import Any

from convoy.utils.webhook import Webhook as ConvoyWebhook
from standardwebhooks import Webhook as StandardWebhook
from standardwebhooks import WebhookVerificationError as NotStandard
from svix.webhooks import Webhook as SvixWebhook
from svix.webhooks import WebhookVerificationError


def svix(secret: str, body: str, headers: Mapping[str, str]) -> bool:
    try:
        SvixWebhook(secret).verify(body, dict(headers))
    except WebhookVerificationError:
        return False
    return True


def convoy(secret: str, body: str, headers: Mapping[str, str], **options: str) -> bool:
    return ConvoyWebhook(secret, **options).verify_signature(body, headers["x-convoy-signature"]) is True


def outpost(secret: str, body: str, headers: Mapping[str, str]) -> bool:
    """The header has v0= and signatures with commas between them, one of which is that of the body."""
    version, _, signatures = headers["x-outpost-signature"].partition("=")
    expected = hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()
    return version == "v0" and any(hmac.compare_digest(each, expected) for each in signatures.split(","))


def standard(secret: str, body: str, headers: Mapping[str, str]) -> bool:
    try:
        StandardWebhook(secret).verify(body, dict(headers))
    except NotStandard:
        return False
    return True


RECEIVERS: Mapping[str, Any] = {"svix": svix, "convoy": convoy, "outpost": outpost, "standard": standard}

if __name__ == "__main__":
    json.dump(
        [
            RECEIVERS[each["system"]](each["secret"], each["body"], each["headers"], **each["options"])
            for each in json.load(sys.stdin)
        ],
        sys.stdout,
    )
