"""A stream of a real Redis, before a real gateway, keeps what every source promises."""

import json
import os
from pathlib import Path

import pytest
from connect.tests.conftest import FedGateway
from connect.tests.connector_process import run_command, write_config
from connect.tests.feeding import changes, told_of
from connect.tests.redis_server import Streams, server, streams
from connect.tests.source_rig import KilledConformance, run_source

from signalpost_connect import AGAIN, APPLIED
from signalpost_connect.redis.stream import RedisStream

__all__ = ["server", "streams"]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("REDIS"), reason="minutes of a gateway fed from Redis: make connect-redis"),
]


class TestRedis(KilledConformance):
    @pytest.fixture(autouse=True)
    def _given(self, streams: Streams, gateway: FedGateway) -> None:
        self.platform = streams
        self.gateway = gateway


def test_a_field_can_say_that_a_document_is_deleted(streams: Streams, gateway: FedGateway, tmp_path: Path) -> None:
    streams.client.xadd(streams.stream, {"id": "one", "gone": "true"})
    config = write_config(
        tmp_path, "source", streams.table().replace('field = "state"\n', ""), gateway.url, gateway.key
    )
    mapping = '[mapping]\nexternalId = "{{ body.id }}"\ndeleted = "{{ body.gone }}"\n'
    config.write_text(config.read_text() + mapping)
    done = run_command("check", config)
    assert done.returncode == 0, done.stdout + done.stderr
    line = json.loads(done.stdout.splitlines()[-1].partition(": ")[2])
    assert (line["externalId"], line["deleted"]) == ("one", True)


def test_check_shows_what_comes_next_and_takes_nothing(streams: Streams, gateway: FedGateway, tmp_path: Path) -> None:
    given = changes("one", "two", "three")
    streams.put(given[:2])
    config = write_config(tmp_path, "source", streams.table(), gateway.url, gateway.key)

    def shown() -> list[int]:
        done = run_command("check", config)
        assert done.returncode == 0, done.stdout + done.stderr
        lines = done.stdout.splitlines()[1:]
        return [json.loads(line.partition(": ")[2])["sourceVersion"] for line in lines]

    assert shown() == [1, 2]

    async def settle_one(source: RedisStream) -> None:
        batch = await source.take(10, 0)
        await source.settle(batch, [APPLIED, AGAIN])

    run_source(streams.source(), settle_one)
    streams.put(given[2:])
    assert shown() == [2, 3]
    assert streams.left() == 2
    assert given[0].document not in told_of(gateway)
