"""The gateway as a program embeds it, and the only place where its parts are wired together.

async with Gateway(settings) as gateway:
    made = await gateway.documents.create(type="NDA", title="Mine", owner_email="me@example.com", …)
    ...  # serve or mount `gateway.app`, an ASGI application
"""

import asyncio
import os
import random
import secrets
import shutil
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Executor
from contextlib import AsyncExitStack
from pathlib import Path
from socket import gethostname
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from signalpost.api.guards.passwords import Passwords
from signalpost.api.guards.principals import OPERATOR, Principals
from signalpost.api.guards.request_limits import RequestLimits
from signalpost.api.guards.sessions import BrowserSessions
from signalpost.api.guards.sign_in_tries import SignInTries
from signalpost.api.http.body_reader import BodyReader
from signalpost.api.http.downloads import Downloads
from signalpost.api.http.request_counts import RequestCounts
from signalpost.api.http.shared_rendering import SharedRendering
from signalpost.api.rendering import kept_answers
from signalpost.api.resources.console_links import console_link
from signalpost.api.resources.metrics import FORMATS as METRICS_FORMATS
from signalpost.api.routing.services import Services
from signalpost.asgi import Asgi
from signalpost.commands.batch import BatchContext
from signalpost.destinations.registry import Destinations
from signalpost.domain.documents.links import Links
from signalpost.domain.errors import NotFound, StartError
from signalpost.domain.operations.conditions import NoticeTerms
from signalpost.domain.operations.unsubscribing import UnsubscribeLinks
from signalpost.domain.timestamps import HOUR, SECOND
from signalpost.embedded import Documents
from signalpost.engine.attention_counts import AttentionCounts
from signalpost.engine.engine import Engine
from signalpost.engine.host import Host
from signalpost.engine.maintenance.audit_end import AuditEnd
from signalpost.engine.maintenance.audit_retention import AuditRetention
from signalpost.engine.maintenance.disk_reserve import DiskReserve
from signalpost.engine.maintenance.eraser import Eraser
from signalpost.engine.maintenance.file_retention import FileRetention
from signalpost.engine.maintenance.master_key_change import MasterKeyChange
from signalpost.engine.operations.gateway_facts import AuditFacts, CertificateFacts
from signalpost.engine.other_nodes import OtherNodes
from signalpost.engine.settings import EngineSettings
from signalpost.files.files import Files
from signalpost.listener.application import App
from signalpost.listener.certificate import Certificate
from signalpost.runtime.clock import Clock, SystemClock, database_clock
from signalpost.runtime.logger import log
from signalpost.runtime.loop_delay import LoopDelay
from signalpost.runtime.loop_executor import LoopExecutor
from signalpost.runtime.process_birth import own_birth
from signalpost.sender.mailer import Mailer
from signalpost.sender.sender import Sender
from signalpost.sender.transport import Transport
from signalpost.settings import Settings, secret_file
from signalpost.sharing.resting_turns import RestingTurns
from signalpost.sharing.slots import Limits
from signalpost.start_apps import apps_of
from signalpost.start_checks import check_together, log_warnings, warn_of_other_machines
from signalpost.start_keys import MasterKeySource, operator_key
from signalpost.start_settings import guard_of, installation, open_files, sender_settings_of, workers_of
from signalpost.start_signers import Signers, open_signers
from signalpost.store.nouns.fleet import NodeProcess, NodeRole
from signalpost.store.open import default_url, find_database, is_postgres, open_store
from signalpost.store.store import Store
from signalpost.store.vault import KEY_BYTES, MasterKeys

if TYPE_CHECKING:
    from signalpost.engine.tracing.traces import Traces
    from signalpost.workers.workers import Workers

IDLE_SECONDS = 60.0
"""Seconds that a client may take to send a body, and that a stream may pause between two of its parts."""
MAX_SHUTDOWN_GRACE = 5.5
"""Seconds that attempts in flight may still take at shutdown: one attempt (C15), within the 8 s of a whole shutdown."""
_WILDCARD_HOSTS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - addresses to replace, not to bind


class Gateway:
    """A running gateway: enter it as an async context manager, then use `documents` or serve `app`."""

    answer: App
    """What the server of `listener/server.py` calls: the API, the documentation pages, download links and health."""
    answer_metrics: App | None
    """The same for METRICS_PORT; None if `answer` has the metrics too."""
    app: Asgi
    """`answer` as an ASGI application."""
    operator_key: str
    """The operator's API key, given as a setting or generated on the first start."""

    def __init__(
        self,
        settings: Settings,
        on_broken: Callable[[BaseException], None] | None = None,
        idle_seconds: float = IDLE_SECONDS,
        port: int | None = None,
        clock: Clock | None = None,
        certificate: Certificate | None = None,
        workers: "Workers | None" = None,
    ) -> None:
        """`on_broken` is called from another thread when the disk failed and nothing more can be made durable: then
        the process should end. Without it, every further change is refused. `idle_seconds` is how long a client may
        take for a body. `port` is the port that download links name if it is not that of the settings; `clock` is the
        database's if several gateways may share it, else the system's, unless given. `certificate` is the one that
        the gateway is served with, if it speaks TLS itself. `workers` are processes that do something else, too; the
        gateway opens and closes them."""
        self.waits_for = "The gateway starts: it waits for the database."
        """What a start waits for, in a sentence for an operator."""
        self._settings = settings
        self._on_broken = on_broken or _log_broken
        self._idle_seconds = idle_seconds
        self._port = settings.port if port is None else port
        self._url = settings.database_url or default_url(settings.data_dir)
        self._workers = workers
        self._certificate = certificate
        self._database_clock = database_clock() if is_postgres(self._url) else None
        self._clock = clock or self._database_clock or SystemClock()
        self._random = random.Random()  # noqa: S311 - ids, jitter; no secret

    async def __aenter__(self) -> Self:
        """Start the gateway. Raises StartError if it cannot start; then nothing stays open or locked."""
        check_together(self._settings)
        async with AsyncExitStack() as opened:
            if not is_postgres(self._url):
                opened.enter_context(find_database(self._url).claim())
            _make_folder(self._settings.data_dir)  # it need not be where the database is
            await self._start(opened)
            self._opened = opened.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._opened.aclose()

    @property
    def documents(self) -> Documents:
        """The documents of the tenant `default`."""
        return self.documents_of("default")

    def documents_of(self, tenant: str, name: str = "embedded") -> Documents:
        """The documents of a tenant. `name` becomes the `sourceApp` of documents created here and the uploader of
        their versions. Raises NotFound for an unknown tenant."""
        found = self._engine.directory.tenant(tenant)
        if found is None:
            raise NotFound("tenant_not_found", f"There is no tenant {tenant}.")
        return Documents(self._services, found.id, name)

    async def console_link(self) -> str:
        """A URL that signs in to the console, as the operator, the first person who opens it within 15 minutes."""
        return await console_link(self._services, OPERATOR)

    @property
    def key_file(self) -> Path | None:
        """The file with the generated operator's key; None if the key was given as a setting."""
        return None if self._settings.operator_key else secret_file(self._settings, "operator_key")

    @property
    def _links_url(self) -> str:
        """The URL that download links begin with: PUBLIC_URL, or else the address at which it listens."""
        if self._settings.public_url is not None:
            return self._settings.public_url
        scheme = "http" if self._settings.tls_cert is None else "https"
        host = _WILDCARD_HOSTS.get(self._settings.host, self._settings.host)
        return f"{scheme}://[{host}]:{self._port}" if ":" in host else f"{scheme}://{host}:{self._port}"

    async def _start(self, opened: AsyncExitStack) -> None:
        """Open every part in order. `opened` closes them in reverse, also when a later part cannot be opened."""
        settings, _clock = self._settings, self._clock
        master_key_source = MasterKeySource(settings)
        master_keys = MasterKeys(master_key_source.read())
        self.operator_key = operator_key(settings)
        links = Links(os.urandom(KEY_BYTES), self._links_url)  # the store, once it is open, has the keys that sign
        transport = await self._open_transport(opened)
        traces = self._open_traces(opened)
        files = await open_files(settings)
        opened.push_async_callback(files.close)
        store = await self._open_store(master_keys, links)
        opened.push_async_callback(store.close)
        self.waits_for = "The gateway starts: it loads tenants, keys and subscriptions, and takes up lanes."
        signers = await open_signers(store, links, self._links_url)
        destinations = Destinations.installed()
        disk = _one_thread(opened, "disk")
        self._engine = self._build_engine(store, transport, destinations, disk, traces)
        audit_end = AuditEnd(store.audit, settings.data_dir, disk, self._engine.audited)
        opened.push_async_callback(audit_end.keep)  # of all that the engine still commits while it closes
        self._engine.watch.add(AuditFacts(audit_end, gethostname()))
        if self._certificate is not None:
            self._engine.watch.add(CertificateFacts(self._certificate.ends, gethostname(), disk))
        await self._engine.start()
        opened.push_async_callback(self._engine.close, min(settings.attempt_timeout + 0.2, MAX_SHUTDOWN_GRACE))
        self._run_jobs(opened, store, files, audit_end)
        master_key = MasterKeyChange(store, master_key_source, signers.sign_with)
        await master_key.start()
        opened.push_async_callback(master_key.close)
        if settings.role is not NodeRole.API:  # which sends nothing
            self._tell_contacts(opened, signers.unsubscribe_links)
        loop_delay = LoopDelay()
        _run_until_closed(opened, loop_delay.run())
        self._services = self._build_services(
            opened, store, signers, files, destinations, master_key, audit_end, loop_delay, traces
        )
        self.answer, self.answer_metrics = apps_of(self._services, settings)
        self.app = Asgi(self.answer)
        log_warnings(settings, self._links_url)
        if is_postgres(self._url):
            warn_of_other_machines(settings, gethostname(), [each.process.host for each in await store.fleet.nodes()])

    def _run_jobs(self, opened: AsyncExitStack, store: Store, files: Files, audit_end: AuditEnd) -> None:
        """Have what is old removed, and the end of the audit kept. The engine has been started."""
        engine, clock = self._engine, self._clock
        _run_until_closed(opened, FileRetention(store, files, clock).run())
        _run_until_closed(opened, AuditRetention(store, clock, self._settings.audit_retention_days).run())
        _run_until_closed(opened, audit_end.run())
        _run_until_closed(opened, Eraser(store, files, engine.lanes, clock, engine.erasures_asked).run())

    def _tell_contacts(self, opened: AsyncExitStack, unsubscribe_links: UnsubscribeLinks) -> None:
        postman = self._engine.postman(unsubscribe_links)
        self._engine.watch.add(postman)
        _run_until_closed(opened, postman.run())

    def _open_store(self, master_keys: MasterKeys, links: Links) -> Awaitable[Store]:
        return open_store(
            self._url,
            master_keys=master_keys,
            context=BatchContext(
                links,
                kept_answers(links),
                self._random.getrandbits,
                default_limits=self._settings.tenant_limits,
                trace_ratio=self._settings.trace_ratio,
            ),
            now=None if is_postgres(self._url) else self._clock.wall,
            on_broken=self._on_broken,
        )

    async def _open_transport(self, opened: AsyncExitStack) -> Transport:
        """What makes attempts: this process, or workers if there are to be several processes. Raises StartError."""
        settings, loop, for_sender = self._settings, asyncio.get_running_loop(), sender_settings_of(self._settings)
        count = workers_of(settings)
        if not count:
            return Sender(for_sender, loop=loop, wall=self._clock.wall)
        from signalpost.workers.worker_transport import WorkerTransport  # a gateway alone has no workers to speak with
        from signalpost.workers.workers import Workers

        self._workers = self._workers or Workers(count, loop=loop)
        transport = WorkerTransport(for_sender, self._workers, loop=loop, wall=self._clock.wall)
        opened.push_async_callback(transport.close, 0)  # for a start that fails; the engine closes them otherwise
        await transport.open()
        return transport

    def _open_traces(self, opened: AsyncExitStack) -> "Traces | None":
        """What makes spans; None if no collector wants them."""
        settings = self._settings
        if settings.otel_exporter_otlp_endpoint is None:
            return None
        from signalpost.start_traces import exporting  # what few need

        exporter, traces = exporting(settings, settings.otel_exporter_otlp_endpoint, self._clock)
        exporter.start()
        opened.push_async_callback(exporter.close)  # it takes what ends while the engine closes, too
        return traces

    def _build_engine(
        self,
        store: Store,
        transport: Transport,
        destinations: Destinations,
        disk_executor: Executor,
        traces: "Traces | None",
    ) -> Engine:
        settings, clock, directory = self._settings, self._clock, self._settings.data_dir
        disk = DiskReserve(settings.disk_reserve_mb, lambda: shutil.disk_usage(directory).free, disk_executor)
        limits = Limits(
            process=settings.in_flight,
            tenant=settings.in_flight_per_tenant,
            endpoint=settings.in_flight_per_endpoint,
        )
        return Engine(
            store,
            transport,
            Mailer(sender_settings_of(settings), wall=clock.wall),
            clock,
            self._random,
            disk,
            EngineSettings(
                retention_days=settings.retention_days,
                tenant_limits=settings.tenant_limits,
                disable_after_days=settings.disable_after_days,
                notices=NoticeTerms(after=settings.notice_after * SECOND, remind=settings.notice_remind * HOUR),
                public_url=self._links_url,
                attempt_timeout=settings.attempt_timeout,
                limits=limits,
                role=settings.role,
            ),
            destinations=destinations,
            host=Host(
                process=NodeProcess(gethostname(), os.getpid(), own_birth()),
                hear_time=self._hear_time,
                database_url=self._url,
                processes=settings.processes,
            ),
            traces=traces,
        )

    def _hear_time(self, now: int, took: int) -> None:
        if self._database_clock is not None:
            self._database_clock.hear(now, took)

    def _build_services(
        self,
        opened: AsyncExitStack,
        store: Store,
        signers: Signers,
        files: Files,
        destinations: Destinations,
        master_key: MasterKeyChange,
        audit_end: AuditEnd,
        loop_delay: LoopDelay,
        traces: "Traces | None",
    ) -> Services:
        """What the handlers of the API use. The engine has been started."""
        settings, clock, engine = self._settings, self._clock, self._engine
        off_loop = _one_thread(opened, "off-loop")
        return Services(
            installation=installation(settings, self._links_url, self._idle_seconds, self._certificate),
            store=store,
            engine=engine,
            directory=engine.directory,
            lane_views=engine.lanes.views,
            attention_counts=AttentionCounts(engine.directory, engine.lanes.views, clock, off_loop),
            clock=clock,
            random_bits=self._random.getrandbits,
            secret_bytes=secrets.token_bytes,
            principals=Principals.of_gateway(self.operator_key, engine, store, clock.wall),
            sessions=BrowserSessions(store.sign_ins, clock.wall, secrets.token_bytes),
            passwords=Passwords(_one_thread(opened, "passwords"), secrets.token_bytes),
            off_loop=off_loop,
            page_turns=RestingTurns(),
            sign_in_tries=SignInTries(store.sign_ins, clock.wall),
            links=signers.links,
            files=files,
            downloads=Downloads(files),
            requests=RequestCounts(),
            destinations=destinations,
            guard=guard_of(settings),
            tickets=signers.tickets,
            unsubscribe_links=signers.unsubscribe_links,
            evidence=signers.evidence,
            master_key=master_key,
            audit_end=audit_end,
            limits=RequestLimits.of_connections(settings.max_connections, clock, engine.limits.share_of),
            other_nodes=OtherNodes(store.stats, clock, engine.revisions),
            metrics={media_type: SharedRendering(clock) for media_type in METRICS_FORMATS},
            loop_delay=loop_delay,
            traces=traces,
            body_reader=BodyReader(_one_thread(opened, "bodies")),
            workers=self._workers,
        )


def _make_folder(folder: Path) -> None:
    """Raises StartError."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StartError(f"The folder {folder} cannot be made: {error.strerror}.") from None


def _one_thread(opened: AsyncExitStack, name: str) -> Executor:
    return opened.enter_context(LoopExecutor(1, name))


def _run_until_closed(opened: AsyncExitStack, work: Coroutine[Any, Any, None]) -> None:
    opened.push_async_callback(_cancel, asyncio.create_task(work))


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait([task])


def _log_broken(error: BaseException) -> None:
    log.critical("the disk failed: every further change is refused", error=str(error))
