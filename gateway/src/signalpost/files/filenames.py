"""Makes the name under which a download is saved from the document's title. The gateway never uses it as a path."""

import unicodedata
from typing import Final
from urllib.parse import quote

from signalpost.files.content_types import EXTENSIONS

_FALLBACK: Final = "document"
_MAX_BYTES: Final = 200
_FORBIDDEN: Final = frozenset('/\\:*?"<>|%')
"""Characters that have a special meaning in file names on some system, or in headers for some browser."""


def filename(title: str, content_type: str) -> str:
    """The title with the extension of the content's type, without separators, control or format characters, and leading
    dots."""
    extension = f".{EXTENSIONS[content_type]}" if content_type in EXTENSIONS else ""
    base = _harmless(unicodedata.normalize("NFC", title))
    if extension and base.lower().endswith(extension):
        base = base[: -len(extension)].rstrip(". ")
    cut = base.encode()[:_MAX_BYTES].decode(errors="ignore").rstrip(". ")
    return (cut or _FALLBACK) + extension


def disposition(name: str) -> str:
    """The value of `content-disposition` (RFC 6266) for a name that `filename` made. Browsers save the file and do not
    show it."""
    if name.isascii():
        return f'attachment; filename="{name}"'
    stem, dot, extension = name.rpartition(".")
    # Only now: what was decomposed may have become one of those, such as a wide quotation mark.
    plain = _harmless(unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode())
    fallback = (plain if any(character.isalnum() for character in plain) else _FALLBACK) + dot + extension
    return f"attachment; filename=\"{fallback}\"; filename*=UTF-8''{quote(name, safe='')}"


def _harmless(text: str) -> str:
    seen = "".join(character if _is_plain(character) else " " for character in text)
    return " ".join(seen.split()).strip(". ")


def _is_plain(character: str) -> bool:
    return character not in _FORBIDDEN and unicodedata.category(character)[0] not in "CZ"
