"""What one request leaves behind."""

import asyncio
import gc
import weakref
from collections.abc import AsyncGenerator

import pytest
from gateway.tests.listener.applications import is_there

from signalpost.listener.application import Answer, App, ArrivingBody, BrokenBody, Head, Steps
from signalpost.listener.request_cycle import RequestCycle


class Writer:
    """A connection that takes everything."""

    def __init__(self) -> None:
        self.is_flowing = True
        self.written = b""
        self.has_ended = asyncio.Event()

    async def flow(self) -> None:
        pass

    def write(self, data: bytes) -> None:
        self.written += data

    def read_on(self) -> None:
        pass

    def is_persistent(self) -> bool:
        return True

    def answered(self) -> None:
        pass

    def abort(self) -> None:
        pass

    def ended(self, _cycle: RequestCycle) -> None:
        self.has_ended.set()


def head(method: str) -> Head:
    return Head(method=method, path="/", raw_path=b"/", query=b"", headers=(), named={}, length=0)


async def until_gone(body: ArrivingBody) -> AsyncGenerator[bytes, None]:
    while await is_there(body):
        yield b"more"
    yield b"last"


def answer_until_gone(_head: Head, body: ArrivingBody) -> Steps:
    """Answers as long as the client is there."""
    yield from ()
    return Answer(200, (), until_gone(body))


def at_once(_head: Head, body: ArrivingBody) -> Steps:
    yield from ()
    return Answer(200, (("content-length", "2"),), body.whole() or b"")


def after_a_future(_head: Head, body: ArrivingBody) -> Steps:
    done = asyncio.get_running_loop().create_future()
    done.set_result(body.whole())
    content = yield done
    return Answer(200, (("content-length", "2"),), content)


def after_a_task(_head: Head, body: ArrivingBody) -> Steps:
    yield asyncio.sleep(0)
    return Answer(200, (("content-length", "2"),), body.whole() or b"")


@pytest.mark.parametrize("app", [at_once, after_a_future, after_a_task])
def test_a_request_that_was_answered_leaves_nothing_to_the_garbage_collector(app: App) -> None:
    """An application has a request, which has its body: that must not lead back. The collector took 5 % of the time of
    a request for such circles."""

    async def scenario() -> "weakref.ref[RequestCycle]":
        writer = Writer()
        cycle = RequestCycle(writer, head("PATCH"), ())
        cycle.take(b"ok")
        cycle.end_body()
        cycle.begin(app, head("PATCH"))
        await writer.has_ended.wait()
        assert writer.written.endswith(b"\r\n\r\nok")
        return weakref.ref(cycle)

    gc.disable()
    try:
        assert asyncio.run(scenario())() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("has_read", [True, False])
def test_a_client_that_sends_nothing_more_still_gets_its_answer_and_need_not_be_waited_for(has_read: bool) -> None:
    async def scenario() -> bytes:
        writer = Writer()
        cycle = RequestCycle(writer, head("GET"), ())
        cycle.end_body()
        cycle.begin(answer_until_gone, head("GET"))
        if has_read:
            while not writer.written.endswith(b"more\r\n"):
                await asyncio.sleep(0)
        cycle.leave()
        await writer.has_ended.wait()
        return writer.written

    written = asyncio.run(scenario())
    assert b"\r\nmore\r\n" in written
    assert written.endswith(b"\r\nlast\r\n0\r\n\r\n")


def test_what_came_of_a_body_before_it_broke_off_is_read_however_late_the_application_asks() -> None:
    async def scenario() -> None:
        cycle = RequestCycle(Writer(), head("POST"), ())
        cycle.take(b"came")
        cycle.break_off()
        assert await cycle.part() == (b"came", True)
        with pytest.raises(BrokenBody):
            await cycle.part()
        await cycle.gone()

    asyncio.run(scenario())
