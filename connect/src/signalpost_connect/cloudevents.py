"""A CloudEvent that a broker carries, in either of its two shapes, without any I/O.

    binary       headers have the attributes, each with a prefix (`ce_type`); the body is the data
    structured   the body is an object that has both: `{"specversion": "1.0", "type": …, "data": …}`

Brokers have prefixes of their own: `ce_` is that of Kafka, `ce-` of NATS, `cloudEvents_` and `cloudEvents:` of AMQP.
"""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

_PREFIXES: Final = ("ce_", "ce-", "cloudevents_", "cloudevents:")
_VERSION: Final = "specversion"
"""The attribute that tells a CloudEvent from anything else."""


class Content(NamedTuple):
    """What a message carries."""

    attributes: Mapping[str, Any]
    """What a CloudEvent says of itself; empty if the message is none."""
    data: Any
    """The data of a CloudEvent; of any other message, its body."""


def content_of(headers: Mapping[str, str], body: Mapping[str, Any]) -> Content:
    """What a message carries. Raises ValueError if the data of a CloudEvent cannot be read."""
    attributes = {name: value for each, value in headers.items() if (name := _attribute(each))}
    if _VERSION in attributes:
        return Content(attributes, body)
    if _VERSION in body:
        return Content({name: value for name, value in body.items() if not name.startswith("data")}, _data(body))
    return Content({}, body)


def _attribute(header: str) -> str:
    """The attribute that a header has; empty if it has none."""
    lower = header.lower()
    return next((lower.removeprefix(each) for each in _PREFIXES if lower.startswith(each)), "")


def _data(body: Mapping[str, Any]) -> Any:
    if "data_base64" not in body:
        return body.get("data")
    try:
        return msgspec.json.decode(b64decode(body["data_base64"], validate=True))
    except (msgspec.MsgspecError, TypeError, ValueError):
        raise ValueError("data_base64 is not JSON in Base64.") from None
