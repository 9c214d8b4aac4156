"""What a source of Redis makes of consumer groups, ids and fields, with a real server."""

import asyncio
import json
import shlex
import uuid
from collections.abc import Sequence

import pytest
from connect.tests.feeding import changes
from connect.tests.redis_server import Streams, server, streams
from connect.tests.source_rig import run_source
from connect.tests.test_guide import ROOT, blocks

from signalpost_connect import AGAIN, APPLIED, Batch, SourceAway, dead
from signalpost_connect.config import Secret
from signalpost_connect.redis.stream import RedisConfig, RedisStream
from signalpost_connect.testing import Change

__all__ = ["server", "streams"]
pytestmark = pytest.mark.slow


def versions(batch: Batch) -> Sequence[int]:
    """The versions that the messages themselves say."""
    return [json.loads(each.body)["sourceVersion"] for each in batch.messages]


def test_what_another_consumer_left_is_claimed_before_anything_new(streams: Streams) -> None:
    """The consumer had taken two entries, and was gone for a second; meanwhile a third came."""
    streams.put(changes("one", "two"))
    assert len(run_source(streams.source(consumer="gone"), lambda source: source.take(10, 0)).messages) == 2
    streams.put([Change(str(uuid.uuid4()), 3, "three")])

    async def read(source: RedisStream) -> list[Sequence[int]]:
        found: list[Sequence[int]] = []
        while len(found) < 2:
            batch = await source.take(10, 0.1)
            if batch.messages:
                found.append(versions(batch))
                await source.settle(batch, [APPLIED] * len(batch.messages))
        return found

    assert run_source(streams.source(), read) == [[1, 2], [3]]
    assert streams.left() == 0


def test_while_another_consumer_works_nothing_new_is_read(streams: Streams) -> None:
    streams.put(changes("one"))

    async def both(first: RedisStream) -> list[int]:
        second = streams.source(consumer="2", again_seconds=3600)
        try:
            batch = await first.take(10, 0)
            streams.put(changes("two"))
            counts = [len(batch.messages), len((await second.take(10, 0)).messages)]
            await first.settle(batch, [APPLIED])
            return [*counts, len((await second.take(10, 0)).messages)]
        finally:
            await second.close()

    assert run_source(streams.source(), both) == [1, 0, 1]


def test_what_was_taken_by_a_connector_that_was_killed_comes_at_once(streams: Streams) -> None:
    streams.put(changes("one", "two"))
    assert versions(run_source(streams.source(), lambda source: source.take(10, 0))) == [1, 2]
    streams.put([Change(str(uuid.uuid4()), 3, "three")])
    again = run_source(streams.source(again_seconds=3600), lambda source: source.take(10, 0))
    assert versions(again) == [1, 2]


def test_what_was_not_answered_is_held_and_handed_out_first(streams: Streams) -> None:
    streams.put(changes("one", "two", "three"))

    async def hold(source: RedisStream) -> list[Sequence[int]]:
        batch = await source.take(10, 0)
        await source.settle(batch, [APPLIED, AGAIN, AGAIN])
        streams.put(changes("new"))
        return [versions(batch), versions(await source.take(10, 0))]

    assert run_source(streams.source(), hold) == [[1, 2, 3], [2, 3]]


def test_the_place_in_the_stream_is_the_version(streams: Streams) -> None:
    for place in ("1700000000000-0", "1700000000000-1", "1700000000000-1048577", "1700000000002-0"):
        streams.client.xadd(streams.stream, {"state": "{}", "traceparent": "00-1"}, id=place)
    batch = run_source(streams.source(), lambda source: source.take(10, 0))
    found = [each.version or 0 for each in batch.messages]
    assert found[0] == 1700000000000 << 20
    assert found == sorted(set(found))
    assert batch.messages[0].headers == {"traceparent": "00-1"}


def test_without_a_field_the_fields_are_the_message(streams: Streams) -> None:
    streams.client.xadd(streams.stream, {"id": "one", "gone": "1"})
    [message] = run_source(streams.source(field=None), lambda source: source.take(10, 0)).messages
    assert json.loads(message.body) == {"id": "one", "gone": "1"}


def test_the_dead_are_counted_and_keep_their_fields(streams: Streams) -> None:
    streams.put(changes("one", "two"))

    async def bury(source: RedisStream) -> int | None:
        batch = await source.take(10, 0)
        await source.settle(batch, [dead("No ä title."), APPLIED])
        return await source.dead()

    assert run_source(streams.source(), bury) == 1
    [(_, fields)] = streams.client.xrange(streams.dead_stream)
    assert fields[b"problem"].decode() == "No ä title."
    assert json.loads(fields[b"state"])["title"] == "one"
    assert fields[b"origin"] == streams.client.xrange(streams.stream)[0][0]


def test_what_the_stream_no_longer_has_is_dead_and_not_passed_over(streams: Streams) -> None:
    """A connector had taken it when it was trimmed away."""
    streams.put(changes("one"))
    run_source(streams.source(), lambda source: source.take(10, 0))
    streams.client.xtrim(streams.stream, maxlen=0)
    [message] = run_source(streams.source(), lambda source: source.take(10, 0)).messages
    assert message.body == b""


def test_what_is_missing_is_said_without_the_secret(streams: Streams) -> None:
    def said(source: RedisStream) -> str:
        with pytest.raises(SourceAway) as raised:
            run_source(source, lambda source: source.take(1, 0))
        return str(raised.value)

    url = Secret(file=str(streams.secret))
    assert said(RedisStream(RedisConfig(url, "missing", "dead"))) == "There is no stream missing."
    with pytest.raises(ValueError, match="dead_stream: dead messages need a stream of their own"):
        RedisStream(RedisConfig(url, "one", "one"))
    streams.secret.write_text(streams.server.url.replace("redis://", "redis://reader:hunter2@"))
    refused = said(streams.source())
    assert refused.startswith("Redis: ")
    assert "hunter2" not in refused
    streams.secret.write_text("reader:hunter2@127.0.0.1:1")
    with pytest.raises(ValueError, match="url: what it refers to is not a URL") as raised:
        streams.source()
    assert "hunter2" not in str(raised.value)


def test_a_stream_that_was_removed_is_said_and_read_again_when_it_is_back(streams: Streams) -> None:
    async def lose(source: RedisStream) -> Sequence[int]:
        assert not (await source.take(10, 0)).messages
        streams.client.delete(streams.stream)
        with pytest.raises(SourceAway):
            await source.take(10, 0)
        streams.put(changes("back"))
        return versions(await source.take(10, 0))

    assert run_source(streams.source(), lose) == [1]


def test_it_ends_while_it_waits(streams: Streams) -> None:
    async def cancel(source: RedisStream) -> bool:
        waiting = asyncio.ensure_future(source.take(10, 20))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return waiting.cancelled()

    assert run_source(streams.source(), cancel)


def test_the_rights_in_the_guide_are_enough_and_one_that_is_missing_is_said(streams: Streams) -> None:
    guide = (ROOT / "docs" / "guides" / "redis.md").read_text(encoding="utf-8")
    [rights] = [each for each in blocks(guide, "sh") if "ACL" in each]
    for shown, given in (("\\\n", " "), ("contracts-dead", streams.dead_stream), ("contracts", streams.stream)):
        rights = rights.replace(shown, given)
    _, *command = shlex.split(rights)
    assert streams.client.execute_command(*command) == b"OK"
    streams.secret.write_text(streams.server.url.replace("redis://", "redis://signalpost:PASSWORD@"))
    streams.put(changes("one", "two"))

    async def use(source: RedisStream) -> int | None:
        looked, batch = await source.look(10, 0), await source.take(10, 0)
        assert versions(looked) == versions(batch) == [1, 2]
        await source.settle(batch, [dead("No."), APPLIED])
        return await source.dead()

    assert run_source(streams.source(), use) == 1
    streams.client.execute_command("ACL", "SETUSER", "signalpost", "-xautoclaim")
    with pytest.raises(SourceAway, match="has no permissions to run the 'xautoclaim' command"):
        run_source(streams.source(), lambda source: source.take(1, 0))
