"""A gateway as `signalpost serve` runs it, in a process of its own."""

import base64
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Set
from pathlib import Path
from typing import Self

import msgspec

from signalpost_bench.child_process import STOP_SECONDS, RunFailed
from signalpost_bench.resource_monitor import ResourceMonitor, Spent
from signalpost_bench.results import Stall, longest
from signalpost_bench.workload import MASTER_KEY, OPERATOR_KEY, PUBLIC_URL

READY_SECONDS = 180
SLOW_COMMIT_SECONDS = 0.025
"""The bound of the metric of commits beyond which a commit counts as slow."""


class GatewayProcess:
    """A gateway on a data directory, which may be empty, and on a PostgreSQL if `database_url` names one."""

    def __init__(
        self,
        folder: Path,
        targets: str,
        ca_file: str,
        cores: Set[int],
        database_url: str | None,
        processes: int,
        spent: Callable[[], Spent | None],
        attempt_timeout: float,
    ) -> None:
        self._folder = folder
        self._key = None if database_url is None else OPERATOR_KEY
        options = ["--data-dir", str(folder), "--port", "0", "--allow-targets", targets, "--ca-file", ca_file]
        options += ["--attempt-timeout", str(attempt_timeout)]
        options += ["--log-format", "json", "--master-key", base64.b64encode(MASTER_KEY).decode()]
        if database_url is not None:
            options += ["--database-url", database_url, "--operator-key", OPERATOR_KEY, "--public-url", PUBLIC_URL]
        if processes > 1:
            options += ["--processes", str(processes)]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it stops
        self._stalls = tempfile.NamedTemporaryFile()  # noqa: SIM115 - the same
        self._answers = tempfile.NamedTemporaryFile()  # noqa: SIM115 - the same
        self.began = time.monotonic_ns()
        # The parent of several processes has no event loop that could be watched.
        probed = ["-m", "signalpost_bench.probed_gateway", self._stalls.name, self._answers.name]
        plain = ["-c", "from signalpost.cli.main import main; main()"]
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, *(probed if processes == 1 else plain), "serve", *options],
            stdout=subprocess.DEVNULL,
            stderr=self._log,
        )
        try:
            os.sched_setaffinity(self._process.pid, cores)
            self.port = self._wait_until_ready()
            self.start_seconds = (time.monotonic_ns() - self.began) / 1e9
            self.key = self._key or (folder / "operator-key").read_text().strip()
            self.monitor = ResourceMonitor(self._process.pid, folder, spent)
        except BaseException:  # a user may stop the bench at any of these steps
            self._stop()
            raise

    def _wait_until_ready(self) -> int:
        address = self._folder / "address"
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            try:
                url = address.read_text().strip()
                with urllib.request.urlopen(f"{url}/health/ready", timeout=1):  # noqa: S310 - its own address
                    return int(url.rsplit(":", 1)[1])
            except (OSError, ValueError, urllib.error.URLError):  # not there yet, half written, not ready
                time.sleep(0.005)
        self._log.seek(0)
        said = self._log.read().decode(errors="replace").strip().rpartition("\n")[2]
        raise RunFailed(f"the gateway did not start: {said}")

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        self._stalls.close()
        self._answers.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def stalls(self) -> tuple[Stall, ...]:
        """The longest stall of its event loop since the last call."""
        return longest(self.all_stalls())

    def all_stalls(self) -> list[Stall]:
        """Every stall since the last call of this method or of `stalls`."""
        return list(map(msgspec.json.Decoder(Stall).decode, self._stalls.read().splitlines()))

    def note_answers(self) -> None:
        """Have each answer noted from now on."""
        self._process.send_signal(signal.SIGUSR1)

    def answers(self) -> list[tuple[int, int]]:
        """The port of the client, and the CPU time that the gateway had spent by then (ns), for each answer that was
        noted since the last call."""
        return [(int(port), int(spent)) for port, spent in map(bytes.split, self._answers.read().splitlines())]

    def slow_commits(self) -> int:
        """How many batches of changes took longer than `SLOW_COMMIT_SECONDS` since it began."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/metrics", headers={"authorization": f"Bearer {self.key}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the same
            counted = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines())
        quick = counted[f'signalpost_commit_seconds_bucket{{le="{SLOW_COMMIT_SECONDS}"}}']
        return int(float(counted["signalpost_commit_seconds_count"]) - float(quick))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.monitor.stop()
        finally:
            self._stop()
