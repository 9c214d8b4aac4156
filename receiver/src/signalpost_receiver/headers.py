"""Finds the headers of a delivery in what a framework has: a mapping, pairs, ASGI's bytes, in any case."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, TypeAlias, Union

from .errors import MalformedSignature, UsageError
from .sign import (
    ATTEMPT,
    PAGE_SIGNATURE,
    PAGE_SIGNATURE_ALTERNATE,
    REPLAY,
    SEQUENCE,
    STANDARD_ID,
    STANDARD_SIGNATURE,
    STANDARD_TIMESTAMP,
    TEST,
)

_Value: TypeAlias = Union[str, bytes, "list[str]", "tuple[str, ...]"]  # Python 3.10
_Pairs: TypeAlias = "Iterable[tuple[str, _Value]] | Iterable[tuple[bytes, bytes]]"


class _Items(Protocol):
    def items(self) -> Any: ...


Headers: TypeAlias = "_Items | _Pairs"
"""A request's headers as any framework has them: a mapping (to a value, or to a list of values), a multi-dict, pairs
of strings, or ASGI's pairs of bytes."""

_SIGNING = (PAGE_SIGNATURE, PAGE_SIGNATURE_ALTERNATE, STANDARD_ID, STANDARD_TIMESTAMP, STANDARD_SIGNATURE)
_HINTS = (SEQUENCE, ATTEMPT, REPLAY, TEST)
# What comes as bytes is looked up as bytes, so that most headers are never decoded.
_USED: dict[str | bytes, str] = {spelling: name for name in (*_SIGNING, *_HINTS) for spelling in (name, name.encode())}
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")


def read_headers(headers: Headers) -> dict[str, str]:
    """The headers that are needed to verify and read a delivery, under their lower-case names.

    Raises MalformedSignature if one of them occurs more than once, and UsageError for anything that does not hold
    headers.
    """
    found: dict[str, str] = {}
    used = _USED
    try:
        for raw_name, value in headers.items() if hasattr(headers, "items") else headers:
            name = used.get(raw_name.lower())
            if name is None:
                continue
            if isinstance(value, str) and name not in found:
                found[name] = value  # as nearly all come
                continue
            for each in _texts(value):
                if name in found:
                    raise MalformedSignature(f"{name} occurs more than once")
                found[name] = each
    except MalformedSignature:
        raise
    except Exception as error:  # an object of the caller's, which may raise anything
        raise UsageError(f"the headers are neither a mapping nor pairs: {type(error).__name__}") from None
    return found


def number(text: str | None) -> int | None:
    """The number in a header; None if the header is missing or is not a number."""
    return int(text) if text is not None and _NUMBER.fullmatch(text) else None


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes):
        yield value.decode("latin-1")
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _texts(each)
    else:
        # Some parsers give what is not ASCII as an object, which cannot be the gateway's; as text it is refused.
        yield str(value)
