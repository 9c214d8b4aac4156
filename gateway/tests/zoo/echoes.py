"""A receiver whose every answer carries the nonce of its request, and that mixes in what must never be read as one.

Fast enough for a million requests. What it does with each request is drawn from a seed: whole answers in one packet or
in many, chunks, early answers, connections that end; a second answer in the packet of the first, more bytes than it
said, the rest of an answer while the connection is idle. All that answers nothing says `nonce=0;`.
"""

import asyncio
import random
import re
import sys
from typing import cast

import uvloop

_HEAD = re.compile(rb"\r\nnonce: (\d+)\r\n.*?content-length: (\d+)\r\n", re.DOTALL)
_STRAY = b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nnonce=0;"


class Echo(asyncio.Protocol):
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._unread = b""
        self._asked = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            match = _HEAD.search(self._unread[: end + 2])
            assert match is not None
            whole = end + 4 + int(match[2])
            early = len(self._unread) < whole and int(match[2]) > 100_000
            if len(self._unread) < whole and not early:
                return
            self._unread = self._unread[whole:]
            self._asked += 1
            self._answer(b"nonce=%b;" % match[1])
            if early:
                self._transport.close()
                return

    def _answer(self, body: bytes) -> None:
        write, draw = self._transport.write, self._chance.random()
        answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
        if draw < 0.80:
            write(answer)
        elif draw < 0.85:
            chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:3], body[3:]))
            write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
        elif draw < 0.88:
            write(answer[:20])
            write(answer[20:])
        elif draw < 0.90:
            write(b"HTTP/1.1 103 Early\r\nx: nonce=0;\r\n\r\n" + answer)
        elif draw < 0.92:
            write(b"HTTP/1.1 500 No\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        elif draw < 0.94:
            write(b"HTTP/1.1 200 OK\r\n\r\n" + body)
            self._transport.close()
        elif draw < 0.96:
            write(answer)
            self._transport.close()
        elif draw < 0.98:
            write(answer + _STRAY)
        elif draw < 0.99:
            write(answer + b"nonce=0;")
        else:
            write(answer)
            # Garbage to whatever request it meets; a whole answer that crossed one nobody could tell from its own.
            asyncio.get_running_loop().call_later(0.001, self._go_on, self._asked)

    def _go_on(self, asked: int) -> None:
        if not self._transport.is_closing() and asked == self._asked:
            self._transport.write(b"nonce=0; and the rest of it")


async def serve(seed: int) -> None:
    chance = random.Random(seed)
    server = await asyncio.get_running_loop().create_server(lambda: Echo(chance), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
