"""What a release checks before anything is uploaded, and what it writes."""

import re
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest
from checks.parts import GATEWAY, PYTHON_DISTRIBUTIONS, ROOT
from checks.release.beside import COMPANIONS
from checks.release.build import NPM_PACKAGES, with_published_links
from checks.release.build import differing as builds_differ
from checks.release.contents import faults
from checks.release.drill import requirements
from checks.release.install import SIGNED_WITH, minute_of_readme
from checks.release.versions import PLACES, differing, found_in, refusal, replaced_in, version_of, wrong_heading

TODAY = date(2027, 1, 31)


def test_everything_that_is_published_has_the_same_version() -> None:
    assert [*differing(ROOT)] == []


def _written_by_hand(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*.*") if each.parent.name != "__pycache__"]


def test_what_is_deployed_and_its_guide_name_no_version_that_a_release_would_leave_behind() -> None:
    version, files = version_of(ROOT), [*_written_by_hand(ROOT / "deploy"), ROOT / "docs/guides/production.md"]
    whole = re.compile(rf"(?<![\d.]){re.escape(version)}(?![\d.])")
    named = {str(file.relative_to(ROOT)) for file in files if file.is_file() and whole.search(file.read_text())}
    assert named <= {*PLACES}


def test_a_place_with_another_version_or_none_is_named(tmp_path: Path) -> None:
    for path in PLACES:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text((ROOT / path).read_text())
    bench = tmp_path / "bench" / "pyproject.toml"
    bench.write_text(bench.read_text().replace('"signalpost-receiver==', '"signalpost-receiver==9.'))
    (tmp_path / "receiver-node" / "package.json").write_text("{}")
    assert [line.partition(" ")[0] for line in differing(tmp_path)] == [
        "bench/pyproject.toml",
        "receiver-node/package.json",
    ]


@pytest.mark.parametrize("path", PLACES)
def test_another_version_changes_only_the_versions_of_ours(path: str) -> None:
    text = (ROOT / path).read_text()
    (version,) = set(found_in(text, PLACES[path]))
    changed = replaced_in(text, PLACES[path], "9.8.7")
    assert set(found_in(changed, PLACES[path])) == {"9.8.7"}
    assert replaced_in(changed, PLACES[path], version) == text
    assert changed.count("9.8.7") == len(found_in(text, PLACES[path]))


@pytest.mark.parametrize("version", ["0.2.0", "10.20.30"])
def test_three_numbers_are_a_version(version: str) -> None:
    assert refusal(version) is None


@pytest.mark.parametrize(
    "version", ["0.2.0rc1", "0.2.0-rc.1", "0.2", "0.2.0.1", "0.02.0", "v0.2.0", "0.2.0+1", "0.2.0\n", ""]
)
def test_what_one_registry_would_refuse_is_no_version(version: str) -> None:
    assert "such as 0.2.0" in str(refusal(version))


@pytest.mark.parametrize(
    ("heading", "tag", "says"),
    [
        ("Unreleased", "", ""),
        ("0.1.0 - 2027-01-31", "", ""),
        ("0.1.0 - 2027-01-31", "v0.1.0", ""),
        ("Unreleased", "v0.1.0", "write “## 0.1.0 - 2027-01-31”"),
        ("0.2.0 - 2027-01-31", "", "write “## 0.1.0"),
        ("0.1.0", "", "write “## 0.1.0"),
        ("0.1.0 - 2027-01-31", "v0.2.0", "it must be v0.1.0"),
        ("0.1.0 - 2027-02-01", "", "that is to come"),
    ],
)
def test_the_changelog_begins_with_what_is_unreleased_or_with_this_release(heading: str, tag: str, says: str) -> None:
    wrong = wrong_heading(f"# Changelog\n\nText.\n\n## {heading}\n\n## 0.0.9 - 2026-01-01\n", "0.1.0", tag, TODAY)
    assert says in wrong if wrong and says else (wrong or "") == says


def test_two_builds_differ_by_a_file_that_one_lacks_or_that_has_other_bytes() -> None:
    assert builds_differ({"same": "1", "changed": "1", "gone": "1"}, {"same": "1", "changed": "2", "new": "1"}) == [
        "changed", "gone", "new",
    ]  # fmt: skip


@pytest.mark.parametrize("name", [*PYTHON_DISTRIBUTIONS, *NPM_PACKAGES])
def test_the_links_of_a_description_lead_to_the_published_source(name: str) -> None:
    """An index shows a README beside no other file."""
    readme = with_published_links((ROOT / name / "README.md").read_text(), name)
    links = re.findall(r"\]\(([^)]+)\)", readme)
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    published = "https://signalpost.example/source/"
    inside = [link.removeprefix(published).partition("#")[0] for link in links if link.startswith(published)]
    assert [path for path in inside if not (ROOT / path).exists()] == []


def test_links_to_elsewhere_and_within_the_page_stay_as_they_are() -> None:
    assert with_published_links("[a](../docs/a.md#b) [b](b/c.md) [c](#d) [d](https://e.example/f)", "client") == (
        "[a](https://signalpost.example/source/docs/a.md#b) [b](https://signalpost.example/source/client/b/c.md)"
        " [c](#d) [d](https://e.example/f)"
    )


WHOLE: Mapping[str, Mapping[str, bytes]] = {
    "x-1-py3-none-any.whl": {
        "x/py.typed": b"", "x/testing/world.py": b"",
        "x-1.dist-info/licenses/LICENSE": b"L", "x-1.dist-info/RECORD": b"",
    },
    "x-1.tar.gz": {
        "x-1/LICENSE": b"L", "x-1/README.md": b"", "x-1/PKG-INFO": b"", "x-1/.gitignore": b"",
        "x-1/src/x/py.typed": b"",
    },
    "x-1.tgz": {"package/LICENSE": b"L", "package/README.md": b"", "package/dist/esm/index.d.ts": b""},
}  # fmt: skip


@pytest.mark.parametrize("archive", WHOLE)
def test_a_distribution_has_what_it_needs_and_each_thing_that_it_lacks_is_named(archive: str) -> None:
    assert [*faults(archive, WHOLE[archive], b"L", ("/home/me",))] == []
    for name in WHOLE[archive]:
        lacking = {each: content for each, content in WHOLE[archive].items() if each != name}
        expected = 0 if name.endswith((".gitignore", "world.py")) else 1
        assert len([*faults(archive, lacking, b"L", ("/home/me",))]) == expected, name


@pytest.mark.parametrize(
    "name",
    ["x/tests/test_a.py", "x/__pycache__/a.pyc", "x/.env", "x/prod.env", "x/key.pem", "signalpost-data/signalpost.db",
     "x/master-key", "x/secrets/token", "x/.git/config", "x/a.py.orig"],
)  # fmt: skip
def test_tests_caches_data_and_secrets_are_found_in_a_distribution(name: str) -> None:
    archive = "x-1-py3-none-any.whl"
    assert [*faults(archive, {**WHOLE[archive], name: b""}, b"L", ())] == [f"{archive} has {name}"]


def test_a_folder_of_this_machine_and_another_licence_are_found_in_a_distribution() -> None:
    archive = "x-1-py3-none-any.whl"
    files = {**WHOLE[archive], "x/a.py": b"path = '/home/me/tree/x'", "x-1.dist-info/licenses/LICENSE": b"other"}
    assert [*faults(archive, files, b"L", ("/home/me",))] == [
        f"{archive} has another licence in x-1.dist-info/licenses/LICENSE",
        f"{archive} names /home/me in x/a.py",
    ]


def test_the_requirements_have_the_lock_and_the_hashes_of_wheel_and_source_of_each_of_ours() -> None:
    hashes = {
        "signalpost-1.0-py3-none-any.whl": "aa",
        "signalpost-1.0.tar.gz": "bb",
        "signalpost_bench-1.0.tar.gz": "cc",
    }
    text = requirements("msgspec==0.22 \\\n    --hash=sha256:00\n", hashes, "1.0")
    assert text.startswith("msgspec==0.22 \\\n    --hash=sha256:00\nsignalpost==1.0 \\\n    --hash=sha256:aa \\\n")
    assert "\nsignalpost==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n" in text
    assert "\nsignalpost-bench==1.0 \\\n    --hash=sha256:cc\n" in text


def test_the_readmes_minute_has_commands_that_go_to_other_ports() -> None:
    minute = minute_of_readme((ROOT / "README.md").read_text(), 1, 2)
    assert minute.serve == "SIGNALPOST_ALLOW_TARGETS=http://127.0.0.1:2 signalpost serve"
    assert minute.receive.endswith(f'receiver.py" "{SIGNED_WITH}" 2')
    assert "http://127.0.0.1:1/v1/subscriptions" in minute.change
    assert '"http://127.0.0.1:2/"' in minute.change
    assert "http://127.0.0.1:1/v1/documents" in minute.change
    assert not re.search("8080|9000", " ".join(minute))


def test_each_distribution_that_is_built_is_installed_alone() -> None:
    built = (tomllib.loads((ROOT / name / "pyproject.toml").read_text()) for name in PYTHON_DISTRIBUTIONS)
    assert sorted(each["project"]["name"] for each in built) == sorted([GATEWAY, *(each.name for each in COMPANIONS)])
