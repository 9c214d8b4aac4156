"""The lock that keeps a second gateway out of a folder."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from signalpost.domain.errors import StartError
from signalpost.store.sqlite.folder_lock import FolderLock

HOLDER = """
import sys, time
from pathlib import Path
from signalpost.store.sqlite.folder_lock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
lock.lock()
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def hold(tmp_path: Path) -> Callable[[], subprocess.Popen[str]]:
    def begin() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", dedent(HOLDER), str(tmp_path / "data")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        return process

    return begin


def end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


def test_a_second_process_is_told_who_uses_the_folder(
    hold: "Callable[[], subprocess.Popen[str]]", tmp_path: Path
) -> None:
    process = hold()
    try:
        with pytest.raises(StartError) as caught:
            FolderLock(tmp_path / "data").lock()
        assert str(process.pid) in str(caught.value)
        assert str(tmp_path / "data") in str(caught.value)
        assert "DATA_DIR" in str(caught.value)
    finally:
        end(process)


def test_a_process_that_was_killed_leaves_no_lock(hold: "Callable[[], subprocess.Popen[str]]", tmp_path: Path) -> None:
    process = hold()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    lock = FolderLock(tmp_path / "data")
    lock.lock()
    lock.unlock()
    again = hold()
    end(again)


def test_a_folder_is_taken_also_where_the_disk_has_no_room_to_say_by_whom(tmp_path: Path) -> None:
    taken = dedent(
        """
        import resource, sys
        from pathlib import Path
        from signalpost.store.sqlite.folder_lock import FolderLock
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        FolderLock(Path(sys.argv[1])).lock()
        """
    )
    subprocess.run([sys.executable, "-c", taken, str(tmp_path / "data")], check=True)


def test_the_folder_is_its_owners_alone(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "deep" / "data")
    lock.lock()
    assert stat.S_IMODE((tmp_path / "deep" / "data").stat().st_mode) == 0o700
    lock.unlock()
    lock.unlock()


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(StartError, match="DATA_DIR"):
        FolderLock(tmp_path / "data").lock()
