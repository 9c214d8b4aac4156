"""`signalpost emulator`: a gateway for tests, in a temporary folder."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import uvloop
from cyclopts import Parameter
from rich.text import Text

from signalpost.cli.client import ADDRESS_FILE, OPERATOR_KEY_FILE
from signalpost.cli.serving.gateway_process import server, write_address
from signalpost.cli.serving.listening import listen
from signalpost.cli.serving.logs import set_up_logs
from signalpost.cli.terminal.options import flag
from signalpost.cli.terminal.output import TEXT, Output
from signalpost.cli.terminal.parts import Line
from signalpost.domain.errors import WrongSetting
from signalpost.local.emulator.control import Control
from signalpost.local.emulator.emulator import RETRY_DELAYS, Emulator
from signalpost.local.user_folder import emulator_folder, made_folder
from signalpost.runtime import key_file
from signalpost.runtime.logger import log
from signalpost.settings import SETTINGS

MAX_CONNECTIONS = 200
IDLE_SECONDS = 60.0
PORT = 8180
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - addresses to replace, not to bind


def emulator(
    *,
    port: Annotated[int, Parameter(help="Port to listen on; 0 picks a free one.")] = PORT,
    host: Annotated[str, Parameter(help="Address to listen on.")] = "127.0.0.1",
    allow_external: Annotated[bool, flag("Deliver to other machines than this one, too.")] = False,
    retry_delays: Annotated[str, Parameter(help="Seconds before each retry; 10,60,300 as in production.")] = "1,1,1",
    attempt_timeout: Annotated[str, Parameter(help="Seconds that an attempt may take.")] = "5",
    out: Output = TEXT,
) -> None:
    set_up_logs("error", "auto")
    delays = _setting("retry_delays", "--retry-delays", retry_delays)
    timeout = _setting("attempt_timeout", "--attempt-timeout", attempt_timeout)
    uvloop.run(_run(host, port, external=allow_external, delays=delays, timeout=timeout, out=out))


def _setting(name: str, option: str, text: str) -> Any:
    try:
        return SETTINGS[name].read(text)
    except ValueError as error:
        raise WrongSetting(f"{option} {error}.") from None


async def _run(host: str, port: int, *, external: bool, delays: tuple[int, ...], timeout: float, out: Output) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with serving(host, port, external=external, delays=delays, timeout=timeout) as running:
        out.show(
            {"url": running.url, "key": running.key},
            Line(Text.assemble(("The emulator", "bold"), f" listens on {running.url}")),
            "Commands on this machine find it by themselves. Programs need:",
            f"  export SIGNALPOST_URL={running.url} SIGNALPOST_KEY={running.key}",
        )
        await stopped.wait()


@asynccontextmanager
async def serving(
    host: str,
    port: int,
    *,
    external: bool,
    delays: tuple[int, ...] = RETRY_DELAYS,
    timeout: float = 5.0,
) -> AsyncIterator[Emulator]:
    """An emulator that answers on a port, and that commands of this person find until it ends."""
    listener = listen(host, port, IDLE_SECONDS)
    bound = listener.getsockname()[1]
    reached = WILDCARDS.get(host, host)
    url = f"http://[{reached}]:{bound}" if ":" in reached else f"http://{reached}:{bound}"
    async with Emulator(url, external=external, retry_delays=delays, attempt_timeout=timeout) as running:
        served = server(Control(running), listener, MAX_CONNECTIONS)
        serve = asyncio.create_task(served.serve())
        with _found_by_commands(running):
            try:
                yield running
            finally:
                served.stop()
                await serve
                listener.close()


@contextlib.contextmanager
def _found_by_commands(running: Emulator) -> Iterator[None]:
    folder = emulator_folder()
    try:
        made_folder(folder)
        key_file.write(folder / OPERATOR_KEY_FILE, running.key)
        write_address(folder / ADDRESS_FILE, running.url)
    except (OSError, key_file.NotPrivate) as error:
        log.warning("commands cannot find the emulator: set SIGNALPOST_URL and SIGNALPOST_KEY", error=str(error))
    try:
        yield
    finally:
        address = folder / ADDRESS_FILE
        with contextlib.suppress(OSError):  # one that was started later has written its own
            if address.read_text(encoding="utf-8").strip() == running.url:
                address.unlink()
                (folder / OPERATOR_KEY_FILE).unlink()
