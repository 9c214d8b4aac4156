"""A message becomes a line of an import, without any I/O.

Without a mapping, the message is the line. With one, its texts are filled in from the message. A deletion has no
attributes to map: a message that is one already stays as it is, but for its version, and a mapping can make one with
`deleted`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from signalpost_connect.placeholders import NotThere, read_template
from signalpost_connect.source import Message

ROOTS: Final = ("body", "headers", "id", "version")
"""What paths of a mapping begin with."""
_OF_A_DELETION: Final = {"externalId", "sourceVersion", "traceparent", "deleted"}
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Unusable(ValueError):
    """No line can be made of a message; the sentence says why."""


class LineMaker:
    """Makes a line of each message."""

    def __init__(self, members: Mapping[str, Any] | None = None, version_offset: int = 0) -> None:
        """`members` of a line with placeholders; without any, the message is the line. `version_offset` is added to the
        source's own versions. Raises BadTemplate."""
        self._fill = read_template(members, ROOTS) if members is not None else None
        versions = {name: value for name, value in (members or {}).items() if name == "sourceVersion"}
        self._fill_version = read_template(versions, ROOTS) if versions else None
        self._offset = version_offset

    def line(self, message: Message) -> bytes:
        """The line of a message. Raises Unusable."""
        body = _object(message.body)
        line = body if self._fill is None or body.get("deleted") is True else self._mapped(message, body)
        if "sourceVersion" not in line and self._fill_version is not None:
            line |= _filled(self._fill_version, message, body)  # states and deletions are counted alike
        if "sourceVersion" not in line:
            if message.version is None:
                raise Unusable("sourceVersion: the message has no version; have the mapping give one.")
            line["sourceVersion"] = message.version + self._offset
        if "traceparent" in message.headers:
            line.setdefault("traceparent", message.headers["traceparent"])
        return _encode(line)

    def _mapped(self, message: Message, body: Mapping[str, Any]) -> dict[str, Any]:
        assert self._fill is not None
        line = _filled(self._fill, message, body)
        if line.get("deleted") is True:
            return {name: value for name, value in line.items() if name in _OF_A_DELETION}
        line.pop("deleted", None)
        return line


def _filled(fill: Callable[[Mapping[str, Any]], Any], message: Message, body: Mapping[str, Any]) -> dict[str, Any]:
    subject = {"body": body, "headers": message.headers, "id": message.id, "version": message.version}
    try:
        filled: dict[str, Any] = fill(subject)
    except NotThere as error:
        raise Unusable(f"mapping.{error}") from None
    return filled


def _object(body: bytes) -> dict[str, Any]:
    try:
        decoded = _decode(body)
    except msgspec.MsgspecError as error:
        raise Unusable(f"The message is not JSON: {error}.") from None
    except UnicodeDecodeError:
        raise Unusable("The message is not JSON, as it is not in UTF-8.") from None
    if not isinstance(decoded, dict):
        raise Unusable("The message is JSON, and not an object.")
    return decoded
