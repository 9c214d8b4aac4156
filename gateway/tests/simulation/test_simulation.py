"""The simulation itself: the same again from a seed, a disk that keeps what was synced, and what a violation tells."""

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import apsw
import pytest
from gateway.tests.simulation.planted import FAULTS
from gateway.tests.simulation.runner import simulate
from gateway.tests.simulation.seeded_world import Violation
from gateway.tests.world.disk import VFS, Disk
from gateway.tests.world.virtual_time import VirtualLoop, VirtualTime

from signalpost.store.sqlite.connect import connect

RUNNER = (sys.executable, "-m", "gateway.tests.simulation.runner")


def ran(*arguments: str, hash_seed: int) -> "subprocess.CompletedProcess[str]":
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    command = [*RUNNER, *arguments]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def test_a_seed_lives_through_the_same_world_in_every_process() -> None:
    arguments = ("--seed", "3", "--count", "2", "--trace")
    first, second = (ran(*arguments, hash_seed=number) for number in (1, 2))
    assert first.returncode == 0, first.stdout + first.stderr
    steps = [line for line in first.stdout.splitlines() if "seeds in" not in line]
    assert len(steps) > 300
    assert steps == [line for line in second.stdout.splitlines() if "seeds in" not in line]


def test_a_violation_tells_its_seed_the_last_steps_and_how_to_live_through_it_again(folder: Path) -> None:
    (early,) = (each for each in FAULTS.all if each.name == "answers before the commit")
    seed = FAULTS.find(early, folder).seeds
    with early.planted(), pytest.raises(Violation) as caught:
        simulate(seed, folder, traced=1_000_000)
    status = "\n".join(caught.value.__notes__)
    assert status.startswith(f"seed {seed}: Plan(")
    assert status.endswith(f"make simulate SEED={seed} COUNT=1")
    assert "process 1 starts" in status


def test_a_power_cut_leaves_what_was_synced_and_a_crash_all_that_was_written(tmp_path: Path) -> None:
    synced = False

    def gate(operation: str, kind: str, _grows: bool) -> None:
        nonlocal synced
        synced = synced or (operation == "sync" and kind == "wal")

    disk = Disk(tmp_path / "a.db", gate)
    connection = connect(disk.database, vfs=VFS)
    connection.execute("CREATE TABLE t (n INTEGER)")
    assert connection.pragma("journal_mode") == "wal"
    connection.execute("INSERT INTO t VALUES (1)")
    connection.pragma("synchronous", "normal")
    connection.execute("INSERT INTO t VALUES (2)")
    assert synced
    images = {"crash": disk.image(), "power cut": disk.image(Random(1), kept=0.0)}
    connection.close()
    disk.forget()
    found = {}
    for name, image in images.items():
        image.write(tmp_path / f"{name}.db")
        reader = apsw.Connection(str(tmp_path / f"{name}.db"))
        found[name] = [n for (n,) in reader.execute("SELECT n FROM t")]
        reader.close()
    assert found == {"crash": [1, 2], "power cut": [1]}


def test_a_disk_that_is_dead_takes_nothing_more(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "a.db", lambda *_: None)
    connection = connect(disk.database, vfs=VFS)
    connection.execute("CREATE TABLE t (n INTEGER)")
    before = disk.image()
    disk.dead = True
    with pytest.raises(apsw.IOError):
        connection.execute("INSERT INTO t VALUES (1)")
    assert disk.image() == before
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.close()
    disk.forget()


def test_time_stands_still_while_there_is_work_and_jumps_to_the_next_timer() -> None:
    time = VirtualTime(100.0)
    loop, other = VirtualLoop(time), VirtualLoop(time)
    seen: list[tuple[str, float]] = []
    loop.call_later(50, lambda: seen.append(("timer", loop.time())))
    cancelled = loop.call_later(10, lambda: seen.append(("cancelled", loop.time())))
    cancelled.cancel()
    loop.call_soon(lambda: seen.append(("soon", loop.time())))
    assert (loop.next_event, other.next_event) == (100.0, float("inf"))
    loop.step()
    assert loop.next_event == 150.0
    loop.step()
    assert seen == [("soon", 100.0), ("timer", 150.0)]
    assert other.time() == 150.0
    loop.close()
    other.close()
