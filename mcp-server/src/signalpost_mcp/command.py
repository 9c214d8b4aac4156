"""The command `signalpost-mcp`."""

import argparse
import asyncio
import os
from collections.abc import Mapping
from datetime import UTC, datetime

from signalpost_client import VERSION, AsyncClient

_DESCRIPTION = """
Lets an assistant read a Signalpost gateway. The program of the assistant starts it, and speaks MCP with it over
standard input and output. SIGNALPOST_URL and SIGNALPOST_KEY say which gateway it calls, and with which key;
SIGNALPOST_TENANT names the tenant, for the key of an operator.
"""


def main() -> None:
    """Serve until standard input ends."""
    parser = _parser()
    given = parser.parse_args()
    try:
        client = client_of(os.environ)
    except ValueError as error:
        parser.error(str(error))
    asyncio.run(_serve(client, given.allow_replay, given.show_payloads))


def client_of(environment: Mapping[str, str]) -> AsyncClient:
    """The client that the environment asks for. Raises ValueError, which never shows the key."""
    absent = [name for name in ("SIGNALPOST_URL", "SIGNALPOST_KEY") if not environment.get(name)]
    if absent:
        raise ValueError(f"Set {' and '.join(absent)} in the environment.")
    tenant = environment.get("SIGNALPOST_TENANT") or None
    return AsyncClient(environment["SIGNALPOST_URL"], environment["SIGNALPOST_KEY"], tenant=tenant)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("signalpost-mcp", description=_DESCRIPTION, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=VERSION)
    parser.add_argument(
        "--allow-replay",
        action="store_true",
        help="let the assistant send failed deliveries again; the key needs the role subscriber",
    )
    parser.add_argument(
        "--show-payloads",
        action="store_true",
        help="show the assistant what is in events, and what endpoints answered",
    )
    return parser


async def _serve(client: AsyncClient, allow_replay: bool, show_payloads: bool) -> None:  # noqa: FBT001 - the options
    from signalpost_mcp.server import make_server  # to load it takes a second, for which no wrong start has to wait

    async with client:
        server = make_server(client, lambda: datetime.now(UTC), allow_replay=allow_replay, show_payloads=show_payloads)
        await server.run_stdio_async()
