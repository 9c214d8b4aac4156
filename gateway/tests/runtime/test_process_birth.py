"""Whether a process has ended, as others of its machine know."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from signalpost.runtime.process_birth import UNKNOWN, has_ended, own_birth

SAYS_ITS_BIRTH = (
    "import sys; from signalpost.runtime.process_birth import own_birth; print(own_birth(), flush=True);"
    " sys.stdin.read()"
)
on_linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="nothing is known without /proc")


@pytest.fixture
def other() -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-c", SAYS_ITS_BIRTH], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def birth_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@on_linux
def test_a_process_has_ended_once_it_was_killed_and_not_before(other: "subprocess.Popen[str]") -> None:
    birth = birth_of(other)
    assert not has_ended(birth)
    other.kill()
    other.wait()
    assert has_ended(birth)


@on_linux
def test_a_process_that_is_frozen_has_not_ended(other: "subprocess.Popen[str]") -> None:
    birth = birth_of(other)
    other.send_signal(signal.SIGSTOP)
    assert not has_ended(birth)


@on_linux
def test_a_number_that_another_process_has_by_now_is_of_one_that_has_ended() -> None:
    earlier = own_birth().rpartition(" ")[0] + " 1"
    assert has_ended(earlier)
    assert not has_ended(own_birth())


@on_linux
def test_a_process_that_may_not_be_asked_is_there() -> None:
    def refuse(_process: int, _signal: int) -> None:
        raise PermissionError

    assert not has_ended(own_birth(), refuse)


@on_linux
def test_a_process_that_proc_hides_is_there(other: "subprocess.Popen[str]", tmp_path: Path) -> None:
    """`hidepid` hides processes of other users."""
    (tmp_path / "self").symlink_to("/proc/self")
    (tmp_path / "sys").symlink_to("/proc/sys")
    assert not has_ended(birth_of(other), proc=tmp_path)


@on_linux
@pytest.mark.parametrize("part", range(3))
def test_nothing_is_known_of_a_process_of_another_boot_or_namespace(part: int) -> None:
    words = own_birth().split()
    if part >= len(words) - 2:
        pytest.skip("this system has no time namespaces")
    words[part] = "another"
    gone = [*words[:-2], str(2**22 + 1), words[-1]]  # no process has such a number
    assert has_ended(" ".join([*own_birth().split()[:-2], *gone[-2:]]))
    assert not has_ended(" ".join(gone))


@pytest.mark.parametrize(
    "birth",
    [UNKNOWN, "nonsense", "a b", pytest.param(f"boot {os.getpid()} x", id="a start time that is no number")],
)
def test_nothing_is_known_of_a_trace_that_says_nothing(birth: str) -> None:
    assert not has_ended(birth)


def test_a_system_that_tells_nothing_leaves_no_trace(tmp_path: Path) -> None:
    assert own_birth(tmp_path) == UNKNOWN
    assert not has_ended(own_birth(), proc=tmp_path)
