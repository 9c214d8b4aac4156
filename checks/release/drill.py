"""A release without the internet: `make release-drill`. What it leaves in `dist/release/` is what a release uploads.

Everything is built twice, from two clones, and must be the same; checked; uploaded to an index on this machine; and
installed from there with hashes, into an empty environment of each Python that is here. The commit that is checked out
counts, and no file that is not committed. `docs/releasing.md` says what this cannot prove.
"""

import base64
import hashlib
import json
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from checks.parts import GATEWAY, LOCK, OURS, ROOT
from checks.release import beside, build, contents, index, install, npm_registry, versions
from checks.release.build import CommandFailedError, plain_environment, run

RESULT = ROOT / "dist" / "release"


class DrillFailedError(Exception):
    """The release must not be made; the message says why."""


def fail_for(faults: Sequence[str]) -> None:
    """Raises DrillFailedError if there is any fault."""
    if faults:
        raise DrillFailedError("\n".join(faults))


def requirements(lock: str, hashes: Mapping[str, str], version: str) -> str:
    """A file for `pip install --require-hashes`: what the lock has, and ours with the hashes of what was built."""
    lines = [lock.rstrip()]
    for name in OURS:
        begins = f"{name.replace('-', '_')}-{version}"
        own = [
            f"    --hash=sha256:{digest}"
            for file, digest in hashes.items()
            if file.startswith((f"{begins}-", f"{begins}.tar"))
        ]
        lines.append(" \\\n".join([f"{name}=={version}", *own]))
    return "\n".join(lines) + "\n"


def built_twice(folder: Path) -> list[Path]:
    """What both builds made, each of them the same."""
    one, other = (build.build(folder, how) for how in build.TWICE)
    fail_for([f"{name} differs between two builds" for name in build.differing(build.sums(one), build.sums(other))])
    return one


def checked(files: Sequence[Path], folder: Path) -> None:
    """Fail if a distribution lacks something, or has something that is not for others."""
    places = tuple(str(place) for place in (folder, ROOT, Path.home()) if place != Path("/"))
    licence = (ROOT / "LICENSE").read_bytes()
    fail_for([fault for file in files for fault in contents.faults(file.name, contents.read(file), licence, places)])
    index.check([file for file in files if file.suffix != ".tgz"])


def put_together(files: Sequence[Path], version: str, release: Path) -> Path:
    """Put everything that is published into one folder. Returns the requirements with hashes."""
    release.mkdir()
    for file in [*files, ROOT / "THIRD-PARTY.md"]:
        shutil.copy(file, release)
    locked = release / f"requirements-{version}.txt"
    locked.write_text(requirements(LOCK.read_text(), build.sums(files), version))
    run([sys.executable, "-m", "checks.sbom", release / f"{GATEWAY}-{version}.cdx.json"], ROOT, plain_environment())
    lines = [f"{digest}  {name}\n" for name, digest in build.sums([*release.iterdir()]).items()]
    (release / "SHA256SUMS").write_text("".join(lines))
    return locked


def tried(files: Sequence[Path], locked: Path, version: str, folder: Path) -> None:
    """Upload, and install as a stranger does, with each Python."""
    packages = folder / "packages"
    packages.mkdir()
    pythons = install.pythons(Path.home())
    with index.serve(packages) as url:
        index.upload([file for file in files if file.suffix != ".tgz"], url)
        for number, python in pythons.items():
            programs = install.empty_environment(python, folder / number)
            index.fetch_third_parties(programs, packages)
            began = time.monotonic()
            install.install(programs, locked, url)
            check_version(run([programs / "signalpost", "--version"], folder, plain_environment()), version)
            installed = time.monotonic() - began
            seconds = install.first_event(programs, folder / f"run-{number}")
            print(f"Python {number}: installed with hashes in {installed:.0f} s, the first event {seconds:.1f} s later")
            index.fetch_for_companions(programs, packages)
            for each in beside.COMPANIONS:
                beside.try_alone(each, version, python, url, folder / f"{number}-{each.name}")
            print(
                f"Python {number}: installed alone, and at work: {', '.join(each.name for each in beside.COMPANIONS)}"
            )
        oldest = next(iter(pythons.values()))
        check_version(install.run_without_installing(oldest, url, folder), version)
        print("run without installing, by uv: it says its version")
        index.fetch_pip(folder / next(iter(pythons)) / "bin", packages)
        of_pipx = install.install_with_pipx(oldest, version, url, folder / "of-pipx")
        seconds = install.first_event(of_pipx, folder / "run-pipx")
        print(f"installed by pipx: the first event {seconds:.1f} s later")
    kits = [file for file in files if file.suffix == ".tgz"]
    if kits:
        tried_for_node(kits, version, of_pipx, folder)


def tried_for_node(kits: Sequence[Path], version: str, gateway: Path, folder: Path) -> None:
    """Publish the packages of npm, install them by their hashes, and have the kit verify what a gateway sends."""
    project = npm_registry.new_project(folder / "node")
    with npm_registry.serve() as url:
        for kit in kits:
            npm_registry.publish(kit, url, project)
            name = json.loads(contents.read(kit)["package/package.json"])["name"]
            integrity = npm_registry.install(name, version, url, project)
            digest = base64.b64encode(hashlib.sha512(kit.read_bytes()).digest()).decode()
            fail_for([] if integrity == f"sha512-{digest}" else [f"npm installed another {name}: {integrity}"])
            check_version(npm_registry.version_that_runs(name, project) or version, version)
    (project / "receiver.js").write_text(npm_registry.RECEIVER)
    seconds = install.first_event(gateway, folder / "run-node", f'node {project}/receiver.js "{install.SIGNED_WITH}"')
    print(f"npm: published, installed by its hash, and the first event verified in {seconds:.1f} s")


def check_version(said: str, version: str) -> None:
    """Fail if `signalpost --version` said something else."""
    fail_for([] if said.startswith(version) else [f"It says that it is {said}, and not {version}."])


def main() -> None:
    version, tag = versions.version_of(ROOT), versions.tag_of(ROOT)
    try:
        changed = run(["git", "status", "--porcelain", "--untracked-files=no"], ROOT, plain_environment())
        fail_for([f"A release is of a commit, and this is not committed:\n{changed}"] if changed else [])
        fail_for([*versions.differing(ROOT)])
        heading = versions.wrong_heading((ROOT / "CHANGELOG.md").read_text(), version, tag, datetime.now(UTC).date())
        fail_for([heading] if heading else [])
        with TemporaryDirectory() as name:
            folder = Path(name)
            files = built_twice(folder)
            print(f"built twice to the same hashes: {len(files)} files of {version}, {tag or 'which has no tag yet'}")
            checked(files, folder)
            tried(files, put_together(files, version, folder / "release"), version, folder)
            shutil.rmtree(RESULT, ignore_errors=True)
            shutil.copytree(folder / "release", RESULT)
    except (DrillFailedError, CommandFailedError) as error:
        sys.exit(f"The release must not be made.\n{error}")
    print(f"{RESULT.relative_to(ROOT)}: what a release uploads, with SHA256SUMS")


if __name__ == "__main__":
    main()
