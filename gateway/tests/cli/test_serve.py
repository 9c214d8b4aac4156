import asyncio
import contextlib
import http.client
import json
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import uvloop
from gateway.tests.acceptance.client import until
from gateway.tests.cli.command import SIGNALPOST, environment, run
from gateway.tests.patience import PATIENCE

from signalpost.cli.serving.gateway_process import write_address
from signalpost.cli.serving.listening import listen
from signalpost.listener.application import ArrivingBody, Head, Steps
from signalpost.listener.server import ACCEPTED_AT_ONCE, Server
from signalpost.listener.serving import ServerSettings

pytestmark = pytest.mark.slow


def test_metrics_on_a_port_of_their_own_are_nowhere_else(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [SIGNALPOST, "serve", "--data-dir", tmp_path / "data", "--port", "0", "--metrics-port", "0"],
        stdout=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    assert process.stdout is not None
    try:
        main, metrics = (re.search(r"127\.0\.0\.1:\d+", process.stdout.readline()) for _ in range(2))
        assert main is not None
        assert metrics is not None
        statuses = [_status(port[0], path) for port in (main, metrics) for path in ("/metrics", "/health/live")]
        assert statuses == [404, 200, 200, 404]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        process.stdout.close()


def test_whoever_looks_for_the_address_finds_all_of_it_or_nothing(tmp_path: Path) -> None:
    file, stop, found = tmp_path / "address", threading.Event(), set[str]()

    def look() -> None:
        while not stop.is_set():
            with contextlib.suppress(FileNotFoundError):
                found.add(file.read_text())

    looking = threading.Thread(target=look)
    looking.start()
    for _ in range(500):
        write_address(file, "http://127.0.0.1:8080")
    stop.set()
    looking.join()
    assert found <= {"http://127.0.0.1:8080\n"}
    assert file.read_text() == "http://127.0.0.1:8080\n"


def start_with_files_of_at_most(size: int, data_dir: Path) -> str:
    """What a start says, and all of it, if the disk takes no more of any file. It must keep no bytecode: Python would
    leave a part that cannot be loaded of a module that was changed since the tests began."""
    done = subprocess.run(
        [SIGNALPOST, "serve", "--data-dir", data_dir, "--port", "0", "--disk-reserve-mb", "0"],
        capture_output=True, text=True, env=environment(PYTHONDONTWRITEBYTECODE="1"), timeout=PATIENCE, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )  # fmt: skip
    assert done.returncode == 1
    return done.stderr


@pytest.mark.parametrize(("size", "what"), [(0, "master-key"), (46, "operator-key"), (60, "signalpost.db")])
def test_a_start_that_cannot_write_its_files_says_which_in_a_line(tmp_path: Path, size: int, what: str) -> None:
    said = start_with_files_of_at_most(size, tmp_path / "data")
    assert re.fullmatch(rf"signalpost: .*{what}.*\n", said), said


@pytest.mark.parametrize(
    ("endpoint", "code", "says"),
    [
        ("http://", 2, "AWS_ENDPOINT_URL must be http(s)://host[:port]"),
        ("http://1.2.3.4.5:1", 1, "its endpoint are those of the AWS_… variables"),
    ],
)
def test_a_start_with_a_malformed_endpoint_of_the_bucket_says_what_to_change(
    tmp_path: Path, endpoint: str, code: int, says: str
) -> None:
    options = ("--data-dir", str(tmp_path), "--port", "0", "--files-url", "s3://contracts")
    keys = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"), "x")
    said = run("serve", *options, code=code, AWS_ENDPOINT_URL=endpoint, **keys).stderr
    assert says in said
    assert "Traceback" not in said


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_it_runs_without_the_standard_streams(tmp_path: Path, closed: str) -> None:
    """What it opens must not get their numbers: a line of the log would go into the database."""
    command = f'exec "{SIGNALPOST}" serve --data-dir "{tmp_path}" --port 0 {closed}'
    process = subprocess.Popen(["sh", "-c", command], stdin=subprocess.DEVNULL, env=environment())
    try:
        until(lambda: (tmp_path / "address").exists())
        assert _status((tmp_path / "address").read_text().strip().removeprefix("http://"), "/health/ready") == 200
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


NOT_YET = (
    "aiosmtplib", "cyclopts.completion", "difflib", "html", "jinja2", "joserfc", "obstore", "prometheus_client",
    "psycopg", "rich",
    "signalpost.api.routing.openapi", "signalpost.console.app", "signalpost.engine.tracing",
    "signalpost.store.postgres", "signalpost.workers", "zoneinfo",
)  # fmt: skip
"""What a gateway imports once it is asked for a page, metrics or its description, or has mail, a bucket or workers."""


def test_a_gateway_with_nothing_to_do_has_imported_nothing_that_only_some_need(tmp_path: Path) -> None:
    """Each such import takes memory, and a part of every start."""
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-X", "importtime", SIGNALPOST, "serve", "--data-dir", tmp_path / "data", "--port", "0"],
            stdout=subprocess.PIPE, stderr=said, text=True, env=environment(),
        )  # fmt: skip
    assert process.stdout is not None
    assert "listens on" in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    lines = (tmp_path / "said").read_text().splitlines()
    imported = {line.split("|")[2].strip() for line in lines if line.startswith("import time:")}
    assert "signalpost.gateway" in imported
    assert [each for each in NOT_YET if each in imported] == []


def test_the_greeting_names_the_folder_as_it_is_called(tmp_path: Path) -> None:
    folder = tmp_path / "[bold] :key: \x1b[31m"
    process = subprocess.Popen(
        [SIGNALPOST, "serve", "--data-dir", folder, "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment(),
    )  # fmt: skip
    assert process.stdout is not None
    greeting = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert greeting.endswith(f"its data is in {tmp_path}/[bold] :key: \\x1b[31m\n")


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="this system does not tell another process's limits")
def test_as_many_files_are_open_as_the_system_allows_and_few_are_told(tmp_path: Path) -> None:
    """Shells and services begin with a low limit that a process may raise."""
    process = subprocess.Popen(
        [SIGNALPOST, "serve", "--data-dir", tmp_path / "data", "--port", "0", "--log-format", "json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 2_000)),
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        assert "listens on" in process.stdout.readline()
        assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (2_000, 2_000)
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=PATIENCE)
    (warning,) = (line for line in map(json.loads, said.splitlines()) if "allowed" in line)
    assert warning["level"] == "warning"
    assert warning["allowed"] == 2_000
    assert "ulimit -n" in warning["message"]


def _status(address: str, path: str) -> int:
    connection = http.client.HTTPConnection(address, timeout=PATIENCE)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


def test_clients_who_come_together_are_let_in_together() -> None:
    """A round of the loop takes long under load: one client in each would have all the others wait for seconds."""

    def nothing(_head: Head, _body: ArrivingBody) -> Steps:
        raise AssertionError("nobody asks")

    async def scenario() -> int:
        listener = listen("127.0.0.1", 0, PATIENCE)
        server = Server(nothing, listener, ServerSettings(max_connections=100, stop_seconds=PATIENCE))
        serving = asyncio.create_task(server.serve())
        clients = [socket.create_connection(listener.getsockname()) for _ in range(ACCEPTED_AT_ONCE)]
        rounds = 0
        while len(server.serving.connections) < len(clients):
            await asyncio.sleep(0)
            rounds += 1
        for client in clients:
            client.close()
        server.stop()
        await serving
        return rounds

    assert uvloop.run(scenario()) < ACCEPTED_AT_ONCE // 4
