"""A stream of NATS JetStream, as its own server has it, before a real gateway, keeps what every source promises."""

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from connect.tests.conftest import FedGateway
from connect.tests.feeding import changes
from connect.tests.nats_server import NatsServer, nats, needs_server, server
from connect.tests.source_rig import KilledConformance, run_source

from signalpost_connect import APPLIED, Batch, SourceAway, dead
from signalpost_connect.config import Secret
from signalpost_connect.nats.stream import NatsConfig, NatsStream
from signalpost_connect.testing import Change

__all__ = ["server"]
pytestmark = needs_server


class Streams:
    """Two streams of a test: one with changes, one with the dead."""

    def __init__(self, server: NatsServer, folder: Path) -> None:
        name = uuid.uuid4().hex
        self.server, self.stream, self.subject, self.dead_subject = server, f"S{name}", f"c{name}", f"d{name}"
        self.secret = folder / "nats-url"
        self.secret.write_text(server.url)
        self.do = server.do
        self.do(lambda js: js.add_stream(name=self.stream, subjects=[f"{self.subject}.>"]))
        self.do(lambda js: js.add_stream(name=f"D{name}", subjects=[self.dead_subject]))

    def source(self, **more: Any) -> NatsStream:
        url = Secret(file=str(self.secret))
        return NatsStream(NatsConfig(url, self.stream, self.dead_subject, again_seconds=2, **more))

    def put(self, changes: Sequence[Change]) -> None:
        async def publish(js: Any) -> None:
            for each in changes:
                await js.publish(f"{self.subject}.{each.document}", json.dumps(each.line).encode())

        self.do(publish)

    def left(self) -> int:
        async def count(js: Any) -> int:
            try:
                info = await js.consumer_info(self.stream, "signalpost-connect")
            except nats.js.errors.NotFoundError:
                messages: int = (await js.stream_info(self.stream)).state.messages
                return messages
            return int(info.num_pending + info.num_ack_pending)

        return self.do(count)

    def dead(self) -> Sequence[str]:
        async def read(js: Any) -> list[str]:
            last = (await js.stream_info(f"D{self.stream[1:]}")).state.last_seq
            found = [await js.get_msg(f"D{self.stream[1:]}", number) for number in range(1, last + 1)]
            return [each.headers["problem"] for each in found]

        return self.do(read)

    def table(self) -> str:
        return (
            f'kind = "nats"\nurl = {{ file = "{self.secret}" }}\nstream = "{self.stream}"\n'
            f'dead_subject = "{self.dead_subject}"\nagain_seconds = 2\n'
        )


@pytest.fixture
def streams(server: NatsServer, tmp_path: Path) -> Streams:
    return Streams(server, tmp_path)


class TestNats(KilledConformance):
    @pytest.fixture(autouse=True)
    def _given(self, streams: Streams, gateway: FedGateway) -> None:
        self.platform = streams
        self.gateway = gateway


def test_the_version_is_the_number_in_the_stream(streams: Streams) -> None:
    streams.put(changes("one", "two"))
    batch = run_source(streams.source(), lambda source: source.take(10, 5))
    assert [(each.id, each.version) for each in batch.messages] == [("1", 1), ("2", 2)]


def test_after_a_kill_nothing_later_goes_before_what_was_under_way(streams: Streams) -> None:
    """The former reader had taken two messages, and let go of none; the server sends those again after two seconds."""
    streams.put(changes("one", "two"))

    async def die(source: NatsStream) -> Batch:
        batch = await source.take(10, 5)
        assert source._reading is not None
        source._reading.held.clear()  # so that closing gives nothing back
        return batch

    assert len(run_source(streams.source(), die).messages) == 2
    streams.put(changes("three"))
    batch = run_source(streams.source(), lambda source: source.take(10, 5))
    assert [each.id for each in batch.messages][:2] == ["1", "2"]


def test_the_dead_are_counted_and_kept_once(streams: Streams) -> None:
    streams.put(changes("one", "two"))

    async def bury(source: NatsStream) -> int | None:
        batch = await source.take(10, 5)
        while len(batch.messages) < 2:
            batch = await source.take(10, 5)
        await source.settle(batch, [dead("No\ntitle."), APPLIED])
        return await source.dead()

    assert run_source(streams.source(), bury) == 1
    assert streams.dead() == ["No title."]
    assert streams.left() == 0


def test_what_is_missing_is_said(streams: Streams, tmp_path: Path) -> None:
    def said(source: NatsStream) -> str:
        with pytest.raises(SourceAway) as raised:
            run_source(source, lambda source: source.take(1, 0))
        return str(raised.value)

    url = Secret(file=str(streams.secret))
    assert "dead_subject nowhere; make one" in said(NatsStream(NatsConfig(url, streams.stream, "nowhere")))
    assert "is of the stream that is read" in said(NatsStream(NatsConfig(url, streams.stream, f"{streams.subject}.x")))
    assert "stream not found" in said(NatsStream(NatsConfig(url, "MISSING", streams.dead_subject)))
    streams.secret.write_text("nats://reader:hunter2@127.0.0.1:1")
    away = said(streams.source())
    assert away.startswith("NATS: ")
    assert "hunter2" not in away
    streams.secret.write_text("reader:hunter2@127.0.0.1:1")
    with pytest.raises(ValueError, match="url: what it refers to is not a URL") as raised:
        streams.source()
    assert "hunter2" not in str(raised.value)
