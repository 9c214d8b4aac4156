"""`signalpost documents upload, versions, publish, download` and `signalpost db scrub`."""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from gateway.tests.cli.command import Run, at_terminal, create, json_of

PDF = b"%PDF-1.7 a contract "


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "contract.pdf"
    made.write_bytes(PDF)
    return made


@contextmanager
def standing_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def test_a_file_is_uploaded_listed_published_and_downloaded(run: Run, file: Path, tmp_path: Path) -> None:
    document = create(run, title="Mutual NDA: Größe/x")
    assert run("documents", "upload", document, str(file)).stdout == f"Uploaded {file} as version 0.1.\n"
    assert json_of(run("documents", "upload", document, str(file), "--publish", "--json")) == {"number": "1.0"}
    assert run("documents", "publish", document, "0.1").stdout == "Published 0.1 as 2.0.\n"
    versions = json_of(run("documents", "versions", document, "--json"))
    assert [(each["number"], each["publishedAs"]) for each in versions] == [
        ("2.0", None), ("1.0", None), ("0.1", "2.0"),
    ]  # fmt: skip
    assert versions[0]["sha256"] == hashlib.sha256(PDF).hexdigest()
    shown = run("documents", "versions", document).stdout
    assert "application/pdf" in shown
    target = tmp_path / "copy.pdf"
    said = run("documents", "download", document, "0.1", "--to", str(target)).stdout
    assert said == f"Wrote version 0.1 to {target}.\n"
    assert target.read_bytes() == PDF


def test_without_a_number_or_a_name_the_latest_goes_into_a_file_named_after_the_title(
    run: Run, file: Path, tmp_path: Path
) -> None:
    document = create(run, title="../Größe")
    run("documents", "upload", document, str(file))
    folder = tmp_path / "here"
    folder.mkdir()
    with standing_in(folder):
        written = json_of(run("documents", "download", document, "--json"))
        assert written == {"file": "Größe.pdf", "number": "0.1", "bytes": len(PDF)}
        again = run("documents", "download", document, code=1)
    assert again.stderr == "signalpost: Größe.pdf exists; give another name with --to.\n"
    assert [each.name for each in folder.iterdir()] == ["Größe.pdf"]


def test_what_cannot_be_done_is_told_with_the_next_step(run: Run, file: Path, tmp_path: Path) -> None:
    document = create(run)
    assert "signalpost documents upload" in run("documents", "download", document, code=1).stderr
    assert "No versions yet" in run("documents", "versions", document).stdout
    assert "cannot be read" in run("documents", "upload", document, str(tmp_path / "none"), code=1).stderr
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF")
    assert "no known kind of file" in run("documents", "upload", document, str(program), code=1).stderr
    run("documents", "upload", document, str(file))
    run("documents", "publish", document, "0.1")
    assert "already published, as 1.0" in run("documents", "publish", document, "0.1", code=1).stderr
    unknown = run("documents", "download", document, "9.9", "--to", str(tmp_path / "x"), code=1).stderr
    assert "signalpost documents versions" in unknown
    assert not (tmp_path / "x").exists()
    nowhere = str(tmp_path / "no folder" / "x")
    assert "cannot be written" in run("documents", "download", document, "0.1", "--to", nowhere, code=1).stderr


def test_a_large_file_shows_its_progress_at_a_terminal(run: Run, data_dir: Path, tmp_path: Path) -> None:
    document = create(run)
    large = tmp_path / "large.txt"
    large.write_bytes(b"a" * 5_000_000)
    seen = at_terminal(100, "documents", "upload", document, str(large), SIGNALPOST_DATA_DIR=str(data_dir))
    assert "MB" in seen
    assert "as version 0.1." in seen


def test_a_scrub_says_what_is_missing_damaged_and_nobody_s(run: Run, file: Path, data_dir: Path) -> None:
    document = create(run)
    files = data_dir / "files"

    def upload() -> Path:
        before = set(files.iterdir())
        run("documents", "upload", document, str(file))
        (made,) = set(files.iterdir()) - before
        return made

    sound, missing, damaged = upload(), upload(), upload()
    assert re.fullmatch(r"Sound files: (\d+) of \1, [\d,]+ bytes\.\n", run("db", "scrub").stdout)
    missing.unlink()
    damaged.write_bytes(b"x" * len(PDF))
    orphan = files / ("0" * 32)
    orphan.touch()
    (files / "not ours").touch()
    found = run("db", "scrub", "--json", code=1)
    told = json_of(found)
    assert [each["file"] for each in told["missing"]] == [missing.name]
    assert told["damaged"] == [
        {"tenant": "default", "externalId": document, "number": "0.3", "file": damaged.name}
    ]  # fmt: skip
    assert (told["orphans"], told["removed"]) == ([orphan.name], 0)
    assert "missing or damaged: 2" in found.stderr
    shown = run("db", "scrub", code=1).stdout
    assert "missing" in shown
    assert "To remove them: signalpost db scrub --remove-orphans" in shown
    assert json_of(run("db", "scrub", "--remove-orphans", "--json", code=1))["removed"] == 1
    assert not orphan.exists()
    assert (files / "not ours").exists(), "what is not named as ours is nobody's business here"
    assert sound.read_bytes() == PDF
    missing.write_bytes(PDF)
    damaged.write_bytes(PDF)
    assert json_of(run("db", "scrub", "--json"))["missing"] == []


def test_sizes_and_a_backup_say_what_they_have_of_files(run: Run, file: Path, tmp_path: Path) -> None:
    run("documents", "upload", create(run), str(file))
    assert "Files of versions, stored outside the database:" in run("db", "sizes").stdout
    assert json_of(run("db", "sizes", "--json"))[-1]["name"] == "(files of versions)"
    assert "The documents' files are not in it." in run("db", "backup", str(tmp_path / "backup.db")).stdout
