"""Detects a file's type from its content, not from what its sender declared.

There are few types of documents. Most are recognised by their first bytes; ZIP archives and OLE files by the names of
their parts, of which a bounded number is read. A file without control characters is a text.
"""

import codecs
from collections.abc import Callable, Iterator
from struct import Struct as Layout
from typing import Final, NamedTuple

Read = Callable[[int, int], bytes]
"""A function that reads a number of bytes from a position of the file; fewer at its end."""


class FileKind(NamedTuple):
    """A type of file that is recognised."""

    content_type: str
    extension: str


_OFFICE = "application/vnd.openxmlformats-officedocument"
_OPEN = "application/vnd.oasis.opendocument"
KINDS: Final[dict[str, FileKind]] = {
    "pdf": FileKind("application/pdf", "pdf"),
    "docx": FileKind(f"{_OFFICE}.wordprocessingml.document", "docx"),
    "xlsx": FileKind(f"{_OFFICE}.spreadsheetml.sheet", "xlsx"),
    "pptx": FileKind(f"{_OFFICE}.presentationml.presentation", "pptx"),
    "odt": FileKind(f"{_OPEN}.text", "odt"),
    "ods": FileKind(f"{_OPEN}.spreadsheet", "ods"),
    "odp": FileKind(f"{_OPEN}.presentation", "odp"),
    "doc": FileKind("application/msword", "doc"),
    "xls": FileKind("application/vnd.ms-excel", "xls"),
    "ppt": FileKind("application/vnd.ms-powerpoint", "ppt"),
    "rtf": FileKind("application/rtf", "rtf"),
    "txt": FileKind("text/plain; charset=utf-8", "txt"),
    "png": FileKind("image/png", "png"),
    "jpeg": FileKind("image/jpeg", "jpg"),
    "tiff": FileKind("image/tiff", "tiff"),
}
"""The recognised types, by the names that the setting FILE_KINDS takes."""
EXTENSIONS: Final = {kind.content_type: kind.extension for kind in KINDS.values()}

_SIGNATURES: Final = (
    (b"%PDF-", "pdf"),
    (b"{\\rtf", "rtf"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
)
_MARKUP: Final = (b"<!doctype", b"<html", b"<?xml", b"<svg", b"<script")
"""Beginnings of texts that are meant for browsers. Such a text is not accepted as a document."""
_NO_TEXT: Final = bytes(byte for byte in range(32) if byte not in b"\t\n\f\r") + b"\x7f"
_BLOCK: Final = 1024 * 1024


def kind_of(read: Read, size: int) -> str | None:
    """The name of a file's type in KINDS; None if it is not one of them."""
    head = read(0, 64)
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head.startswith(b"PK\x03\x04"):
        return _archived(head, read, size)
    if head.startswith(_OLE):
        return _compound(read)
    return "txt" if _is_text(read, size) else None


# --- ZIP archives: Office Open XML, OpenDocument ----------------------------------------------------------------------

_END_OF_DIRECTORY = Layout("<4s8xII2x")
_ENTRY = Layout("<4s24xHHH12x")
_MAX_DIRECTORY: Final = 1024 * 1024
_MAIN_PARTS: Final = {b"word/document.xml": "docx", b"xl/workbook.xml": "xlsx", b"ppt/presentation.xml": "pptx"}
_MIMETYPE: Final = b"mimetype"


def _archived(head: bytes, read: Read, size: int) -> str | None:
    # OpenDocument has its type as the first part, uncompressed: a local header of 30 bytes, the name, the content.
    if head[30:38] == _MIMETYPE:
        said = read(38, 80)
        return next((name for name in ("odt", "ods", "odp") if _begins(said, KINDS[name].content_type)), None)
    names = set(_names(read, size))
    if b"[Content_Types].xml" not in names:
        return None
    return next((kind for part, kind in _MAIN_PARTS.items() if part in names), None)


def _begins(said: bytes, content_type: str) -> bool:
    """Whether the content names exactly this type, and not a longer name that begins with it."""
    return said.startswith(content_type.encode()) and not said[len(content_type) :].startswith((b"-", b"."))


def _names(read: Read, size: int) -> Iterator[bytes]:
    """The names of an archive's parts; none if its directory is larger than that of any document."""
    tail = read(max(0, size - _BLOCK // 16), _BLOCK // 16)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END_OF_DIRECTORY.size:
        return
    _, length, offset = _END_OF_DIRECTORY.unpack_from(tail, at)
    directory = read(offset, min(length, _MAX_DIRECTORY))
    at = 0
    while at + _ENTRY.size <= len(directory):
        signature, name_size, extra_size, comment_size = _ENTRY.unpack_from(directory, at)
        if signature != b"PK\x01\x02":
            return
        yield directory[at + _ENTRY.size : at + _ENTRY.size + name_size]
        at += _ENTRY.size + name_size + extra_size + comment_size


# --- OLE compound files: the older Office -----------------------------------------------------------------------------

_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_HEADER = Layout("<30xH16xI")
_OLE_STREAMS: Final = {"WordDocument": "doc", "Workbook": "xls", "Book": "xls", "PowerPoint Document": "ppt"}
_OLE_TABLES_AT, _OLE_TABLES = 76, 109
_MAX_OLE_SECTORS: Final = 64


def _compound(read: Read) -> str | None:
    for sector in _directory_sectors(read):
        for at in range(0, len(sector), 128):
            name = sector[at : at + 64].decode("utf-16-le", "replace").partition("\0")[0]
            if name in _OLE_STREAMS:
                return _OLE_STREAMS[name]
    return None


def _directory_sectors(read: Read) -> Iterator[bytes]:
    """Reads the sectors of an OLE file. A table holds each sector's successor, and the header says where the table
    is."""
    header = read(0, 512)
    if len(header) < 512:
        return
    shift, number = _OLE_HEADER.unpack_from(header)
    if shift not in (9, 12):
        return
    for _ in range(_MAX_OLE_SECTORS):
        yield read((number + 1) << shift, 1 << shift)
        table, entry = divmod(number, 1 << shift - 2)
        if table >= _OLE_TABLES:
            return
        at = _OLE_TABLES_AT + 4 * table
        following = read((int.from_bytes(header[at : at + 4], "little") + 1 << shift) + 4 * entry, 4)
        if len(following) < 4:
            return
        number = int.from_bytes(following, "little")


# --- Texts ------------------------------------------------------------------------------------------------------------


def _is_text(read: Read, size: int) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    for at in range(0, size, _BLOCK):
        block = read(at, _BLOCK)
        if at == 0 and block.removeprefix(codecs.BOM_UTF8).lstrip().lower().startswith(_MARKUP):
            return False
        if len(block.translate(None, _NO_TEXT)) != len(block):
            return False
        try:
            decoder.decode(block, at + len(block) >= size)
        except UnicodeDecodeError:
            return False
    return True
