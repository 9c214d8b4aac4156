"""Reads a form with one file as it comes in. Memory stays the same however large the file is."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from signalpost.domain.checks import Bad, Check, pointer
from signalpost.domain.errors import FieldError, Invalid, Unparseable

MEDIA_TYPE: Final = "multipart/form-data"
MAX_BOUNDARY: Final = 70
MAX_TEXT_BYTES: Final = 1024
MAX_HEADER_BYTES: Final = 8192
MAX_HEADERS: Final = 16
MAX_ERRORS: Final = 20
"""Number of errors after which the rest of the form is not checked."""

Sink = Callable[[bytes], Awaitable[None]]


async def read_form(
    content_type: str, chunks: AsyncIterator[bytes], file: str, checks: Mapping[str, Check], sink: Sink
) -> dict[str, Any]:
    """The checked texts of a form, by name. The bytes of its part `file` go to `sink`. Raises Unparseable, and Invalid
    that names every part which is missing, unknown, repeated or bad."""
    form = _Form(_boundary(content_type), file, checks)
    async for chunk in chunks:
        for part in form.feed(chunk):
            await sink(part)
    return form.finish()


def _boundary(content_type: str) -> bytes:
    boundary: bytes = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not 1 <= len(boundary) <= MAX_BOUNDARY:
        detail = f"Send `content-type: {MEDIA_TYPE}; boundary=…`, as every library for forms does."
        raise Unparseable("no_boundary", detail)
    return boundary


class _Form:
    def __init__(self, boundary: bytes, file: str, checks: Mapping[str, Check]) -> None:
        self._file = file
        self._checks = checks
        self._texts: dict[str, bytearray] = {}
        self._errors: list[FieldError] = []
        self._header, self._value = bytearray(), bytearray()
        self._name: str | None = None
        """The name of the part that is being read; None if the part is skipped."""
        self._seen: set[str] = set()
        self._ended = False
        self._arrived: list[bytes] = []
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_end": self._on_end,
            },
            max_header_count=MAX_HEADERS,
            max_header_size=MAX_HEADER_BYTES,
        )

    def feed(self, chunk: bytes) -> list[bytes]:
        """The bytes of the file in this chunk. Once something is wrong, there are none."""
        self._arrived = []
        try:
            self._parser.write(chunk)
        except MultipartParseError as error:
            raise Unparseable("bad_form", f"This is not a form: {str(error).rstrip('.')}.") from None
        return [] if self._errors else self._arrived

    def finish(self) -> dict[str, Any]:
        if not self._ended:
            raise Unparseable("incomplete_body", "The form ends before its last boundary.")
        checked: dict[str, Any] = {}
        for name, value in self._texts.items():
            try:
                checked[name] = self._checks[name](value.decode())
            except UnicodeDecodeError:
                self._refuse(name, "invalid_utf8", "This must be UTF-8.")
            except Bad as bad:
                self._refuse(name, bad.code, bad.detail)
        if self._file not in self._seen:
            self._refuse(self._file, "required", "This field is required.")
        if self._errors:
            raise Invalid(self._errors)
        return checked

    def _refuse(self, name: str, code: str, detail: str) -> None:
        self._errors.append(FieldError(pointer(name) if name else "", code, detail))
        if len(self._errors) == MAX_ERRORS:
            raise Invalid(self._errors)

    # --- Called by the parser -----------------------------------------------------------------------------------------

    def _on_part_begin(self) -> None:
        self._name = None
        self._header.clear()
        self._value.clear()

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            name = parse_options_header(bytes(self._value))[1].get(b"name")
            self._name = None if name is None else name.decode("utf-8", "replace")
        self._header.clear()
        self._value.clear()

    def _on_headers_finished(self) -> None:
        name = self._name
        if name is None:
            self._refuse("", "unnamed_part", "Every part of the form must have a name in its `content-disposition`.")
        elif name != self._file and name not in self._checks:
            known = ", ".join([self._file, *self._checks])
            self._refuse(name, "unknown_field", f"There is no such field here. Known: {known}.")
            self._name = None
        elif name in self._seen:
            self._refuse(name, "duplicate", "Give this field once.")
            self._name = None
        else:
            self._seen.add(name)
            if name != self._file:
                self._texts[name] = bytearray()

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        name = self._name
        if name is None:
            return
        if name == self._file:
            self._arrived.append(data[start:end])
            return
        text = self._texts[name]
        text += data[start:end]
        if len(text) > MAX_TEXT_BYTES:
            self._refuse(name, "wrong_length", f"This can have at most {MAX_TEXT_BYTES} bytes.")
            self._name = None

    def _on_end(self) -> None:
        self._ended = True
