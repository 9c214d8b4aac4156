"""The reference: a client that does the minimum to send POSTs in this language and on this event loop.

It signs nothing, keeps nothing and reads no more of an answer than its end. Its rate into the sink is the limit that
every other rate is given a share of, so this file does not change: a faster reference would lower earlier shares.
"""

import asyncio
import resource
import ssl
import time
from typing import cast

from signalpost_bench.child_process import answer_questions

CONNECTIONS = 128


class _ReferenceConnection(asyncio.Protocol):
    def __init__(self, request: bytes, left: list[int], done: asyncio.Future[None]) -> None:
        self._request = request
        self._left = left
        self._done = done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        # A 204 has no body and arrives in one piece.
        left = self._left
        left[1] -= 1
        if left[0] > 0:
            left[0] -= 1
            self._transport.write(self._request)
        elif left[1] == 0 and not self._done.done():
            self._done.set_result(None)

    def start(self) -> None:
        self._left[0] -= 1
        self._transport.write(self._request)

    def close(self) -> None:
        self._transport.close()


async def run(port: int, requests: int, payload: int, certificate: str | None) -> dict[str, float]:
    """Send `requests` POSTs of `payload` bytes; the seconds that took, and the CPU seconds of this process."""
    head = f"POST /reference HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-length: {payload}\r\n\r\n"
    request = head.encode() + b"x" * payload
    loop = asyncio.get_running_loop()
    left, done = [requests, requests], loop.create_future()
    context = None if certificate is None else ssl.create_default_context(cafile=certificate)
    connections = [
        (
            await loop.create_connection(
                lambda: _ReferenceConnection(request, left, done), "127.0.0.1", port, ssl=context
            )
        )[1]
        for _ in range(CONNECTIONS)
    ]
    cpu, began = _cpu(), time.perf_counter()
    for connection in connections:
        connection.start()
    await done
    seconds, spent = time.perf_counter() - began, _cpu() - cpu
    for connection in connections:
        connection.close()
    return {"seconds": seconds, "cpu": spent}


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    answer_questions({"run": run})
