"""What the gateway is made of, and under which licence each part is: `sbom.py` and `licences.py` write it down.

The lock says which packages there are, and the installed packages say the rest. A wheel states its licence, and may
carry bills of what was compiled into it (PEP 770). What neither says was read by hand and stands here.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageMetadata, PackageNotFoundError, distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PYTHON_DISTRIBUTIONS = (
    "receiver",
    "gateway",
    "bench",
    "destinations",
    "pytest-plugin",
    "client",
    "mcp-server",
    "connect",
)
"""The folders, from the root, of what is published for Python."""
LOCK = ROOT / "requirements" / "runtime.txt"
GATEWAY = "signalpost"
OURS = (GATEWAY, "signalpost-client", "signalpost-receiver", "signalpost-bench", "signalpost-destinations")

STATED = {
    "aiosmtplib": "MIT",
    "apsw": "any-OSI",
    "certifi": "MPL-2.0",
    "docstring-parser": "MIT",
    "h11": "MIT",
    "httpx": "BSD-3-Clause",
    "jinja2": "BSD-3-Clause",
    "joserfc": "BSD-3-Clause",
    "markdown-it-py": "MIT",
    "mdurl": "MIT",
    "obstore": "MIT",
    "rich": "MIT",
    "typing-extensions": "PSF-2.0",
    "tzdata": "Apache-2.0",
    "uvloop": "MIT OR Apache-2.0",
}
"""Licences of packages that state none as an SPDX expression, or are not installed with every Python and system. Read
in their licence files on 2026-11-30; obstore's wheel has none, and says MIT in its metadata."""

CARRIED = {
    "apsw": {"SQLite": "blessing"},
    "cffi": {"libffi": "MIT"},
    "cryptography": {"openssl": "Apache-2.0"},
    "httptools": {"http-parser": "MIT", "llhttp": "MIT"},
    "msgspec": {"atof": "Apache-2.0", "ryu": "Apache-2.0 OR BSL-1.0"},
    "psycopg-binary": {
        "cyrus-sasl-lib": "BSD-Attribution-HPND-disclaimer",
        "keyutils-libs": "LGPL-2.1-or-later",
        "libcom_err": "MIT",
        "libcrypt": "LGPL-2.1-or-later",
        "libcrypto": "Apache-2.0",
        "libgssapi_krb5": "MIT",
        "libk5crypto": "MIT",
        "libkeyutils": "LGPL-2.1-or-later",
        "libkrb5": "MIT",
        "libkrb5support": "MIT",
        "liblber": "OLDAP-2.8",
        "libldap": "OLDAP-2.8",
        "libpq": "PostgreSQL",
        "libsasl2": "BSD-Attribution-HPND-disclaimer",
        "libssl": "Apache-2.0",
    },
    "rich-rst": {"docutils": "BSD-2-Clause"},
    "uvloop": {"libuv": "MIT"},
}
"""Licences of what is compiled or copied into a wheel and has none in a bill of the wheel, by package. The wheel of
psycopg-binary has no texts of its libraries' licences: these are those of their projects."""

_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_NEEDED_BY = re.compile(r"^ +# +(?:via +)?(?!via$|-r )(\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class LockedPackage:
    """One package of a lock, with the hashes of all files that it may be installed from, and the packages of the lock
    that need it on any system."""

    name: str
    version: str
    hashes: tuple[str, ...]
    needed_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class CarriedPart:
    """Something that is compiled or copied into a package. A licence or version of "" is not known."""

    name: str
    version: str
    licence: str


def read_lock(text: str) -> list[LockedPackage]:
    """The packages of a lock with hashes, as `make lock` writes it."""
    starts = [*_LOCKED.finditer(text)]
    ends = [match.start() for match in starts[1:]] + [len(text)]
    entries = [(match, text[match.start() : end]) for match, end in zip(starts, ends, strict=True)]
    return [
        LockedPackage(
            canonicalize_name(match[1]), match[2], tuple(_HASH.findall(entry)), tuple(_NEEDED_BY.findall(entry))
        )
        for match, entry in entries
    ]


def needs(requirements: Iterable[str]) -> list[str]:
    """The names of those that are needed here, without extras."""
    read = map(Requirement, requirements)
    return sorted({canonicalize_name(each.name) for each in read if each.marker is None or each.marker.evaluate()})


def reached(roots: Sequence[str], graph: Mapping[str, Sequence[str]]) -> set[str]:
    """All that the roots need, themselves included."""
    found: set[str] = set()
    waiting = [*roots]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += graph.get(name, ())
    return found


def installed_graph(names: Iterable[str]) -> dict[str, list[str]]:
    """What each of these needs, as far as it is installed: the lock is for other systems, too."""
    here: dict[str, Distribution] = {canonicalize_name(each.name): each for each in distributions()}
    return {name: needs(here[name].requires or ()) for name in names if name in here}


def licence_of(name: str) -> str:
    """The licence of a package, as an SPDX expression, or "" if it is not known."""
    try:
        about: PackageMetadata = distribution(name).metadata
    except PackageNotFoundError:
        return STATED.get(name, "")
    return str(about["License-Expression"]) if "License-Expression" in about else STATED.get(name, "")


def carried_by(name: str) -> list[CarriedPart]:
    """What is compiled or copied into the installed wheel of a package."""
    by_hand = CARRIED.get(name, {})
    try:
        package = distribution(name)
    except PackageNotFoundError:
        return []
    found = {*_of_bills(package, by_hand), *_libraries(package, by_hand)}
    named = {part.name for part in found}
    return sorted(found | {CarriedPart(part, "", licence) for part, licence in by_hand.items() if part not in named})


def _of_bills(package: Distribution, by_hand: Mapping[str, str]) -> Iterator[CarriedPart]:
    for file in package.files or ():
        if ".dist-info/sboms/" in str(file):
            for each in json.loads(file.read_text()).get("components", ()):
                if canonicalize_name(each["name"]) != canonicalize_name(package.name):
                    yield CarriedPart(each["name"], each.get("version", ""), _licence_in_bill(each, by_hand))


def _licence_in_bill(component: Mapping[str, list[dict[str, str]]], by_hand: Mapping[str, str]) -> str:
    expressions = [each["expression"] for each in component.get("licenses", ()) if "expression" in each]
    return " ".join(expressions[0].split()) if expressions else by_hand.get(str(component["name"]), "")


def _libraries(package: Distribution, by_hand: Mapping[str, str]) -> Iterator[CarriedPart]:
    """The shared libraries that were put into the wheel, in a folder of their own beside the package."""
    for file in package.files or ():
        if file.parts[0].endswith(".libs"):
            library = file.name.partition("-")[0]
            yield CarriedPart(library, "", by_hand.get(library, ""))
