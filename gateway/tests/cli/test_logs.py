"""Log lines as JSON, whatever is in them, and wherever they go."""

import http.client
import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway.tests.acceptance.client import until
from gateway.tests.cli import command
from gateway.tests.cli.command import SIGNALPOST, Endpoint, create, environment, json_of
from gateway.tests.patience import PATIENCE

from signalpost.cli.commands.serve import DISK_FAILED
from signalpost.cli.serving.logs import Layout, coloured_line, json_line, read_record, text_line
from signalpost.runtime.logger import Fields


@pytest.mark.parametrize("value", ["plain", "ü", "\ud800", "\x00\x1b", object(), ValueError("x"), {1: b"\xff"}])
def test_a_line_is_one_line_of_json_whatever_is_in_it(value: object) -> None:
    written = json_line("2026-11-26T09:30:00.000000Z", "info", "m", {"value": value})
    assert written.endswith(b"\n")
    assert b"\n" not in written[:-1]
    assert json.loads(written)["message"] == "m"


@pytest.mark.parametrize("layout", [text_line, coloured_line])
def test_a_line_for_people_is_one_line_without_control_characters_of_others(layout: Layout) -> None:
    fields: Fields = {"detail": "two words\n\x1b[2J", "status": 500, "exception": "Traceback\n  in f"}
    written = layout("2026-11-26T09:30:00.000000Z", "error", "attempt failed", fields)
    line, trace = written.decode().split("\n", 1)
    assert line.endswith(r"detail='two words\n\x1b[2J' status=500")
    assert trace == "Traceback\n  in f\n"


def test_what_libraries_log_is_a_line_like_any_other() -> None:
    record = logging.LogRecord("asyncio", logging.ERROR, "", 0, "Task %s was lost", ("x",), None)
    assert read_record(record) == ("Task x was lost", {"logger": "asyncio"})


def test_what_cannot_be_encoded_is_escaped() -> None:
    assert b"name=" in text_line("", "info", "m", {"name": "\ud800"})


@pytest.fixture(params=["a full disk", "a pipe that nobody reads"])
def nowhere(request: pytest.FixtureRequest) -> Iterator[int]:
    """A descriptor that every write to it fails."""
    if request.param == "a full disk":
        if not Path("/dev/full").exists():
            pytest.skip("this system has no /dev/full")
        writing = os.open("/dev/full", os.O_WRONLY)
    else:
        reading, writing = os.pipe()
        os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["json", "text"])
def test_a_gateway_whose_log_cannot_be_written_does_all_else(
    tmp_path: Path, endpoint: Endpoint, nowhere: int, layout: str
) -> None:
    endpoint.status = 500
    process = subprocess.Popen(
        [SIGNALPOST, "serve", "--data-dir", tmp_path, "--port", "0", "--disk-reserve-mb", "0", "--log-format", layout,
         "--allow-targets", endpoint.url, "--retry-delays", "1"],
        stdout=nowhere, stderr=nowhere, env=environment(),
    )  # fmt: skip

    def run(*arguments: str) -> command.Done:
        return command.run(*arguments, SIGNALPOST_DATA_DIR=str(tmp_path))

    try:
        until(lambda: (tmp_path / "address").exists())
        run("subscriptions", "create", endpoint.url)
        create(run)
        until(lambda: json_of(run("deliveries", "list", "--status", "failed", "--json")))
        assert len(endpoint.headers) == 2
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["json", "text"])
def test_a_reader_of_the_log_that_stops_reading_holds_nobody_up(tmp_path: Path, layout: str) -> None:
    """Once it reads again it is told how much it missed."""
    process = subprocess.Popen(
        [SIGNALPOST, "serve", "--data-dir", tmp_path, "--port", "0", "--log-format", layout],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment(),
    )  # fmt: skip
    assert process.stderr is not None
    try:
        until(lambda: (tmp_path / "address").exists())
        address = (tmp_path / "address").read_text().strip().removeprefix("http://")
        connection = http.client.HTTPConnection(address, timeout=PATIENCE)

        def ask() -> int:
            connection.request("GET", "/v1/nowhere")
            answer = connection.getresponse()
            answer.read()
            return answer.status

        assert {ask() for _ in range(2_000)} == {404}
        os.set_blocking(process.stderr.fileno(), False)
        missed = re.compile(rb'"lines_lost":[1-9]|lines_lost=(\x1b\[\d+m)*[1-9]')
        said = b""

        def is_told() -> bool:
            nonlocal said
            said += process.stderr.read() or b"" if process.stderr is not None else b""
            return ask() == 404 and missed.search(said) is not None

        until(is_told)
        assert said.count(b"lines_lost") == 1, "and told once"
        connection.close()
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def test_a_disk_that_failed_ends_the_process_also_where_its_log_is_on_it(nowhere: int) -> None:
    end = "from signalpost.cli.commands.serve import _end_at_once; _end_at_once(OSError())"
    assert subprocess.run([sys.executable, "-c", end], stderr=nowhere, check=False).returncode == DISK_FAILED
