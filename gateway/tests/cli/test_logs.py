"""Log lines as JSON, whatever is in them, and wherever they go."""

import asyncio
import contextlib
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

from signalpost.cli.serving.gateway_process import DISK_FAILED
from signalpost.cli.serving.logs import MOST_GATHERED, Layout, LossyHandler, coloured_line, json_line, text_line
from signalpost.runtime.logger import Fields, LogLine, read_record


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


class Pipe:
    """A log that goes into a pipe, and what has come out of it."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        self._handler = LossyHandler(self._writing, json_line)

    def log(self, message: str, level: int = logging.INFO) -> None:
        self._handler.handle(logging.LogRecord("signalpost", level, "", 0, LogLine(message, {}), (), None))

    def come_out(self) -> list[dict[str, object]]:
        """The lines since the last call."""
        read = b""
        with contextlib.suppress(BlockingIOError):
            while True:
                read += os.read(self._reading, 65_536)
        return [json.loads(line) for line in read.splitlines()]

    def messages(self) -> list[object]:
        return [line["message"] for line in self.come_out()]

    def close(self) -> None:
        os.close(self._reading)
        os.close(self._writing)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


def test_the_lines_of_a_round_of_the_event_loop_are_written_as_it_ends(pipe: Pipe) -> None:
    async def scenario() -> None:
        pipe.log("first")
        pipe.log("second")
        assert pipe.messages() == []
        await asyncio.sleep(0)
        assert pipe.messages() == ["first", "second"]
        pipe.log("third")
        await asyncio.sleep(0)
        assert pipe.messages() == ["third"]

    asyncio.run(scenario())


def test_a_warning_is_written_at_once_after_what_came_before(pipe: Pipe) -> None:
    async def scenario() -> None:
        pipe.log("before")
        pipe.log("warned", logging.WARNING)
        assert pipe.messages() == ["before", "warned"]
        await asyncio.sleep(0)
        assert pipe.messages() == []

    asyncio.run(scenario())


def test_without_an_event_loop_and_after_one_lines_are_written_at_once(pipe: Pipe) -> None:
    async def scenario() -> None:
        pipe.log("as the loop ended")

    pipe.log("before the loop")
    assert pipe.messages() == ["before the loop"]
    asyncio.run(scenario())
    pipe.log("after the loop")
    assert pipe.messages() == ["as the loop ended", "after the loop"]


def test_gathered_lines_are_few_however_long_a_round_lasts(pipe: Pipe) -> None:
    async def scenario() -> None:
        for number in range(MOST_GATHERED + 1):
            pipe.log(str(number))
        assert len(pipe.messages()) == MOST_GATHERED

    asyncio.run(scenario())


def test_of_gathered_lines_that_a_pipe_does_not_take_each_counts_as_lost(pipe: Pipe) -> None:
    async def scenario() -> None:
        sent = 0
        for _ in range(10):
            for _ in range(100):
                sent += 1
                pipe.log("x" * 200)
            await asyncio.sleep(0)
        taken = pipe.come_out()
        assert 0 < len(taken) < sent
        pipe.log("again")
        pipe.log("and again")
        await asyncio.sleep(0)
        first, second = pipe.come_out()
        assert first["lines_lost"] == sent - len(taken)
        assert "lines_lost" not in second

    asyncio.run(scenario())


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


def test_a_line_says_which_process_wrote_it_unless_another_process_handed_it_over() -> None:
    reading, writing = os.pipe()
    handler = LossyHandler(writing, json_line, with_pid=True)
    for fields in ({}, {"pid": 1}):
        handler.handle(logging.LogRecord("signalpost", logging.ERROR, "", 0, LogLine("m", {**fields}), (), None))
    pids = [json.loads(line)["pid"] for line in os.read(reading, 4_096).splitlines()]
    os.close(reading)
    os.close(writing)
    assert pids == [os.getpid(), 1]


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
    end = "from signalpost.cli.serving.gateway_process import _end_at_once; _end_at_once(OSError())"
    assert subprocess.run([sys.executable, "-c", end], stderr=nowhere, check=False).returncode == DISK_FAILED
