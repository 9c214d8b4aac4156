"""Files of versions, on their way up and down."""

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote

from signalpost.cli.client import Client, CommandError, NoAnswer, path

Advance = Callable[[int], None]
"""A function that is called with the number of bytes transferred since its last call."""


class FileThatTells:
    """A file that says how much of it was read."""

    def __init__(self, file: BinaryIO, advance: Advance) -> None:
        self._file = file
        self._advance = advance

    def read(self, size: int, /) -> bytes:
        """The next bytes of the file."""
        part = self._file.read(size)
        self._advance(len(part))
        return part

    def seek(self, to: int, whence: int = os.SEEK_SET, /) -> int:
        """Go somewhere else in the file. Nothing was read yet at its beginning."""
        return self._file.seek(to, whence)

    def tell(self) -> int:
        """Where in the file the next bytes are."""
        return self._file.tell()


def download(client: Client, external_id: str, number: str, to: Path | None, begun: Callable[[int], Advance]) -> Path:
    """Download a version's file, and return its path: `to`, or the name that the gateway gives in the current folder.

    `begun` is called with the size. Raises CallRefused, NoAnswer, and CommandError if the file exists already."""
    with client.open(path("documents", external_id, "versions", number, "file")) as (headers, parts):
        target = to or Path(_name(headers.get("content-disposition", "")))
        if target.exists():
            raise CommandError(f"{target} exists; give another name with --to.")
        draft = target.with_name(target.name + ".part")
        advance, sha256 = begun(int(headers["content-length"])), hashlib.sha256()
        try:
            with draft.open("wb") as writing:
                for part in parts:
                    writing.write(part)
                    sha256.update(part)
                    advance(len(part))
            if headers.get("etag") != f'"{sha256.hexdigest()}"':
                raise NoAnswer("The file did not arrive intact. Repeat the command.")
            draft.rename(target)
        except OSError as error:
            raise CommandError(f"{target} cannot be written: {error.strerror}.") from None
        finally:
            draft.unlink(missing_ok=True)
    return target


def _name(disposition: str) -> str:
    """The file name of a content-disposition header. It never leads out of the current folder."""
    known = re.search(r"filename\*=UTF-8''([^;]+)", disposition) or re.search(r'filename="([^"]+)"', disposition)
    name = Path(unquote(known[1])).name.lstrip(".") if known else ""
    return name if name.isprintable() and name else "document"


def newest(document: dict[str, Any]) -> str:
    """The number of a document's latest version. Raises CommandError if it has none."""
    version = document["latestVersion"]
    if version is None:
        raise CommandError(
            "This document has no version yet. Upload a file: "
            f"signalpost documents upload {document['externalId']} FILE"
        )
    return str(version["number"])
