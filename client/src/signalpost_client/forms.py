"""How a file is uploaded: in a form."""

import io
import secrets
from collections.abc import Iterator
from typing import Final, Protocol

from signalpost_client import shapes
from signalpost_client.core import Call, path

PART_BYTES: Final = 256 * 1024


class File(Protocol):
    """Something that was opened to be read, and whose beginning can be found again."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most so many; none at the end."""

    def seek(self, to: int, whence: int = ..., /) -> int:
        """Go somewhere else in the file."""

    def tell(self) -> int:
        """Where in the file the next bytes are."""


class FileForm:
    """`multipart/form-data` with a file, which is read part by part, and from its beginning if it is sent again."""

    def __init__(self, file: bytes | File, *, publish: bool) -> None:
        self._file: File = io.BytesIO(file) if isinstance(file, bytes) else file
        self._begin = self._file.tell()
        boundary = secrets.token_hex(16)
        self.media_type = f"multipart/form-data; boundary={boundary}"
        self._head = (
            f'--{boundary}\r\ncontent-disposition: form-data; name="publish"\r\n\r\n{str(publish).lower()}\r\n'
            f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="file"\r\n\r\n'
        ).encode()
        self._end = f"\r\n--{boundary}--\r\n".encode()
        size = self._file.seek(0, io.SEEK_END) - self._begin
        self.length = len(self._head) + size + len(self._end)

    def parts(self) -> Iterator[bytes]:
        """All of it, from the beginning."""
        self._file.seek(self._begin)
        yield self._head
        while part := self._file.read(PART_BYTES):
            yield part
        yield self._end


def upload_of(
    external_id: str, form: FileForm, if_match: str | None, idempotency_key: str | None
) -> Call[shapes.Number]:
    """The call that uploads a file as a new version of a document."""
    return Call[shapes.Number](
        "POST",
        path("documents", external_id, "versions"),
        {201: shapes.Number},
        content=form,
        media_type=form.media_type,
        if_match=if_match,
        is_keyed=True,
        idempotency_key=idempotency_key,
    )
