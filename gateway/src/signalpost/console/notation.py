"""How values stand in the fields of a form, and how what was typed there is read: each comes back as it was.

A browser changes a text on its way: it drops line breaks in a field of one line, and sends those of a field of several
as CRLF. So a field is untouched if what comes back is what a browser makes of what was shown.

Where a number, true, false or null may stand beside texts, each is written as in JSON. A text is written as it is,
unless it would be read as something else: then it is in quotes, as in JSON too.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from json import JSONDecodeError, JSONDecoder
from typing import Any, Final

import msgspec

_BREAK: Final = re.compile(r"\r\n|\r|\n")
_QUOTE: Final = '"'
_decode_quoted = JSONDecoder().raw_decode


def has_break(text: str) -> bool:
    return _BREAK.search(text) is not None


def is_untouched(typed: str, shown: str, *, lines: bool) -> bool:
    """Whether a field of one line, or of several, came back as it was shown."""
    between = "\n" if lines else ""
    return _BREAK.sub(between, typed) == _BREAK.sub(between, shown)


def with_breaks_of(text: str, before: Any) -> str:
    """A text of several lines that was typed, with the line breaks that it had before."""
    breaks = {*_BREAK.findall(before)} if isinstance(before, str) else set()
    return _BREAK.sub("\r\n" if breaks == {"\r\n"} else "\n", text)


# --- Single values ----------------------------------------------------------------------------------------------------


def shown_scalar(value: Any, types: Collection[str]) -> str:
    """A text, or a value of one of these types of JSON, on one line."""
    if not isinstance(value, str):
        return msgspec.json.encode(value).decode()
    is_plain = not has_break(value) and value == value.strip() and read_scalar(value, types) == value
    return value if is_plain else msgspec.json.encode(value).decode()


def read_scalar(text: str, types: Collection[str]) -> Any:
    text = text.strip()
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    return value if isinstance(value, str) or _type_of(value) in types else text


def _type_of(value: Any) -> str | None:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else None


# --- Several, one on a line -------------------------------------------------------------------------------------------


def shown_lines(values: Sequence[str]) -> str:
    return "\n".join(shown_scalar(each, ()) or _QUOTE * 2 for each in values)


def read_lines(text: str) -> list[Any]:
    return [read_scalar(line, ()) for line in _lines(text)]


def shown_pairs(values: Mapping[str, Any], types: Collection[str]) -> str:
    return "\n".join(f"{_shown_name(name)} = {shown_scalar(value, types)}" for name, value in values.items())


def read_pairs(text: str, types: Collection[str]) -> dict[str, Any]:
    """Raises ValueError with a sentence about the line that is no pair."""
    return {name: read_scalar(value, types) for name, value in map(_pair, _lines(text))}


def _lines(text: str) -> Iterator[str]:
    return (line.strip() for line in _BREAK.split(text) if line.strip())


def _shown_name(name: str) -> str:
    is_plain = name == name.strip() and not has_break(name) and "=" not in name and name[:1] not in ("", _QUOTE)
    return name if is_plain else msgspec.json.encode(name).decode()


def _pair(line: str) -> tuple[str, str]:
    name, end = "", -1
    if line.startswith(_QUOTE):
        try:
            name, end = _decode_quoted(line)
        except JSONDecodeError:
            end = -1
    if end < 0:
        end = line.find("=")
        name = line[: max(end, 0)].strip()
    rest = line[end:].lstrip() if end >= 0 else ""
    if not rest.startswith("="):
        raise ValueError(f"Write each line as name = value. This one has no “=” after a name: {line[:80]}")
    return name, rest[1:]


# --- JSON -------------------------------------------------------------------------------------------------------------


def shown_json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def read_json(text: str) -> Any:
    """Raises ValueError with a sentence that says where it is no JSON."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ValueError(f"This is no JSON: {error}. A text on its own is written in quotes.") from None
