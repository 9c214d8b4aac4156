"""`signalpost serve`: a gateway on this machine until it is told to stop."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Annotated

import structlog
import uvicorn
import uvloop
from cyclopts import Parameter
from rich.console import Console

from signalpost.cli.client import ADDRESS_FILE
from signalpost.cli.logs import set_up_logs
from signalpost.domain.errors import StartError
from signalpost.gateway import IDLE_SECONDS, Gateway
from signalpost.settings import PREFIX, SETTINGS, Settings, read_settings

HTTP_GRACE = 1
"""Seconds for requests that are under way when the gateway is told to stop."""
DISK_FAILED = 74
"""The exit code after an I/O error of the disk (EX_IOERR)."""
log = structlog.get_logger()


def _help(name: str) -> Parameter:
    return Parameter(help=SETTINGS[name].help, show_default=False)


def serve(
    *,
    data_dir: Annotated[str | None, _help("data_dir")] = None,
    host: Annotated[str | None, _help("host")] = None,
    port: Annotated[str | None, _help("port")] = None,
    master_key: Annotated[str | None, _help("master_key")] = None,
    operator_key: Annotated[str | None, _help("operator_key")] = None,
    allow_targets: Annotated[str | None, _help("allow_targets")] = None,
    ca_file: Annotated[str | None, _help("ca_file")] = None,
    retry_delays: Annotated[str | None, _help("retry_delays")] = None,
    attempt_timeout: Annotated[str | None, _help("attempt_timeout")] = None,
    retention_days: Annotated[str | None, _help("retention_days")] = None,
    log_level: Annotated[str | None, _help("log_level")] = None,
    log_format: Annotated[str | None, _help("log_format")] = None,
) -> None:
    """Run a gateway on this machine until Ctrl-C or SIGTERM.

    Each option can be given in the environment as well: SIGNALPOST_DATA_DIR is --data-dir.

    Example: signalpost serve --data-dir ./data --port 8080
    """
    flags = {name: value for name, value in locals().items() if value is not None}
    settings = read_settings(os.environ, flags)
    set_up_logs(settings.log_level, settings.log_format)
    uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    listener = listen(settings.host, settings.port, IDLE_SECONDS)
    async with Gateway(settings, on_broken=_end_at_once) as gateway:
        server = _Server(
            uvicorn.Config(
                gateway.app,
                http="httptools",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                timeout_graceful_shutdown=HTTP_GRACE,
            )
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, server.stop)
        # What was made until here lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        address_file = settings.data_dir / ADDRESS_FILE
        address_file.write_text(_address(listener) + "\n", encoding="ascii")
        _greet(settings, gateway, _address(listener))
        await server.serve([listener])
        address_file.unlink(missing_ok=True)
        log.info("stopping: attempts under way may end")
    log.info("stopped")


def listen(host: str, port: int, idle_seconds: float) -> socket.socket:
    """A socket whose connections end when a client takes nothing of its answer for so long. Raises StartError."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise StartError(
            f"Cannot listen on {host}:{port}: {reason}. Choose another HOST or PORT, or stop what listens there."
        ) from None
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # Closing such a connection does not end it: what was not taken keeps it open. The kernel does, on Linux.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(idle_seconds * 1000))
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    def stop(self) -> None:
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are handled by `_serve`, in the order that a clean stop needs."""
        yield


def _greet(settings: Settings, gateway: Gateway, address: str) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]Signalpost[/bold] listens on {address}, its data is in {settings.data_dir}", markup=True)
    if gateway.key_file is None:
        key = f"${PREFIX}OPERATOR_KEY"
    else:
        key = f"$(cat {gateway.key_file})"
        if sys.stdout.isatty():
            console.print(f"Operator key: {gateway.operator_key}  (kept in {gateway.key_file})")
    authorization = f'-H "authorization: Bearer {key}"'
    document = '{"type":"NDA","title":"My first","ownerEmail":"me@example.com","authorEmail":"me@example.com"}'
    console.print("Try next, in another terminal:")
    for command in (
        f"curl -s {address}/health/ready",
        f"curl -s {authorization} -H 'content-type: application/json' -d '{document}' {address}/v1/documents",
        f"curl -s {authorization} {address}/v1/events",
    ):
        console.print(f"  {command}", markup=False)


def _end_at_once(error: BaseException) -> None:
    """After a failed sync nothing that SQLite says can be trusted: end before anything more is answered."""
    sys.stderr.write(f"signalpost: the disk failed ({error}); stopping at once.\n")
    os._exit(DISK_FAILED)
