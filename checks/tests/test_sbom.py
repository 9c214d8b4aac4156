"""The bill of materials has what the lock has, and says what it is for."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from checks.sbom import LockedPackage, needs, reached, read_lock

ROOT = Path(__file__).resolve().parents[2]
A, B = "a" * 64, "b" * 64


def test_a_lock_is_read_with_all_hashes() -> None:
    text = (
        f"One.Two==1.0 ; python_version < '4' \\\n    --hash=sha256:{A} \\\n    --hash=sha256:{B}\n    # via\ntwo==2\n"
    )
    assert read_lock(text) == [LockedPackage("one-two", "1.0", (A, B)), LockedPackage("two", "2", ())]


def test_what_is_needed_here_is_told_by_markers_without_extras() -> None:
    requirements = ["B-b>=1", "a; python_version >= '3'", "never; python_version < '3'", "extra; extra == 'x'"]
    assert needs(requirements) == ["a", "b-b"]


def test_all_that_is_needed_by_what_is_needed_is_reached_also_in_a_circle() -> None:
    graph = {"a": ["b"], "b": ["c", "a"], "d": ["c"]}
    assert reached(["a"], graph) == {"a", "b", "c"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    target = tmp_path_factory.mktemp("sbom") / "signalpost.cdx.json"
    subprocess.run([sys.executable, "-m", "checks.sbom", target], cwd=ROOT, check=True, capture_output=True)
    return target.read_bytes()


def test_every_locked_package_is_in_the_bill_with_its_hashes(made: bytes) -> None:
    bill = json.loads(made)
    found = {each["name"]: each for each in bill["components"]}
    lock = read_lock((ROOT / "requirements" / "runtime.txt").read_text())
    ours = {"signalpost-receiver", "signalpost-bench", "signalpost-destinations"}
    assert set(found) == ours | {package.name for package in lock}
    for package in lock:
        assert found[package.name]["purl"] == f"pkg:pypi/{package.name}@{package.version}"
        assert [each["content"] for each in found[package.name]["hashes"]] == list(package.hashes)
    assert found["msgspec"]["scope"] == "required"
    assert found["hatchling"]["scope"] == "excluded", "it only builds"
    assert found["signalpost-bench"]["scope"] == "optional"
    assert found["msgspec"]["licenses"]
    of_gateway = next(each for each in bill["dependencies"] if each["ref"] == "signalpost")
    assert {"signalpost-receiver", "msgspec", "uvloop"} <= set(of_gateway["dependsOn"])
