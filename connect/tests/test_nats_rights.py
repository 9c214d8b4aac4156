"""The rights that the guide for NATS names are enough for both directions, and one that is missing is said."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from connect.tests.feeding import changes
from connect.tests.nats_server import NatsServer, needs_server
from connect.tests.sink_rig import entry, written
from connect.tests.source_rig import run_source
from connect.tests.test_guide import ROOT, blocks

from signalpost_connect import AGAIN, APPLIED, SourceAway, dead
from signalpost_connect.config import Secret
from signalpost_connect.nats.sink import NatsSink, NatsSinkConfig
from signalpost_connect.nats.stream import NatsConfig, NatsStream
from signalpost_connect.sink import SinkAway

pytestmark = needs_server
GUIDE = (ROOT / "docs" / "guides" / "nats.md").read_text(encoding="utf-8")
READER, DRAIN = (json.loads(each) for each in blocks(GUIDE, "json"))
ADMIN = {"user": "admin", "password": "admin"}


def without(user: Mapping[str, Any], subject: str) -> Mapping[str, Any]:
    """A user who lacks one of these rights."""
    rights = user["permissions"]
    left = [each for each in rights["publish"] if each != subject]
    assert len(left) < len(rights["publish"])
    return {**user, "user": f"less_{user['user']}", "permissions": {**rights, "publish": left}}


LESS_READER, LESS_DRAIN = without(READER, "contracts-dead"), without(DRAIN, "contract-events.>")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    users = [ADMIN, READER, DRAIN, LESS_READER, LESS_DRAIN]
    made = NatsServer(tmp_path_factory.mktemp("nats"), users)
    try:
        made.start()
        made.do(make_streams)
        yield made
    finally:
        made.kill()


async def make_streams(js: Any) -> None:
    """The streams of the guide."""
    for name, subject in (
        ("CONTRACTS", "contracts.>"),
        ("CONTRACTS-DEAD", "contracts-dead"),
        ("CONTRACT-EVENTS", "contract-events.>"),
    ):
        await js.add_stream(name=name, subjects=[subject])
    await js.add_stream(name="SIGNALPOST-CURSORS", subjects=["signalpost-cursors.>"], max_msgs_per_subject=1)


def secret(server: NatsServer, folder: Path, user: Mapping[str, Any]) -> Secret:
    (folder / "nats-url").write_text(server.url_for(user["user"], user["password"]))
    return Secret(file=str(folder / "nats-url"))


def source(server: NatsServer, folder: Path, user: Mapping[str, Any]) -> NatsStream:
    url = secret(server, folder, user)
    return NatsStream(NatsConfig(url, "CONTRACTS", "contracts-dead", subject="contracts.>"))


def sink(server: NatsServer, folder: Path, user: Mapping[str, Any]) -> NatsSink:
    cursor = "signalpost-cursors.contract-events"
    return NatsSink(NatsSinkConfig(url=secret(server, folder, user), subject="contract-events", cursor_subject=cursor))


def test_the_reader_needs_no_more_rights_and_says_which_one_it_lacks(server: NatsServer, tmp_path: Path) -> None:
    async def publish(js: Any) -> None:
        for each in changes("one", "two"):
            await js.publish(f"contracts.{each.document}", json.dumps(each.line).encode())

    async def bury(source: NatsStream) -> int | None:
        while len((batch := await source.take(10, 5)).messages) < 2:
            pass
        await source.settle(batch, [dead("No title."), AGAIN])
        return await source.dead()

    async def finish(source: NatsStream) -> int:
        while not (batch := await source.take(10, 5)).messages:
            pass
        await source.settle(batch, [APPLIED])
        return len(batch.messages)

    server.do(publish)
    with pytest.raises(SourceAway, match='permissions violation for publish to "contracts-dead"'):
        run_source(source(server, tmp_path, LESS_READER), bury)
    assert run_source(source(server, tmp_path, READER), bury) == 1
    assert run_source(source(server, tmp_path, READER), finish) == 1


def test_the_drain_needs_no_more_rights_and_says_which_one_it_lacks(server: NatsServer, tmp_path: Path) -> None:
    with pytest.raises(SinkAway, match=r'permissions violation for publish to "contract-events\.documentupdated"'):
        asyncio.run(written(sink(server, tmp_path, LESS_DRAIN), [entry(1)]))
    assert asyncio.run(written(sink(server, tmp_path, DRAIN), [entry(1), entry(2)])) is None
    assert asyncio.run(written(sink(server, tmp_path, DRAIN), [entry(3)])) == 2
    server.do(lambda js: js.purge_stream("CONTRACT-EVENTS"))
    assert asyncio.run(written(sink(server, tmp_path, DRAIN), [entry(4)])) == 3
