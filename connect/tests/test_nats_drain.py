"""Events of a real gateway in a stream of a real NATS: what every sink promises, and what is NATS' own."""

import asyncio
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from connect.tests.conftest import FedGateway, fed_gateway
from connect.tests.nats_server import NatsServer, needs_server, server
from connect.tests.sink_rig import entry, written
from gateway.tests.acceptance.gateway_process import run_command

from signalpost_client import AsyncClient, Client
from signalpost_connect.config import Secret
from signalpost_connect.draining import Drain
from signalpost_connect.nats.sink import NatsSink, NatsSinkConfig
from signalpost_connect.progress import DrainProgress
from signalpost_connect.sink import Sink, SinkAway
from signalpost_connect.testing import Change, SinkConformance, SinkMessage

__all__ = ["server"]
pytestmark = needs_server


class Stream:
    """A stream of a test, and another one for the cursor."""

    def __init__(self, server: NatsServer, folder: Path) -> None:
        name = uuid.uuid4().hex
        self.server, self.name, self.subject, self.cursor_subject = server, f"E{name}", f"e{name}", f"c{name}"
        self.secret = folder / "nats-url"
        self.secret.write_text(server.url)
        self.make(name=self.name, subjects=[f"{self.subject}.>"])
        self.make(name=f"C{name}", subjects=[self.cursor_subject], max_msgs_per_subject=1)

    def make(self, **config: Any) -> None:
        self.server.do(lambda js: js.add_stream(**config))

    def sink(self, **more: str) -> NatsSink:
        subjects = {"subject": self.subject, "cursor_subject": self.cursor_subject, **more}
        return NatsSink(NatsSinkConfig(url=Secret(file=str(self.secret)), **subjects))

    def messages(self) -> Sequence[Any]:
        async def read(js: Any) -> list[Any]:
            last = (await js.stream_info(self.name)).state.last_seq
            return [await js.get_msg(self.name, number) for number in range(1, last + 1)]

        return self.server.do(read)

    def sequences(self) -> Sequence[str]:
        return [each.headers["ce-sequence"] for each in self.messages()]

    def forget(self) -> None:
        """Remove all messages, as age or a reader does; their numbers are not given again."""
        self.server.do(lambda js: js.purge_stream(self.name))


@pytest.fixture
def stream(server: NatsServer, tmp_path: Path) -> Stream:
    return Stream(server, tmp_path)


class TestNatsSink(SinkConformance):
    @pytest.fixture(autouse=True)
    def _given(self, stream: Stream, gateway: FedGateway) -> None:
        self.stream = stream
        self.server = stream.server
        self.gateway = gateway

    def sink(self) -> Sink:
        return self.stream.sink()

    def table(self) -> str:
        return (
            f'kind = "nats"\nurl = {{ file = "{self.stream.secret}" }}\nsubject = "{self.stream.subject}"\n'
            f'cursor_subject = "{self.stream.cursor_subject}"\n'
        )

    def read(self) -> Sequence[SinkMessage]:
        return [
            SinkMessage(each.headers["ce-id"], each.headers["ce-subject"], each.data) for each in self.stream.messages()
        ]


def test_the_subject_has_the_type_and_the_headers_are_those_of_cloud_events(stream: Stream) -> None:
    wanted = entry(7, "d")
    asyncio.run(written(stream.sink(source="contracts"), [wanted]))
    [message] = stream.messages()
    assert (message.subject, message.data) == (f"{stream.subject}.documentUpdated", wanted.body)
    said = {name: value for name, value in message.headers.items() if not name.startswith("Nats-")}
    assert said == {
        "ce-specversion": "1.0",
        "ce-id": wanted.id,
        "ce-source": "contracts",
        "ce-type": wanted.type,
        "ce-time": wanted.created_at,
        "ce-subject": "d",
        "ce-sequence": "7",
        "content-type": "application/json",
    }
    assert message.headers["Nats-Msg-Id"] == wanted.id


def test_a_stream_that_has_forgotten_its_events_is_gone_on_with(stream: Stream) -> None:
    asyncio.run(written(stream.sink(), [entry(1), entry(2)]))
    stream.forget()
    assert asyncio.run(written(stream.sink(), [entry(3)])) == 2


def test_what_was_written_before_a_crash_and_is_forgotten_is_dropped_by_its_id(stream: Stream) -> None:
    """The events were written, and read at once, and then the drain was killed before it wrote the cursor."""
    log = [entry(number) for number in range(1, 6)]

    async def crash() -> None:
        sink = stream.sink()
        await sink.cursor()
        await sink.write(log[:2])
        assert sink._writing is not None
        await sink._publish(sink._writing, log[2:4])
        await sink.close()

    asyncio.run(crash())
    stream.forget()
    assert asyncio.run(written(stream.sink(), log[2:])) == 2

    async def left(js: Any) -> Any:
        return (await js.stream_info(stream.name)).state

    state = stream.server.do(left)
    assert (state.messages, state.last_seq) == (1, 5)


def test_the_last_message_says_more_than_the_cursor(stream: Stream) -> None:
    async def crash() -> int | None:
        sink = stream.sink()
        await sink.cursor()
        await sink.write([entry(1)])
        assert sink._writing is not None
        await sink._publish(sink._writing, [entry(2)])
        found = await sink.cursor()
        await sink.close()
        return found

    async def run() -> tuple[int | None, int | None]:
        return await crash(), await written(stream.sink(), [entry(3)])

    assert asyncio.run(run()) == (2, 2)
    assert stream.sequences() == ["1", "2", "3"]


def test_a_stream_that_others_write_to_is_refused(stream: Stream) -> None:
    async def publish(js: Any) -> None:
        await js.publish(f"{stream.subject}.other", b"{}")

    async def mixed() -> None:
        sink = stream.sink()
        await sink.cursor()
        await asyncio.to_thread(stream.server.do, publish)
        await sink.write([entry(1)])

    with pytest.raises(SinkAway, match="Another process writes to the stream"):
        asyncio.run(mixed())
    with pytest.raises(SinkAway, match="is no event of a drain"):
        asyncio.run(stream.sink().cursor())
    assert len(stream.messages()) == 1


def test_an_event_that_is_too_large_is_named_and_those_before_it_are_written(stream: Stream) -> None:
    with pytest.raises(SinkAway, match=r"too large for NATS; .* has 2000000 bytes\. Raise max_payload"):
        asyncio.run(written(stream.sink(), [entry(1), entry(2, body=b"x" * 2_000_000), entry(3)]))
    assert stream.sequences() == ["1"]


@pytest.mark.parametrize("limit", [{"max_age": 60.0}, {"max_msgs": 10}, {"retention": "workqueue"}])
def test_a_stream_that_would_forget_the_cursor_is_refused(stream: Stream, limit: dict[str, Any]) -> None:
    subject = f"x{uuid.uuid4().hex}"
    stream.make(name=subject, subjects=[subject], **limit)
    with pytest.raises(SinkAway, match=f"The stream {subject} would forget the cursor"):
        asyncio.run(stream.sink(cursor_subject=subject).cursor())


def test_what_is_missing_is_said_without_the_secret(stream: Stream) -> None:
    def said(sink: NatsSink) -> str:
        with pytest.raises(SinkAway) as raised:
            asyncio.run(sink.cursor())
        return str(raised.value)

    assert said(stream.sink(subject="nowhere")) == "No stream of NATS keeps the subject nowhere.>; make one."
    assert "keeps the cursor_subject nowhere; make one" in said(stream.sink(cursor_subject="nowhere"))
    assert "is of the stream of the events" in said(stream.sink(cursor_subject=f"{stream.subject}.cursor"))
    stream.secret.write_text("nats://writer:hunter2@127.0.0.1:1")
    away = said(stream.sink())
    assert away == "NATS: nats: no servers available for connection."
    assert "hunter2" not in away


# --- A restore --------------------------------------------------------------------------------------------------------


def test_a_drain_writes_nothing_of_a_log_that_was_restored_and_another_one_writes_all_of_it(
    stream: Stream, server: NatsServer, tmp_path: Path
) -> None:
    """A backup is taken, and events that come after it are written; then the gateway starts with the backup."""
    (tmp_path / "gateway").mkdir()
    (tmp_path / "another").mkdir()
    another = Stream(server, tmp_path / "another")
    with fed_gateway(tmp_path / "gateway") as gateway:
        change(gateway, 4)
        backup, data = tmp_path / "backup.db", gateway.process.data_dir
        run_command("db", "backup", backup, "--data-dir", data)
        change(gateway, 3)
        assert drained(stream, gateway) == ""
        assert stream.sequences() == [*map(str, range(1, 8))]
        gateway.stop()
        run_command("db", "restore", backup, "--data-dir", data)
        gateway.start()
        for _ in range(2):  # the second one when there are two new events
            assert drained(stream, gateway).startswith(
                "The sink has events up to 7, and the log of the gateway ends at"
            )
            assert len(stream.messages()) == 7
            change(gateway, 1)
        assert drained(another, gateway) == ""
    former, restored = stream.messages(), another.messages()
    assert another.sequences() == [*map(str, range(1, 7))]
    assert [each.headers["ce-id"] for each in restored[:4]] == [each.headers["ce-id"] for each in former[:4]]
    assert not {each.headers["ce-id"] for each in restored[4:]} & {each.headers["ce-id"] for each in former}


def change(gateway: FedGateway, documents: int) -> None:
    """Have new documents, and with each an event."""
    with Client(gateway.url, gateway.key) as client:
        for _ in range(documents):
            assert all(
                answer.changed for answer in client.documents.import_lines([Change(str(uuid.uuid4()), 1, "new").line])
            )


def drained(stream: Stream, gateway: FedGateway) -> str:
    """What a drain says that reads to the end of the log; empty if all is well."""

    async def drain() -> str:
        progress, sink = DrainProgress(time.monotonic), stream.sink()
        try:
            async with AsyncClient(gateway.url, gateway.operator_key) as client:
                made = Drain(sink, client, 0, progress)
                while await made.round() == 0.0:
                    pass
                return str(progress.health().get("trouble", ""))
        finally:
            await sink.close()

    return asyncio.run(drain())
