"""Writes what the gateway is made of (an SBOM, CycloneDX 1.6). `make sbom` does so beside the wheels.

The lock says which versions and which files are installed, so it is what counts here; licences and who needs whom come
from the installed distributions. The same lock makes the same bill: it has no time and no random number in it.
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageMetadata, distributions, metadata, requires, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
GATEWAY = "signalpost"
OPTIONAL = ("signalpost-bench", "signalpost-destinations")
"""Distributions of this tree that a gateway can do without."""
_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class LockedPackage:
    """One package of a lock, with the hashes of all files that it may be installed from."""

    name: str
    version: str
    hashes: tuple[str, ...]


def read_lock(text: str) -> list[LockedPackage]:
    """The packages of a lock with hashes, as `make lock` writes it."""
    starts = [*_LOCKED.finditer(text)]
    ends = [match.start() for match in starts[1:]] + [len(text)]
    return [
        LockedPackage(canonicalize_name(match[1]), match[2], tuple(_HASH.findall(text[match.start() : end])))
        for match, end in zip(starts, ends, strict=True)
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


def bill(
    lock: Sequence[LockedPackage], graph: Mapping[str, Sequence[str]], about: Mapping[str, PackageMetadata]
) -> Any:
    """The bill as JSON values. `graph` has what each package needs, ours included; `about` says more of some."""
    at_work, with_extras = reached([GATEWAY], graph), reached([GATEWAY, *OPTIONAL], graph)
    locked = {package.name: package for package in lock}
    ours = sorted(name for name in graph if name not in locked and name != GATEWAY)

    def component(name: str, kind: str = "library") -> dict[str, Any]:
        package = locked.get(name)
        number = package.version if package else version(name)
        scope = "required" if name in at_work else "optional" if name in with_extras else "excluded"
        return {
            "type": kind,
            "bom-ref": name,
            "name": name,
            "version": number,
            "scope": scope,
            "licenses": licences(about[name]) if name in about else [],
            "purl": f"pkg:pypi/{name}@{number}",
            "hashes": [{"alg": "SHA-256", "content": each} for each in package.hashes] if package else [],
        }

    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": component(GATEWAY, "application")},
        "components": [component(name) for name in sorted({*locked, *ours})],
        "dependencies": [
            {"ref": name, "dependsOn": [each for each in graph[name] if each in locked or each in graph]}
            for name in sorted(graph)
        ],
    }


def licences(of: PackageMetadata) -> list[dict[str, Any]]:
    """What a distribution says of its licence: an SPDX expression, or else the names of its classifiers."""
    if "License-Expression" in of:
        return [{"expression": of["License-Expression"]}]
    classified = [each for each in of.get_all("Classifier", []) if each.startswith("License :: ")]
    return [{"license": {"name": each.rpartition(" :: ")[2]}} for each in classified]


def main() -> None:
    target = Path(sys.argv[1])
    lock = read_lock((ROOT / "requirements" / "runtime.txt").read_text())
    ours = (GATEWAY, "signalpost-receiver", *OPTIONAL)
    here = {canonicalize_name(each.name) for each in distributions()}  # the lock is for other platforms too
    names = [name for name in (*ours, *(package.name for package in lock)) if name in here]
    graph = {name: needs(requires(name) or ()) for name in names}
    made = bill(lock, graph, {name: metadata(name) for name in names})
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(made, indent=2) + "\n")
    print(f"{target}: {len(made['components'])} components")


if __name__ == "__main__":
    main()
