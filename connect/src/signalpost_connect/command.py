"""The command `signalpost-connect`."""

import argparse
import asyncio
import logging
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from signalpost_client import VERSION, AsyncClient, SignalpostError
from signalpost_connect.config import BadConfig, GatewayConfig, WatchConfig, read_config, read_drain_config, secret
from signalpost_connect.draining import Drain
from signalpost_connect.gateway_key import RotatedKey
from signalpost_connect.kinds import make_lines, make_sink, make_source
from signalpost_connect.mapping import LineMaker, Unusable
from signalpost_connect.outbox import statements
from signalpost_connect.plain import PlainFormatter, say
from signalpost_connect.progress import DrainProgress, Health, Progress
from signalpost_connect.pump import TAKE_SECONDS, Pump, log
from signalpost_connect.reporting import Reporter
from signalpost_connect.source import Looks, Message, Source, SourceAway
from signalpost_connect.watch import watched

_DESCRIPTION = "Feeds a Signalpost gateway from where documents live, and writes its events to where they are read."
SHOWN_MESSAGES = 10
PROGRESS_SECONDS = 30.0


def main() -> None:
    """Run a command. The exit code is 2 if the configuration is wrong, and 1 if a check found something."""
    parser = _parser()
    given = parser.parse_args()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlainFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs each request
    for driver in ("aiokafka", "aiormq"):  # what they cannot do is raised, and said once
        logging.getLogger(driver).setLevel(logging.CRITICAL)
    try:
        sys.exit(given.action(given))
    except (BadConfig, ValueError) as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(f"watch.port: {error.strerror}; choose another.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("signalpost-connect", description=_DESCRIPTION, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(required=True, metavar="command")
    run = commands.add_parser("run", help="feed the gateway, until it is stopped")
    check = commands.add_parser("check", help="show the first ten messages as lines; changes nothing")
    for each, action in ((run, _run), (check, _check)):
        each.add_argument("config", type=Path, help="the configuration, in TOML")
        each.set_defaults(action=action)
    drain = commands.add_parser("drain", help="write the gateway's events to a sink, until it is stopped")
    drain.add_argument("config", type=Path, help="the configuration, in TOML")
    drain.set_defaults(action=_drain)
    _add_outbox(commands.add_parser("outbox", help="print the SQL that the source outbox needs"))
    return parser


def _add_outbox(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="what")
    sql = commands.add_parser("sql", help="tables, role and trigger")
    sql.add_argument("--role", default="signalpost_connect", help="the role that reads (default: %(default)s)")
    sql.add_argument("--table", default="contracts", help="the table of your documents (default: %(default)s)")
    sql.set_defaults(action=_print_tables)
    above = commands.add_parser("above", help="number changes above what the gateway has seen")
    above.add_argument("number", type=int)
    above.set_defaults(action=_print_above)
    for each in (sql, above):
        each.add_argument("--mysql", action="store_true", help="for MySQL or MariaDB; PostgreSQL otherwise")
        each.add_argument(
            "--schema",
            help="the schema of the outbox (default: public); of MySQL, the database (default: where it runs)",
        )


def _print_tables(given: argparse.Namespace) -> None:
    if given.mysql:
        print(statements.mysql_tables(given.schema, given.role, given.table), end="")
    else:
        print(statements.tables(given.schema or "public", given.role, given.table), end="")


def _print_above(given: argparse.Namespace) -> None:
    if given.mysql:
        print(statements.mysql_above(given.schema, given.number), end="")
    else:
        print(statements.above(given.schema or "public", given.number), end="")


# --- check ------------------------------------------------------------------------------------------------------------


def _check(given: argparse.Namespace) -> int:
    config = read_config(given.config)
    source, client = make_source(config.source), _client(config.gateway)
    make = make_lines(config, source)
    return asyncio.run(_checked(source, client, make))


async def _checked(source: Source, client: AsyncClient, make: LineMaker) -> int:
    """Print what would be sent. Nothing is settled, so everything stays in the source."""
    code = 0
    async with client:
        try:
            await anext(aiter(client.documents.list()), None)
            say("The gateway answers, and knows the key.")
        except SignalpostError as error:
            say(f"The gateway: {error}")
            code = 1
    try:
        look = source.look if isinstance(source, Looks) else source.take
        batch = await look(SHOWN_MESSAGES, TAKE_SECONDS)
    except SourceAway as error:
        say(f"The source: {error}")
        return 1
    finally:
        await source.close()
    if not batch.messages:
        say("The source has no message now.")
    return max([code, *(_shown(make, message) for message in batch.messages)])


def _shown(make: LineMaker, message: Message) -> int:
    try:
        say(f"{message.id}: {make.line(message).decode()}")
    except Unusable as error:
        say(f"{message.id}: would be dead. {error}")
        return 1
    return 0


# --- run --------------------------------------------------------------------------------------------------------------


def _run(given: argparse.Namespace) -> int:
    config = read_config(given.config)
    source, client = make_source(config.source), _client(config.gateway)
    make = make_lines(config, source)
    progress = Progress(time.monotonic)
    reporter = Reporter(client, source, config.source_name, progress, time.monotonic)
    pump = Pump(source, client, make, progress)
    log.info("feeding %r", client)
    _work(pump.run(reporter.report_if_due), progress, config.watch, source.close, client.close)
    return 0


# --- drain ------------------------------------------------------------------------------------------------------------


def _drain(given: argparse.Namespace) -> int:
    config = read_drain_config(given.config)
    sink, client = make_sink(config.sink), _client(config.gateway)
    progress = DrainProgress(time.monotonic)
    drain = Drain(sink, client, config.after, progress)
    log.info("draining %r", client)
    _work(drain.run(), progress, config.watch, sink.close, client.close)
    return 0


# --- both -------------------------------------------------------------------------------------------------------------

Close = Callable[[], Awaitable[None]]


def _work(work: Coroutine[Any, Any, None], progress: Health, watch: WatchConfig | None, *closes: Close) -> None:
    with ExitStack() as stack:
        stack.callback(work.close)
        if watch is not None:
            stack.enter_context(watched(progress, watch.port))
        asyncio.run(_until_stopped(work, progress, closes))


async def _until_stopped(work: Coroutine[Any, Any, None], progress: Health, closes: Sequence[Close]) -> None:
    """Work until SIGTERM or SIGINT. What is under way then comes again with the next start."""
    both = asyncio.gather(work, _told(progress))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, both.cancel)
    try:
        with suppress(asyncio.CancelledError):
            await both
    finally:
        for close in closes:
            await close()
    log.info("stopped: %s", progress.sentence())


async def _told(progress: Health) -> None:
    """Log how far it is, whenever that changed."""
    before = progress.sentence()
    while True:
        await asyncio.sleep(PROGRESS_SECONDS)
        if (now := progress.sentence()) != before:
            log.info("%s", now)
        before = now


def _client(gateway: GatewayConfig) -> AsyncClient:
    key = secret(gateway.key, "gateway.key")
    try:
        return AsyncClient(gateway.url, key, tenant=gateway.tenant, auth=RotatedKey(gateway.key, key))
    except ValueError as error:
        raise BadConfig(f"gateway: {error}") from None
