"""The bill of materials has what the lock has, and says what it is for."""

import json
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from checks.parts import LockedPackage, needs, reached, read_lock
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
A, B = "a" * 64, "b" * 64


def test_a_lock_is_read_with_all_hashes_and_with_who_needs_what() -> None:
    text = (
        f"One.Two==1.0 ; python_version < '4' \\\n    --hash=sha256:{A} \\\n    --hash=sha256:{B}\n"
        "    # via\n    #   -r requirements/runtime.in\n    #   two\ntwo==2\n    # via one-two\n"
    )
    assert read_lock(text) == [
        LockedPackage("one-two", "1.0", (A, B), ("two",)),
        LockedPackage("two", "2", (), ("one-two",)),
    ]


def test_what_is_needed_here_is_told_by_markers_without_extras() -> None:
    requirements = ["B-b>=1", "a; python_version >= '3'", "never; python_version < '3'", "extra; extra == 'x'"]
    assert needs(requirements) == ["a", "b-b"]


def test_all_that_is_needed_by_what_is_needed_is_reached_also_in_a_circle() -> None:
    graph = {"a": ["b"], "b": ["c", "a"], "d": ["c"]}
    assert reached(["a"], graph) == {"a", "b", "c"}


def test_what_is_locked_is_what_our_distributions_say_they_need_and_nothing_that_only_builds() -> None:
    declared: set[str] = set()
    for name in ("receiver", "client", "gateway", "bench", "destinations"):
        project = tomllib.loads((ROOT / name / "pyproject.toml").read_text())["project"]
        extras = project.get("optional-dependencies", {}) if name == "gateway" else {}
        declared |= {Requirement(each).name for each in [*project["dependencies"], *chain(*extras.values())]}
    asked_for = (ROOT / "requirements" / "runtime.in").read_text().splitlines()
    assert {Requirement(line).name for line in asked_for if not line.startswith("#")} == {
        name for name in declared if not name.startswith("signalpost")
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    target = tmp_path_factory.mktemp("sbom") / "signalpost.cdx.json"
    subprocess.run([sys.executable, "-m", "checks.sbom", target], cwd=ROOT, check=True, capture_output=True)
    return target.read_bytes()


def test_every_locked_package_is_in_the_bill_with_its_hashes(made: bytes) -> None:
    bill = json.loads(made)
    found = {each["name"]: each for each in bill["components"]}
    lock = read_lock((ROOT / "requirements" / "runtime.txt").read_text())
    ours = {"signalpost-client", "signalpost-receiver", "signalpost-bench", "signalpost-destinations"}
    assert set(found) == ours | {package.name for package in lock}
    for package in lock:
        assert found[package.name]["purl"] == f"pkg:pypi/{package.name}@{package.version}"
        assert [each["content"] for each in found[package.name]["hashes"]] == list(package.hashes)
    assert found["msgspec"]["scope"] == "required"
    assert found["psycopg"]["scope"] == "optional"
    assert found["signalpost-bench"]["scope"] == "optional"
    assert all(each["expression"] for found_part in found.values() for each in found_part["licenses"])
    assert {"openssl", "pyo3"} <= {each["name"] for each in found["cryptography"]["components"]}
    of_gateway = next(each for each in bill["dependencies"] if each["ref"] == "signalpost")
    assert {"signalpost-receiver", "msgspec", "uvloop"} <= set(of_gateway["dependsOn"])
