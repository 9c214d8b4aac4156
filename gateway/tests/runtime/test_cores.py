"""How many cores a process may use."""

import os
from pathlib import Path

import pytest

from signalpost.runtime.cores import cores


@pytest.fixture
def own_cgroup(tmp_path: Path) -> Path:
    file = tmp_path / "cgroup"
    file.write_text("0::/system.slice/signalpost.service\n")
    (tmp_path / "system.slice/signalpost.service").mkdir(parents=True)
    return file


def limit(own_cgroup: Path, said: str) -> float:
    (own_cgroup.parent / "system.slice/signalpost.service/cpu.max").write_text(said)
    return cores(own_cgroup, own_cgroup.parent)


def test_the_limit_of_a_container_or_a_service_counts(own_cgroup: Path) -> None:
    assert limit(own_cgroup, "50000 100000\n") == 0.5
    assert limit(own_cgroup, "20000 20000\n") == 1.0


def test_without_a_limit_those_count_on_which_it_may_run(own_cgroup: Path) -> None:
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert cores(own_cgroup, own_cgroup.parent) == available, "there is no file"
    for said in ("max 100000\n", "900000000 1000\n", ""):
        assert limit(own_cgroup, said) == available
