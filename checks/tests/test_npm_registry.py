"""The registry that the drill of a release publishes its npm packages to, with the real npm."""

import base64
import hashlib
import json
import shutil
from pathlib import Path

import pytest
from checks.release import contents, npm_registry
from checks.release.build import CommandFailedError, plain_environment, run
from gateway.tests.examples import cases

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("npm") is None, reason="there is no npm here"),
]


@pytest.fixture
def packed(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A package of one file, as `npm pack` makes it: `small`, or of another name."""
    name = str(getattr(request, "param", "small"))
    source = tmp_path / "source"
    source.mkdir()
    (source / "package.json").write_text(json.dumps({"name": name, "version": "1.2.3", "main": "index.js"}))
    (source / "index.js").write_text("module.exports = 'it works';\n")
    run(["npm", "pack", "--silent"], source, plain_environment(HOME=str(tmp_path)))
    return next(source.glob("*.tgz"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return npm_registry.new_project(tmp_path / "project")


@pytest.mark.parametrize("packed", cases(["small", "@ours/small"], ["@ours/small"]), indirect=True)
def test_what_is_published_is_installed_byte_for_byte_and_never_changes(packed: Path, folder: Path) -> None:
    name = json.loads(contents.read(packed)["package/package.json"])["name"]
    files: dict[str, bytes] = {}
    with npm_registry.serve(files) as url:
        npm_registry.publish(packed, url, folder)
        assert [*files.values()] == [packed.read_bytes()]
        digest = base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
        assert npm_registry.install(name, "1.2.3", url, folder) == f"sha512-{digest}"
        assert run(["node", "-p", f"require('{name}')"], folder, plain_environment()) == "it works\n"
        with pytest.raises(CommandFailedError):
            npm_registry.publish(packed, url, folder)


def test_npm_refuses_a_file_that_was_exchanged_and_a_package_that_was_not_published(packed: Path, folder: Path) -> None:
    files: dict[str, bytes] = {}
    with npm_registry.serve(files) as url:
        npm_registry.publish(packed, url, folder)
        files["/small/-/small-1.2.3.tgz"] += b"\0"
        with pytest.raises(CommandFailedError, match="EINTEGRITY"):
            npm_registry.install("small", "1.2.3", url, folder)
        with pytest.raises(CommandFailedError, match="E404"):
            npm_registry.install("typescript", "5.9.3", url, folder)
