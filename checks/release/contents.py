"""What a distribution may contain: what it needs, and nothing that got in by accident."""

import re
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

NOT_FOR_OTHERS = re.compile(
    r"(^|/)(tests?|__pycache__|node_modules|secrets|\.venv|\.git|signalpost-data)/"
    r"|(^|/)\.(?!gitignore$)"
    r"|(^|/)(master-key|operator-key)$"
    r"|\.(pyc|pem|key|crt|p12|env|db|sqlite3?|wal|log|orig|rej|swp)$"
)
"""Names of files that are tests, caches, data or secrets."""

NEEDED = {
    ".whl": (r"\.dist-info/licenses/LICENSE$", r"/py\.typed$", r"\.dist-info/RECORD$"),
    ".tar.gz": (r"^[^/]+/LICENSE$", r"^[^/]+/README\.md$", r"^[^/]+/PKG-INFO$", r"^[^/]+/src/[^/]+/py\.typed$"),
    ".tgz": (r"^package/LICENSE$", r"^package/README\.md$", r"^package/dist/esm/index\.d\.ts$"),
}
"""What must be in a wheel, in a source distribution and in a package of npm, as patterns."""


def read(archive: Path) -> dict[str, bytes]:
    """The files of a distribution, by name."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return {name: wheel.read(name) for name in wheel.namelist()}
    with tarfile.open(archive) as packed:
        files = ((member.name, packed.extractfile(member)) for member in packed.getmembers())
        return {name: file.read() for name, file in files if file is not None}


def faults(archive: str, files: Mapping[str, bytes], licence: bytes, places: tuple[str, ...]) -> Iterator[str]:
    """What is wrong with a distribution. `places` are folders of this machine, which no file may name."""
    (kind,) = (kind for kind in NEEDED if archive.endswith(kind))
    for pattern in NEEDED[kind]:
        if not any(re.search(pattern, name) for name in files):
            yield f"{archive} has no {pattern}"
    for name, content in files.items():
        if NOT_FOR_OTHERS.search(name):
            yield f"{archive} has {name}"
        if name.endswith("/LICENSE") and content != licence:
            yield f"{archive} has another licence in {name}"
        yield from (f"{archive} names {place} in {name}" for place in places if place.encode() in content)
