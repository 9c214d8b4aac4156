"""Writes what the gateway is made of (an SBOM, CycloneDX 1.6). `make sbom` does so beside the wheels.

The lock says which versions and which files are installed, so it is what counts here; licences, who needs whom and what
is inside wheels come from the installed distributions. The same lock makes the same bill: it has no time and no random
number in it.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from checks.parts import (
    GATEWAY,
    LOCK,
    OURS,
    CarriedPart,
    LockedPackage,
    carried_by,
    installed_graph,
    licence_of,
    reached,
    read_lock,
)


def bill(
    lock: Sequence[LockedPackage],
    graph: Mapping[str, Sequence[str]],
    licences: Mapping[str, str],
    carried: Mapping[str, Sequence[CarriedPart]],
) -> Any:
    """The bill as JSON values. `graph` has what each package needs, ours included."""
    at_work = reached([GATEWAY], graph)
    locked = {package.name: package for package in lock}
    ours = sorted(name for name in graph if name not in locked and name != GATEWAY)

    def component(name: str, kind: str = "library") -> dict[str, Any]:
        package = locked.get(name)
        number = package.version if package else version(name)
        return {
            "type": kind,
            "bom-ref": name,
            "name": name,
            "version": number,
            "scope": "required" if name in at_work else "optional",
            "licenses": [{"expression": licences[name]}],
            "purl": f"pkg:pypi/{name}@{number}",
            "hashes": [{"alg": "SHA-256", "content": each} for each in package.hashes] if package else [],
            "components": [inner(name, part) for part in carried.get(name, ())],
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


def inner(package: str, part: CarriedPart) -> dict[str, Any]:
    """A part that is inside a package."""
    return {
        "type": "library",
        "bom-ref": f"{package}/{part.name}@{part.version}",
        "name": part.name,
        **({"version": part.version} if part.version else {}),
        "licenses": [{"expression": part.licence}],
    }


def main() -> None:
    target = Path(sys.argv[1])
    lock = read_lock(LOCK.read_text())
    graph = installed_graph([*OURS, *(package.name for package in lock)])
    names = {*graph, *(package.name for package in lock)}
    made = bill(lock, graph, {name: licence_of(name) for name in names}, {name: carried_by(name) for name in names})
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(made, indent=2) + "\n")
    print(f"{target}: {len(made['components'])} components")


if __name__ == "__main__":
    main()
