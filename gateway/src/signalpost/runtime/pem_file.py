"""A file for OpenSSL, which reads certificates and keys from files alone, of what must not be written to a disk."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def pem_file(content: bytes) -> Iterator[str]:
    """The path of a file with this content, which is gone afterwards. On Linux it is in memory and has no name."""
    if sys.platform != "linux":
        with tempfile.NamedTemporaryFile() as named:
            named.write(content)
            named.flush()
            yield named.name
        return
    with os.fdopen(os.memfd_create("pem"), "wb") as file:
        file.write(content)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"
