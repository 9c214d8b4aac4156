import contextlib
import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from uuid import UUID

import pytest
from gateway.tests.acceptance.client import until
from gateway.tests.cli import command
from gateway.tests.cli.command import SIGNALPOST, Run, environment, json_of
from gateway.tests.patience import PATIENCE

pytestmark = pytest.mark.slow


def snapshot(number: int, **more: Any) -> dict[str, Any]:
    return {
        "externalId": str(UUID(int=number)), "type": "NDA", "title": f"Title {number}", "status": "approved",
        "createdAt": "2026-01-15T09:30:00Z", "sourceApp": "archive", "ownerEmail": "owner@example.com",
        "authorEmail": "author@example.com", **more,
    }  # fmt: skip


def ndjson(snapshots: Iterator[dict[str, Any]]) -> str:
    return "".join(json.dumps(each) + "\n" for each in snapshots)


def test_a_file_of_many_is_imported_and_again_changes_nothing(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "many.ndjson"
    file.write_text(ndjson(snapshot(number) for number in range(1000, 2200)))
    assert run("documents", "import", str(file)).stdout.startswith(
        "1,200 lines: 1,200 created, 0 updated, 0 unchanged,"
    )
    file.write_text(
        ndjson(snapshot(number, title="New" if number < 1003 else f"Title {number}") for number in range(1000, 2200))
    )
    assert "0 created, 3 updated, 1,197 unchanged, 0 refused" in run("documents", "import", str(file)).stdout
    assert "Title 2199" in run("documents", "get", str(UUID(int=2199))).stdout


def test_a_file_may_delete_and_says_how_many(run: Run) -> None:
    kept, gone = snapshot(8000, sourceVersion=1), snapshot(8001, sourceVersion=1)
    deletions = [{"externalId": each["externalId"], "sourceVersion": 2, "deleted": True} for each in (gone, gone)]
    done = run("documents", "import", "-", stdin=ndjson(iter([kept, gone, *deletions])))
    assert done.stdout.startswith("4 lines: 2 created, 0 updated, 1 deleted, 1 unchanged, 0 refused")
    assert "Title 8000" in run("documents", "get", kept["externalId"]).stdout
    assert "There is no document" in run("documents", "get", gone["externalId"], code=1).stderr


def test_a_deletion_with_a_version_says_whether_anything_changed(run: Run) -> None:
    made = snapshot(8010, sourceVersion=5)
    run("documents", "import", "-", stdin=ndjson(iter([made])))
    identity = made["externalId"]
    assert "Nothing changed" in run("documents", "delete", identity, "--source-version", "4").stdout
    assert run("documents", "delete", identity, "--source-version", "6").stdout == f"Deleted {identity}.\n"
    assert "Nothing changed" in run("documents", "delete", identity, "--source-version", "6").stdout


def test_every_answer_has_its_line_of_the_file(run: Run) -> None:
    lines = ndjson(snapshot(number) for number in range(3000, 4100)).splitlines()
    text = "\n" + "\n\n".join(lines)
    answers = [json.loads(line) for line in run("documents", "import", "-", "--json", stdin=text).stdout.splitlines()]
    assert [(each["line"], each["externalId"]) for each in answers] == [
        (2 * at + 2, str(UUID(int=3000 + at))) for at in range(1100)
    ]
    assert {(each["status"], each["changed"]) for each in answers} == {(201, True)}


def test_refused_lines_are_told_with_their_reasons_and_the_others_imported(run: Run) -> None:
    lines = [snapshot(5000), snapshot(5001, ownerEmail="nobody", titel=1), snapshot(5002)]
    text = ndjson(iter(lines)) + "nonsense\n" + json.dumps({"title": "no id"})
    done = run("documents", "import", "-", stdin=text, code=1)
    assert done.stdout.startswith("5 lines: 2 created, 0 updated, 0 unchanged, 3 refused")
    assert f"line 2 ({UUID(int=5001)}): ownerEmail: This must be an e-mail address" in done.stderr
    assert f"line 2 ({UUID(int=5001)}): titel: There is no such field here." in done.stderr
    assert "line 4 (no externalId): This is not JSON" in done.stderr
    assert "line 5 (no externalId): externalId: This field is required." in done.stderr
    assert done.stderr.endswith("signalpost: 3 of 5 lines were refused.\n")


def test_lines_that_are_all_refused_at_length_do_not_stall(run: Run) -> None:
    lines = [{f"field{number}": 1 for number in range(60)} for _ in range(999)]
    done = run("documents", "import", "-", "--json", stdin=ndjson(iter(lines)), code=1)
    assert len(done.stdout) > 4_900_000, "nearly as much as an import that is refused can answer"
    assert len(done.stdout.splitlines()) == 999


def test_a_line_that_is_too_long_is_refused_alone(run: Run) -> None:
    text = json.dumps(snapshot(6000, title="x" * 3_000_000)) + "\n" + json.dumps(snapshot(6001))
    done = run("documents", "import", "-", stdin=text, code=1)
    assert "line 1 (no externalId): A line can have at most 1048576 bytes." in done.stderr
    assert "1 created, 0 updated, 0 unchanged, 1 refused" in done.stdout


def test_one_snapshot_over_several_lines_is_imported_with_the_version_of_its_source(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    file.write_text(json.dumps(snapshot(7000), indent=2))
    assert run("documents", "import", str(file), "--source-version", "2").stdout.startswith("Imported.")
    older = run("documents", "import", "-", "--source-version", "1", stdin=json.dumps(snapshot(7000, title="Old")))
    assert older.stdout.startswith("Nothing changed.")
    assert "Title 7000" in older.stdout
    file.write_text(json.dumps(snapshot(7000, ownerEmail="x"), indent=2))
    assert "  ownerEmail: This must be an e-mail address" in run("documents", "import", str(file), code=1).stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[\n{}\n]", "standard input has a list. Give one object per line"),
        ('{\n"a": 1}', "must be a JSON object with an externalId"),
        ("{\n", "must have a single JSON object"),
        ("{" + "\n" * 2_000_000, "neither one JSON object per line nor a single one"),
    ],
)
def test_what_is_no_import_is_refused_whole(run: Run, text: str, says: str) -> None:
    assert says in run("documents", "import", "-", stdin=text, code=1).stderr


def test_a_source_version_is_for_one_snapshot(run: Run) -> None:
    text = ndjson(snapshot(number) for number in (8000, 8001))
    assert (
        "With --source-version" in run("documents", "import", "-", "--source-version", "1", stdin=text, code=1).stderr
    )


def test_nothing_is_imported_from_nothing(run: Run, tmp_path: Path) -> None:
    assert run("documents", "import", "-").stderr == "standard input is empty: there is nothing to import.\n"
    assert "cannot be read" in run("documents", "import", str(tmp_path), code=1).stderr
    assert "cannot be read" in run("documents", "import", str(tmp_path / "none"), code=1).stderr


def test_memory_does_not_grow_with_the_file(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "large.ndjson"
    peaks = []
    for blank in (1, 60):
        # Lines that are blank to the gateway as well, since only the way through the command is in question.
        file.write_bytes(json.dumps(snapshot(9000)).encode() + b"\n" + (b" " * 1_000_000 + b"\n") * blank)
        measured = subprocess.run(
            ["/usr/bin/env", "python3", "-c", _PEAK, SIGNALPOST, "documents", "import", file],
            capture_output=True, text=True, check=True, env=environment(SIGNALPOST_DATA_DIR=str(data_dir)),
        )  # fmt: skip
        peaks.append(int(measured.stderr.splitlines()[-1]))
    assert peaks[1] < peaks[0] + 10_000, "KiB"


_PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
"""


def test_an_import_that_breaks_off_says_how_far_it_came_and_can_be_done_again(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    text = ndjson(snapshot(number) for number in range(2000))
    begin = text[: len(text) // 2]
    here: dict[str, Any] = {"SIGNALPOST_DATA_DIR": str(folder)}
    with command.gateway(folder) as gateway:
        importing = subprocess.Popen(
            [SIGNALPOST, "documents", "import", "-", "--json"], text=True, env=environment(**here),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert importing.stdin is not None
        importing.stdin.write(begin)
        importing.stdin.flush()
        until(lambda: json_of(command.run("events", "list", "--limit", "1", "--json", **here)))
        gateway.send_signal(signal.SIGKILL)
        gateway.wait(PATIENCE)
        answered, said = importing.communicate(text[len(begin) :], timeout=PATIENCE)
        assert importing.returncode == 1
    through = len(answered.splitlines())
    assert f"Every line up to {through:,} is done; {through:,} lines: {through:,} created" in said
    assert "Import the same file again: lines imported already change nothing." in said
    with command.gateway(folder):
        again = command.run("documents", "import", "-", stdin=text, **here)
        counted = re.search(r"([\d,]+) created, 0 updated, ([\d,]+) unchanged, 0 refused", again.stdout)
        assert counted is not None, again.stdout
        created, unchanged = (int(count.replace(",", "")) for count in counted.groups())
        assert (created + unchanged, unchanged >= through) == (2000, True), "more may be there than was answered"
        events = json_of(command.run("events", "list", "--limit", "3000", "--json", **here))
        assert len(events) == 2000, "an event for each, once"


def importing(data_dir: Path, stdout: IO[bytes] | int) -> "subprocess.Popen[bytes]":
    """An import that was given 1,000 lines and waits for more."""
    process = subprocess.Popen(
        [SIGNALPOST, "documents", "import", "-", "--json"],
        stdin=subprocess.PIPE, stdout=stdout, stderr=subprocess.PIPE,
        env=environment(SIGNALPOST_DATA_DIR=str(data_dir)),
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(ndjson(snapshot(number) for number in range(20_000, 21_000)).encode())
    process.stdin.flush()
    return process


def test_an_import_that_is_interrupted_says_how_far_it_came(data_dir: Path, tmp_path: Path) -> None:
    with (tmp_path / "answers").open("wb") as answers, importing(data_dir, answers) as process:
        assert process.stderr is not None
        until(lambda: (tmp_path / "answers").stat().st_size)
        process.send_signal(signal.SIGINT)
        assert b"Import the same file again" in process.stderr.read()
        assert process.wait(PATIENCE) == 130


def test_an_import_whose_reader_went_away_says_how_far_it_came(data_dir: Path) -> None:
    process = importing(data_dir, subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    with contextlib.suppress(BrokenPipeError):  # it may have ended by now
        process.stdin.write(ndjson(snapshot(number) for number in range(21_000, 22_000)).encode())
        process.stdin.flush()
    assert b"Import the same file again" in process.stderr.read()
    assert process.wait(PATIENCE) == 1
    process.stderr.close()
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
