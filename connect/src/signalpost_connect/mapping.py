"""A message becomes a line of an import, without any I/O.

Without a mapping, the message is the line. With one, its texts are filled in from the message. A deletion has no
attributes to map: a message that is one already stays as it is, but for its version, and a mapping can make one with
`deleted`. Of a CloudEvent, what counts as the message is its data.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from signalpost_connect.cloudevents import content_of
from signalpost_connect.placeholders import Fill, NotThere, Subject, read_template
from signalpost_connect.source import Message

ROOTS: Final = ("body", "headers", "id", "version", "ce", "data")
"""What paths of a mapping begin with."""
_OF_A_DELETION: Final = {"externalId", "sourceVersion", "traceparent", "deleted"}
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Unusable(ValueError):
    """No line can be made of a message; the sentence says why."""


class _Map:
    """The members of a mapping. Those that a deletion has are filled in first: it may lack all others."""

    def __init__(self, members: Mapping[str, Any]) -> None:
        def those(wanted: Callable[[str], bool]) -> Fill:
            return read_template({name: value for name, value in members.items() if wanted(name)}, ROOTS)

        self._deletion = those(lambda name: name in _OF_A_DELETION)
        self._others = those(lambda name: name not in _OF_A_DELETION)
        self._version = those(lambda name: name == "sourceVersion")

    def line(self, subject: Subject) -> dict[str, Any]:
        line = _filled(self._deletion, subject)
        deleted = line.pop("deleted", None)
        if deleted is True or deleted == "true":  # a header, and a text that was chosen, cannot be true
            return {**line, "deleted": True}
        return line | _filled(self._others, subject)

    def version(self, subject: Subject) -> dict[str, Any]:
        return _filled(self._version, subject)


class LineMaker:
    """Makes a line of each message."""

    def __init__(self, members: Mapping[str, Any] | None = None, version_offset: int = 0) -> None:
        """`members` of a line with placeholders; without any, the message is the line. `version_offset` is added to the
        source's own versions. Raises BadTemplate."""
        self._map = None if members is None else _Map(members)
        self._offset = version_offset

    def line(self, message: Message) -> bytes:
        """The line of a message. Raises Unusable."""
        subject = _subject(message)
        state = subject["data"]
        is_deletion = isinstance(state, dict) and state.get("deleted") is True
        line = _own_line(state) if self._map is None or is_deletion else self._map.line(subject)
        if "sourceVersion" not in line and self._map is not None:
            line |= self._map.version(subject)  # states and deletions are counted alike
        if "sourceVersion" not in line:
            if message.version is None:
                raise Unusable("sourceVersion: the message has no version; have the mapping give one.")
            line["sourceVersion"] = message.version + self._offset
        trace = message.headers.get("traceparent", subject["ce"].get("traceparent"))
        if trace is not None:
            line.setdefault("traceparent", trace)
        return _encode(line)


def _subject(message: Message) -> dict[str, Any]:
    """What the roots of paths stand for."""
    body = _object(message.body)
    try:
        content = content_of(message.headers, body)
    except ValueError as error:
        raise Unusable(f"The CloudEvent's {error}") from None
    return {
        "body": body,
        "headers": message.headers,
        "id": message.id,
        "version": message.version,
        "ce": content.attributes,
        "data": content.data,
    }


def _own_line(state: Any) -> dict[str, Any]:
    if not isinstance(state, dict):
        raise Unusable("The data of the CloudEvent is not an object.")
    return state


def _filled(fill: Fill, subject: Subject) -> dict[str, Any]:
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
