"""Uploads and downloads files of versions, part by part."""

import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote

from signalpost.cli.client import ApiAnswer, Client, CommandError, NoAnswer, path

PART_BYTES = 256 * 1024
Advance = Callable[[int], None]
"""A function that is called with the number of bytes transferred since its last call."""


def upload(client: Client, external_id: str, file: BinaryIO, *, publish: bool, advance: Advance) -> ApiAnswer:
    """Upload a file as a new version. Raises CallRefused and NoAnswer."""
    boundary = secrets.token_hex(16)
    head = (
        f'--{boundary}\r\ncontent-disposition: form-data; name="publish"\r\n\r\n{str(publish).lower()}\r\n'
        f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="file"\r\n\r\n'
    ).encode()
    end = f"\r\n--{boundary}--\r\n".encode()

    def parts() -> Iterator[bytes]:
        yield head
        while part := file.read(PART_BYTES):
            yield part
            advance(len(part))
        yield end

    length = len(head) + os.fstat(file.fileno()).st_size + len(end)
    return client.send_parts(
        path("documents", external_id, "versions"), f"multipart/form-data; boundary={boundary}", parts(), length
    )


def download(client: Client, external_id: str, number: str, to: Path | None, begun: Callable[[int], Advance]) -> Path:
    """Download a version's file, and return its path: `to`, or the name that the gateway gives in the current folder.

    `begun` is called with the size. Raises CallRefused, NoAnswer, and CommandError if the file exists already."""
    with client.open(path("documents", external_id, "versions", number, "file")) as answer:
        target = to or Path(_name(answer.headers.get("content-disposition", "")))
        if target.exists():
            raise CommandError(f"{target} exists; give another name with --to.")
        draft = target.with_name(target.name + ".part")
        advance, sha256 = begun(int(answer.headers["content-length"])), hashlib.sha256()
        try:
            with draft.open("wb") as writing:
                while part := answer.read(PART_BYTES):
                    writing.write(part)
                    sha256.update(part)
                    advance(len(part))
            if answer.headers.get("etag") != f'"{sha256.hexdigest()}"':
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
