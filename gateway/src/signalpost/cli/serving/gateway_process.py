"""The process of a gateway: what it listens on, what it tells at the start, and how it ends."""

import asyncio
import os
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from signalpost.api.routes import QUIET_ROUTES
from signalpost.cli.client import ADDRESS_FILE
from signalpost.cli.serving.listening import hold_port, listen, listen_beside
from signalpost.cli.serving.logs import set_up_logs
from signalpost.cli.serving.processes import Lifeline, Processes
from signalpost.cli.serving.starting import StartingApp
from signalpost.cli.terminal.plain import discard_output, say
from signalpost.domain.errors import SignalpostError
from signalpost.engine.lanes.dispatcher import SHADOWS_HAVE
from signalpost.gateway import IDLE_SECONDS, Gateway
from signalpost.given_settings import PREFIX, read_settings
from signalpost.listener.application import App
from signalpost.listener.certificate import Certificate
from signalpost.listener.server import Server
from signalpost.listener.serving import ServerSettings
from signalpost.runtime.garbage_collector import spare_what_lasts
from signalpost.runtime.logger import log
from signalpost.sender.sender import SenderSettings
from signalpost.settings import Settings
from signalpost.start_checks import check_together
from signalpost.start_settings import workers_of
from signalpost.store.open import is_postgres

HTTP_GRACE = 1
"""Seconds that requests in progress may still take when the gateway is told to stop."""
FILES_BESIDE = 256
"""Number of open files to allow besides connections: the database, uploads, the log."""
DISK_FAILED = 74
"""The exit code after an I/O error of the disk (EX_IOERR)."""
SWITCH_INTERVAL = 0.0005
"""After how many seconds at most a thread hands the interpreter to the event loop, which waits for it. Python's own
interval is ten times that, and the loop waits once for each time that it lets go of the interpreter."""
if TYPE_CHECKING:
    from signalpost.workers.worker_server import WorkerServer
    from signalpost.workers.workers import Workers


def serve(flags: Mapping[str, str]) -> None:
    """Run a gateway with these settings, and those of the environment, until it is told to stop. Raises StartError and
    WrongSetting."""
    settings = read_settings(os.environ, flags)
    check_together(settings)
    set_up_logs(settings.log_level, settings.log_format, with_pid=settings.processes > 1)
    sys.setswitchinterval(SWITCH_INTERVAL)
    in_flight = settings.in_flight + settings.in_flight // SHADOWS_HAVE
    allow_open_files(settings.max_connections + in_flight + SenderSettings().idle_connections + FILES_BESIDE)
    if settings.processes == 1 or not is_postgres(settings.database_url or ""):
        _serve_alone(settings)  # on SQLite, the other processes work for it
    elif code := _serve_together(settings):
        sys.exit(code)


def _serve_alone(settings: Settings) -> None:
    main = _sockets(settings)
    metrics = None if settings.metrics_port is None else listen(settings.host, settings.metrics_port, IDLE_SECONDS)

    async def on_ready(gateway: Gateway) -> None:
        await _announce(settings, gateway, main, metrics)

    uvloop.run(_serve(settings, main, metrics, on_ready))
    (settings.data_dir / ADDRESS_FILE).unlink(missing_ok=True)


def _sockets(settings: Settings) -> list[socket.socket]:
    """What this process listens on, or each of its workers. Raises StartError."""
    if not (count := workers_of(settings)):
        return [listen(settings.host, settings.port, IDLE_SECONDS)]
    with hold_port(settings.host, settings.port) as holder:
        return [listen_beside(holder, IDLE_SECONDS) for _ in range(count)]


def _serve_together(settings: Settings) -> int:
    """Run several processes on one port. Returns the exit code. Raises StartError."""

    def work(number: int, lifeline: Lifeline) -> int:
        try:
            main = [listen_beside(holder, IDLE_SECONDS)]
            port = settings.metrics_port and settings.metrics_port + number
            metrics = None if port is None else listen(settings.host, port, IDLE_SECONDS)

            async def on_ready(gateway: Gateway) -> None:
                if lifeline.is_first:
                    await _announce(settings, gateway, main, metrics)
                lifeline.say_ready()

            uvloop.run(_serve(settings, main, metrics, on_ready, lifeline.parent))
        except SignalpostError as error:
            from signalpost.cli.terminal.text import complain

            complain(str(error))
            return 1
        return 0

    with hold_port(settings.host, settings.port) as holder:
        code = Processes(settings.processes, work).run()
    (settings.data_dir / ADDRESS_FILE).unlink(missing_ok=True)
    return code


async def _serve(
    settings: Settings,
    main: Sequence[socket.socket],
    metrics: socket.socket | None,
    on_ready: Callable[[Gateway], Awaitable[None]],
    parent: int | None = None,
) -> None:
    """Run a gateway until it is told to stop: by a signal, or because its parent is gone, when `parent` can be read."""
    certificate, most = _certificate(settings), settings.max_connections
    workers = _workers(settings, main)
    port = main[0].getsockname()[1]
    starting = Gateway(settings, on_broken=_end_at_once, port=port, certificate=certificate, workers=workers)
    beginning = [StartingApp(lambda: starting.waits_for) for _ in ((main,) if metrics is None else (main, metrics))]
    if workers is None:
        servers: list[Server | WorkerServer] = [server(beginning[0], main[0], most, certificate)]
    else:
        servers = [_worker_server(beginning[0], main, workers, most, certificate)]
    if metrics is not None:
        servers.append(server(beginning[1], metrics, most, certificate))
    serving = asyncio.gather(*(each.serve() for each in servers))
    async with _cancelled_if_failed(serving), starting as gateway:
        apps = filter(None, (gateway.answer, gateway.answer_metrics))
        for each, first, app in zip(servers, beginning, apps, strict=True):
            each.answer_with(app)
            first.end(app)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _stop, servers)
        if parent is not None:
            loop.add_reader(parent, _parent_gone, parent, servers)
        spare_what_lasts()
        await on_ready(gateway)
        await serving
        log.info("stopping: waiting for attempts in flight")
    log.info("stopped")


@asynccontextmanager
async def _cancelled_if_failed(serving: "asyncio.Future[list[None]]") -> AsyncIterator[None]:
    """Answer no more requests if the gateway cannot start."""
    try:
        yield
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


def _certificate(settings: Settings) -> Certificate | None:
    """What the settings say of TLS. Raises StartError."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return Certificate(settings.tls_cert, settings.tls_key)


def write_address(file: Path, address: str, certificate: Path | None = None) -> None:
    """Write the gateway's address to a file for commands on this machine, in one step, so that none reads half of it.
    With TLS, the second line says where its certificate is, by which commands recognise the gateway."""
    draft = file.with_suffix(".new")
    try:
        draft.unlink(missing_ok=True)
        with draft.open("x", encoding="utf-8") as writing:  # new, so that no link leads the address elsewhere
            writing.write(f"{address}\n" if certificate is None else f"{address}\n{certificate.absolute()}\n")
        draft.rename(file)
    except OSError as error:
        # A full disk must not keep the gateway from delivering.
        log.warning("commands cannot find this gateway: set SIGNALPOST_URL for them", error=str(error))


def allow_open_files(wanted: int) -> None:
    """Raise the limit of open files, connections included, to `wanted`, as far as the hard limit allows.

    Logs a warning if the limit stays below that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        log.warning("the limit of open files is too low: raise it (ulimit -n)", allowed=allowed, wanted=wanted)


def server(app: App, listener: socket.socket, max_connections: int, certificate: Certificate | None = None) -> Server:
    return Server(app, listener, _server_settings(max_connections), certificate)


def _server_settings(max_connections: int) -> ServerSettings:
    return ServerSettings(max_connections=max_connections, always_answered=QUIET_ROUTES, stop_seconds=HTTP_GRACE)


def _workers(settings: Settings, main: Sequence[socket.socket]) -> "Workers | None":
    """The processes that listen and send for this one, if there are to be several."""
    if not (count := workers_of(settings)):
        return None
    from signalpost.workers.worker_process import StartedWorker  # a gateway alone has no workers to speak with
    from signalpost.workers.workers import Workers

    return Workers(count, loop=asyncio.get_running_loop(), start=partial(StartedWorker, main))


def _worker_server(
    app: App, listeners: Sequence[socket.socket], workers: "Workers", most: int, certificate: Certificate | None
) -> "WorkerServer":
    from signalpost.workers.worker_server import WorkerServer

    return WorkerServer(app, listeners, workers, _server_settings(most), certificate)


def _address(listener: socket.socket, certificate: Path | None) -> str:
    scheme = "http" if certificate is None else "https"
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _stop(servers: "Iterable[Server | WorkerServer]") -> None:
    for server in servers:
        server.stop()


def _parent_gone(parent: int, servers: "Iterable[Server | WorkerServer]") -> None:
    asyncio.get_running_loop().remove_reader(parent)
    _stop(servers)


async def _announce(
    settings: Settings, gateway: Gateway, main: Sequence[socket.socket], metrics: socket.socket | None
) -> None:
    """Tell the commands on this machine, and the person at the terminal, where the gateway is."""
    addresses = [_address(each, settings.tls_cert) for each in (main[0], metrics) if each is not None]
    write_address(settings.data_dir / ADDRESS_FILE, addresses[0], settings.tls_cert)
    try:
        _greet(settings, gateway, await _console_link(gateway), *addresses)
    except OSError:
        discard_output()  # standard output was closed, or its disk is full


async def _console_link(gateway: Gateway) -> str | None:
    """A link into the console for the person at the terminal; None if there is no terminal, or if it cannot be made
    now."""
    if not sys.stdout.isatty():
        return None
    try:
        return await gateway.console_link()
    except SignalpostError:
        return None


def _greet(
    settings: Settings, gateway: Gateway, link: str | None, address: str, metrics_address: str | None = None
) -> None:
    say(f"Signalpost listens on {address}, its data is in {settings.data_dir}")
    if metrics_address is not None:
        say(f"Metrics are at {metrics_address}/metrics")
    file = gateway.key_file or os.environ.get(f"{PREFIX}OPERATOR_KEY_FILE")
    key = f"$(cat {file})" if file else f"${PREFIX}OPERATOR_KEY"
    if gateway.key_file is not None and sys.stdout.isatty():
        say(f"Operator key: {gateway.operator_key}  (kept in {gateway.key_file})")
    if settings.tls_cert is not None and settings.public_url is not None:
        address = settings.public_url  # the certificate's
    authorization = f'-H "authorization: Bearer {key}"'
    document = '{"type":"NDA","title":"My first","ownerEmail":"me@example.com","authorEmail":"me@example.com"}'
    if link is not None:
        say(f"Console: {link}  (signs you in once, within 15 minutes)")
    say("Try next, in another terminal:")
    for command in (
        f"curl -s {address}/health/ready",
        f"curl -s {authorization} -H 'content-type: application/json' -d '{document}' {address}/v1/documents",
        f"curl -s {authorization} {address}/v1/events",
    ):
        say(f"  {command}")


def _end_at_once(error: BaseException) -> None:
    """End the process before it answers anything more: after a failed sync, nothing that SQLite says can be trusted."""
    try:
        sys.stderr.write(f"signalpost: the disk failed ({error}); stopping at once.\n")
        sys.stderr.flush()
    finally:  # even if the log is on that disk
        os._exit(DISK_FAILED)
