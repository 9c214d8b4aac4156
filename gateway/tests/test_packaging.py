"""The wheels: complete, and of use outside the tree."""

import os
import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
from gateway.tests.authorities import environment_of_machine

from signalpost import VERSION

TREE = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
DISTRIBUTIONS = ("receiver", "gateway", "bench", "destinations", "pytest-plugin", "client", "mcp-server", "connect")

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """What the command writes. Nothing of this environment leads it to the tree."""
    clean = {
        name: value for name, value in environment_of_machine().items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")
    }
    done = subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make_environment(folder: Path, interpreter: Path = Path(sys.executable)) -> Path:
    """An environment with nothing installed. Returns its Python."""
    run(UV, "venv", "--quiet", "--python", interpreter, folder)
    return folder / "bin" / "python"


def build_wheel(source: Path, folder: Path) -> None:
    run(UV, "build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable, "-o", folder, source)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("wheels")
    for name in DISTRIBUTIONS:
        build_wheel(TREE / name, folder)
    return sorted(folder.glob("*.whl"))


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as content:
        (name,) = (name for name in content.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(content.read(name))


def test_each_wheel_carries_licence_addresses_readme_and_types(wheels: list[Path]) -> None:
    assert len(wheels) == len(DISTRIBUTIONS)
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as content:
            names = content.namelist()
            (licence,) = (name for name in names if name.endswith("licenses/LICENSE"))
            assert content.read(licence) == (TREE / "LICENSE").read_bytes()
        assert any(name.endswith("py.typed") for name in names)
        shown = metadata(wheel)
        assert shown["License-Expression"] == "Apache-2.0"
        addresses = {line.partition(",")[0] for line in shown.get_all("Project-URL", [])}
        assert addresses == {"Documentation", "Source", "Changelog", "Issues"}
        assert str(shown.get_payload()).startswith("# ")


def test_what_is_required_has_a_lower_bound_that_the_lock_keeps(wheels: list[Path]) -> None:
    locked = dict(
        line.split(" ")[0].split("==")
        for lock in ("runtime", "dev", "mcp")
        for line in (TREE / "requirements" / f"{lock}.txt").read_text().splitlines()
        if "==" in line and not line.startswith(" ")
    )
    for wheel in wheels:
        for required in metadata(wheel).get_all("Requires-Dist", []):
            assert ">=" in required or "==" in required, required
            name = required.split(">=")[0].split("==")[0].split("<")[0].split("[")[0].strip()
            assert name in locked or name.startswith("signalpost"), required


def test_they_work_outside_the_tree_with_the_commands_of_the_readme(wheels: list[Path], tmp_path: Path) -> None:
    python = make_environment(tmp_path / "env")
    uv = (UV, "pip", "install", "--quiet", "--python", python)
    run(*uv, "--require-hashes", "-r", TREE / "requirements" / "runtime.txt")
    run(*uv, "--no-deps", *wheels)  # signalpost-mcp lacks what it needs, which is in a lock of its own
    signalpost = tmp_path / "env" / "bin" / "signalpost"
    assert run(signalpost, "--version", cwd=tmp_path).startswith(VERSION)
    assert "--scene" in run(signalpost, "bench", "--help", cwd=tmp_path)
    assert "CREATE TABLE" in run(signalpost.with_name("signalpost-connect"), "outbox", "sql", cwd=tmp_path)
    kinds = "from signalpost.destinations.registry import Destinations; print(*Destinations.installed().kinds)"
    assert {"slack", "teams", "hubspot", "sqs", "s3", "pubsub"} <= set(run(python, "-c", kinds, cwd=tmp_path).split())
    examples = tmp_path / "env" / "share" / "signalpost" / "examples"
    assert "documentCreated" in run(python, examples / "demo.py", cwd=tmp_path)
    assert run(python, "-c", "import signalpost; print(signalpost.__file__)", cwd=tmp_path).startswith(str(tmp_path))


@pytest.mark.parametrize("version", ["3.10", "this one"])
def test_the_receiver_kit_needs_nothing_but_python(wheels: list[Path], tmp_path: Path, version: str) -> None:
    (kit,) = (wheel for wheel in wheels if wheel.name.startswith("signalpost_receiver"))
    python = make_environment(
        tmp_path / "bare", Path(sys.executable) if version == "this one" else interpreter(version)
    )
    run(UV, "pip", "install", "--quiet", "--no-index", "--python", python, kit)
    program = shutil.copy(TREE / "receiver" / "tests" / "outside.py", tmp_path)
    vectors = shutil.copytree(TREE / "receiver" / "vectors", tmp_path / "vectors")
    assert run(python, program, vectors, cwd=tmp_path) == "works\n"


def interpreter(version: str) -> Path:
    """A Python of this version, on the path or of pyenv. Skips the test where there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [
        *pyenv.glob(f"versions/{version}.*/bin/python"),
        *map(Path, filter(None, [shutil.which(f"python{version}")])),
    ]
    for python in found:
        if subprocess.run([python, "--version"], capture_output=True, check=False).returncode == 0:
            return python
    pytest.skip(f"there is no Python {version} on this machine")


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_source_distribution_builds_the_same_wheel(wheels: list[Path], tmp_path: Path, name: str) -> None:
    build = "import hatchling.build, sys; print(hatchling.build.build_sdist(sys.argv[1]))"
    run(sys.executable, "-c", build, tmp_path, cwd=TREE / name)
    (archive,) = tmp_path.glob("*.tar.gz")
    run("tar", "--extract", "--file", archive, cwd=tmp_path)
    (source,) = (each for each in tmp_path.iterdir() if each.is_dir())
    build_wheel(source, tmp_path)
    (built,) = tmp_path.glob("*.whl")
    (direct,) = (wheel for wheel in wheels if wheel.name == built.name)
    with zipfile.ZipFile(direct) as one, zipfile.ZipFile(built) as other:
        assert sorted(one.namelist()) == sorted(other.namelist())
