"""Stands in front of a PostgreSQL, and refuses some connections first, as that does while it starts: a program of its
own, since libpq keeps the interpreter while it asks whether a server starts.

Its arguments are the server's socket and how many connections to refuse. It prints its port.
"""

import asyncio
import sys

REFUSED = b"SFATAL\0VFATAL\0C57P03\0Mdas Datenbanksystem startet\0\0"
"""What a server says, in its language, while it replays its log."""
NEGOTIATES = b"\x04\xd2"
"""The beginning of a request for encryption; the connection goes on without."""


class StartingServer:
    def __init__(self, server: str, refusing: int) -> None:
        self._server = server
        self._left = refusing

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._left:
            self._left -= 1
            while (await _message(reader)).startswith(NEGOTIATES):
                writer.write(b"N")
            writer.write(b"E" + (len(REFUSED) + 4).to_bytes(4, "big") + REFUSED)
            writer.close()
            return
        from_server, to_server = await asyncio.open_unix_connection(self._server)
        await asyncio.gather(_pass(reader, to_server), _pass(from_server, writer))


async def _message(reader: asyncio.StreamReader) -> bytes:
    """One of the messages with which a connection begins."""
    return await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big") - 4)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while part := await reader.read(1 << 16):
        writer.write(part)
    writer.close()


async def _serve(server: str, refusing: str) -> None:
    listening = await asyncio.start_server(StartingServer(server, int(refusing)).carry, "127.0.0.1")
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:]))
