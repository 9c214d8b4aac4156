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
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack
from ipaddress import ip_address
from pathlib import Path
from socket import gethostname
from types import TracebackType
from typing import Self

from signalpost.api.app import Api
from signalpost.api.http.body_reader import BodyReader
from signalpost.api.http.downloads import Downloads
from signalpost.api.http.passwords import Passwords
from signalpost.api.http.principals import OPERATOR, Principals
from signalpost.api.http.refusal_throttle import REFUSALS_PER_SECOND, WRONG_KEYS_PER_SECOND, Refusals
from signalpost.api.http.request_counts import RequestCounts
from signalpost.api.http.sessions import BrowserSessions
from signalpost.api.http.shared_rendering import SharedRendering
from signalpost.api.http.shares import Shares
from signalpost.api.http.sign_in_tries import SignInTries
from signalpost.api.rendering import kept_answers
from signalpost.api.resources.console_links import console_link
from signalpost.api.routes import CONSENT_ROUTES, HEALTH_ROUTES, LINK_ROUTES, METRICS_ROUTES, OPEN_ROUTES, ROUTES
from signalpost.api.routing.services import Services
from signalpost.api.routing.shapes.service import SettingShown
from signalpost.console import CALLBACK, ROOT
from signalpost.console.identity_provider import IdentityProvider, OidcClient
from signalpost.console.portal import ROOT as PORTAL
from signalpost.destinations.registry import Destinations
from signalpost.domain.consent import Tickets
from signalpost.domain.delivery.slots import Limits
from signalpost.domain.documents.links import Links
from signalpost.domain.errors import NotFound, StartError
from signalpost.embedded import Documents
from signalpost.engine.engine import Engine
from signalpost.engine.maintenance.audit_retention import AuditRetention
from signalpost.engine.maintenance.disk_reserve import DiskReserve
from signalpost.engine.maintenance.eraser import Eraser
from signalpost.engine.maintenance.file_retention import FileRetention
from signalpost.engine.maintenance.master_key_change import MasterKeyChange
from signalpost.engine.settings import EngineSettings
from signalpost.engine.tenant_rates import TenantRates
from signalpost.files.files import Files
from signalpost.files.folder import Folder
from signalpost.runtime.asgi import App, Receive, Scope, Send
from signalpost.runtime.clock import Clock, SystemClock, database_clock
from signalpost.runtime.logger import log
from signalpost.sender.addresses import Guard
from signalpost.sender.sender import Sender, SenderSettings
from signalpost.settings import Settings, secret_file, settings_in_force
from signalpost.start_keys import MasterKeySource, operator_key
from signalpost.store.fleet import NodeProcess
from signalpost.store.open import default_url, find_database, is_postgres, open_store
from signalpost.store.store import Store
from signalpost.store.vault import CONSENTS, LINKS, MasterKeys

IDLE_SECONDS = 60.0
"""Seconds that a client may take to send a body, and that a stream may pause between two of its parts."""
MAX_SHUTDOWN_GRACE = 5.5
"""Seconds that attempts in flight may still take at shutdown: one attempt (C15), within the 8 s of a whole shutdown."""
MAX_LARGE_ANSWERS = 32
"""How many large answers, some 4 MiB each, may be in memory at a time because clients have not read them yet."""
MAX_VIEWERS = 64
"""How many may watch what changes at a time. Each holds a connection, and has pages made again."""
FILE_THREADS = 4
_PLAIN_WARNING = (
    "The gateway listens beyond this machine without TLS, so keys and documents can be read in transit. Set TLS_CERT "
    "and TLS_KEY, put a proxy with TLS in front and name it in TRUSTED_PROXIES, or set HOST to 127.0.0.1."
)
_OF_PAGES = (f"{ROOT}/", f"{PORTAL}/")
"""What the paths of pages begin with, once a slash is behind them."""
_WILDCARD_HOSTS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - addresses to replace, not to bind


class Gateway:
    """A running gateway: enter it as an async context manager, then use `documents` or serve `app`."""

    app: App
    """The ASGI application: the API, the documentation pages, download links and health."""
    metrics_app: App | None
    """The ASGI application to serve on METRICS_PORT; None if `app` serves the metrics too."""
    operator_key: str
    """The operator's API key, given as a setting or generated on the first start."""

    def __init__(
        self,
        settings: Settings,
        on_broken: Callable[[BaseException], None] | None = None,
        idle_seconds: float = IDLE_SECONDS,
        port: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`on_broken` is called from another thread when the disk failed and nothing more can be made durable: then
        the process should end. Without it, every further change is refused. `idle_seconds` is how long a client may
        take for a body. `port` is the port that download links name if it is not that of the settings; `clock` is the
        database's where several gateways may share it, else the system's, unless given."""
        self._settings = settings
        self._on_broken = on_broken or _log_broken
        self._idle_seconds = idle_seconds
        self._port = settings.port if port is None else port
        self._url = settings.database_url or default_url(settings.data_dir)
        self._database_clock = database_clock() if is_postgres(self._url) else None
        self._clock = clock or self._database_clock or SystemClock()

    async def __aenter__(self) -> Self:
        """Start the gateway. Raises StartError if it cannot start; then nothing stays open or locked."""
        async with AsyncExitStack() as opened:
            if is_postgres(self._url):
                _make_folder(self._settings.data_dir)
            else:
                opened.enter_context(find_database(self._url).claim())
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
        """A URL that signs whoever opens it first in to the console, as the operator, within 15 minutes."""
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
        settings, clock, chance = self._settings, self._clock, random.Random()  # noqa: S311 - ids, jitter; no secret
        if is_postgres(self._url):
            _check_shared(settings)
        master_key_source = MasterKeySource(settings)
        master_keys = MasterKeys(master_key_source.read())
        self.operator_key = operator_key(settings)
        links = Links(master_keys.first_derived(LINKS), self._links_url)
        files = await open_files(settings)
        opened.push_async_callback(files.close)
        store = await open_store(
            self._url,
            master_keys=master_keys,
            links=links,
            render=kept_answers(links),
            now=None if is_postgres(self._url) else clock.wall,
            random_bits=chance.getrandbits,
            on_broken=self._on_broken,
            default_limits=settings.tenant_limits,
        )
        opened.push_async_callback(store.close)
        links.sign_with(await store.data_keys.signing(LINKS))
        disk_executor = opened.enter_context(ThreadPoolExecutor(1, "disk"))
        destinations = Destinations.installed()
        self._engine = self._build_engine(store, disk_executor, chance, destinations)
        await self._engine.start()
        opened.push_async_callback(self._engine.close, min(settings.attempt_timeout + 0.2, MAX_SHUTDOWN_GRACE))
        opened.push_async_callback(_cancel, asyncio.create_task(FileRetention(store, files, clock).run()))
        audit_retention = AuditRetention(store, clock, settings.audit_retention_days)
        opened.push_async_callback(_cancel, asyncio.create_task(audit_retention.run()))
        eraser = Eraser(store, files, self._engine.lanes, clock, self._engine.erasures_asked)
        opened.push_async_callback(_cancel, asyncio.create_task(eraser.run()))
        body_reader = BodyReader(opened.enter_context(ThreadPoolExecutor(1, "bodies")))
        off_loop = opened.enter_context(ThreadPoolExecutor(1, "off-loop"))
        passwords = Passwords(opened.enter_context(ThreadPoolExecutor(1, "passwords")), secrets.token_bytes)
        tickets = Tickets(await store.data_keys.signing(CONSENTS))
        change = MasterKeyChange(store, master_key_source, {LINKS: links.sign_with, CONSENTS: tickets.sign_with})
        await change.start()
        opened.push_async_callback(change.close)
        self._services = self._build_services(
            store, links, files, destinations, tickets, change, body_reader, passwords, off_loop, chance
        )
        self.app, self.metrics_app = self._build_apps()
        if settings.public_url is None:
            log.warning(
                "set PUBLIC_URL if clients reach this gateway at another address than its links", links=self._links_url
            )
        if _is_open_and_plain(settings):
            log.warning(
                "listening beyond this machine without TLS: set TLS_CERT, TRUSTED_PROXIES or HOST", host=settings.host
            )

    def _build_engine(
        self, store: Store, disk_executor: Executor, chance: random.Random, destinations: Destinations
    ) -> Engine:
        settings, clock, directory = self._settings, self._clock, self._settings.data_dir
        sender = Sender(
            SenderSettings(
                attempt_timeout=settings.attempt_timeout,
                guard=_guard(settings),
                proxy=settings.egress_proxy,
                ca_file=settings.ca_file,
            ),
            loop=asyncio.get_running_loop(),
            wall=clock.wall,
        )
        disk = DiskReserve(settings.disk_reserve_mb, lambda: shutil.disk_usage(directory).free, disk_executor)
        limits = Limits(
            process=settings.in_flight,
            tenant=settings.in_flight_per_tenant,
            endpoint=settings.in_flight_per_endpoint,
        )
        return Engine(
            store,
            sender,
            clock,
            chance,
            disk,
            EngineSettings(
                retention_days=settings.retention_days,
                tenant_limits=settings.tenant_limits,
                disable_after_days=settings.disable_after_days,
                limits=limits,
                role=settings.role,
            ),
            destinations=destinations,
            process=NodeProcess(gethostname(), os.getpid()),
            hear_time=self._hear_time,
        )

    def _hear_time(self, now: int, took: int) -> None:
        if self._database_clock is not None:
            self._database_clock.hear(now, took)

    def _build_services(
        self,
        store: Store,
        links: Links,
        files: Files,
        destinations: Destinations,
        tickets: Tickets,
        master_key: MasterKeyChange,
        body_reader: BodyReader,
        passwords: Passwords,
        off_loop: Executor,
        chance: random.Random,
    ) -> Services:
        """What the handlers of the API use. The engine has been started."""
        settings, clock = self._settings, self._clock
        return Services(
            store=store,
            engine=self._engine,
            directory=self._engine.directory,
            lane_views=self._engine.lanes.views,
            clock=clock,
            random_bits=chance.getrandbits,
            secret_bytes=secrets.token_bytes,
            principals=Principals(
                self.operator_key,
                self._engine.key,
                clock.wall,
                self._engine.key_uses.note,
                store.access.member,
                store.access.portal_link,
            ),
            sessions=BrowserSessions(store.sign_ins, clock.wall, secrets.token_bytes),
            passwords=passwords,
            off_loop=off_loop,
            sign_in_tries=SignInTries(store.sign_ins, clock.wall),
            links=links,
            files=files,
            file_kinds=frozenset(settings.file_kinds),
            downloads=Downloads(files),
            requests=RequestCounts(),
            destinations=destinations,
            guard=_guard(settings),
            tickets=tickets,
            master_key=master_key,
            public_url=self._links_url,
            database="postgresql" if is_postgres(self._url) else "sqlite",
            settings=_settings_shown(settings),
            retry_delays=settings.retry_delays,
            refusals=Refusals(clock, REFUSALS_PER_SECOND, settings.max_connections),
            over_share=Refusals(clock, REFUSALS_PER_SECOND, max(1, settings.max_connections // 10)),
            wrong_keys=Refusals(clock, WRONG_KEYS_PER_SECOND, max(1, settings.max_connections // 10)),
            at_work=Shares(settings.max_connections),
            large_answers=Shares(MAX_LARGE_ANSWERS),
            viewers=Shares(min(MAX_VIEWERS, max(1, settings.max_connections // 4))),
            request_rates=TenantRates(clock, "request_rate", "requests", self._engine.share_of),
            metrics=SharedRendering(clock),
            trusted_proxies=settings.trusted_proxies,
            max_waiting=max(1, settings.max_connections // 2),
            body_reader=body_reader,
            idle_seconds=self._idle_seconds,
            warnings=_warnings(settings, self._links_url),
        )

    def _build_apps(self) -> tuple[App, App | None]:
        """The values of `app` and `metrics_app`."""
        services = self._services
        if self._settings.metrics_port is None:
            return self._with_console(Api(services, ROUTES, OPEN_ROUTES)), None
        api = Api(services, ROUTES, (*LINK_ROUTES, *CONSENT_ROUTES, *HEALTH_ROUTES))
        return self._with_console(api), Api(services, (), METRICS_ROUTES)

    def _identity_provider(self) -> IdentityProvider | None:
        """The one of the settings. Raises StartError where these are not complete."""
        settings, clock = self._settings, self._clock
        if settings.oidc_issuer is None:
            return None
        if settings.oidc_client_id is None or settings.public_url is None:
            raise StartError("OIDC_ISSUER needs OIDC_CLIENT_ID, and PUBLIC_URL to be sent back to.")
        client = OidcClient(
            issuer=settings.oidc_issuer,
            id=settings.oidc_client_id,
            secret=settings.oidc_client_secret,
            redirect_uri=settings.public_url + CALLBACK,
        )
        return IdentityProvider(client, self._engine.connectors.line, clock.steady, clock.wall)

    def _with_console(self, api: Api) -> App:
        """The API, and beside it the pages for people."""
        provider = self._identity_provider()
        console: App | None = None
        loading = asyncio.Lock()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            nonlocal console
            if scope["type"] != "http" or not f"{scope['path']}/".startswith(_OF_PAGES):
                await api(scope, receive, send)
                return
            async with loading:
                if console is None:
                    console = await asyncio.to_thread(self._load_console, api, provider)
                loaded = console
            await loaded(scope, receive, send)

        return app

    def _load_console(self, api: Api, provider: IdentityProvider | None) -> App:
        """The console and the portal. They are loaded for their first page, because every start would wait for their
        template engine."""
        from signalpost.console.app import Console
        from signalpost.console.portal.app import Portal

        public_urls = () if self._settings.public_url is None else (self._settings.public_url,)
        console = Console(api, self._services, provider, public_urls)
        portal = Portal(api, self._services, console.templates, public_urls)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            is_portal = f"{scope['path']}/".startswith(f"{PORTAL}/")
            await (portal if is_portal else console)(scope, receive, send)

        return app


def _settings_shown(settings: Settings) -> tuple[SettingShown, ...]:
    return tuple(
        SettingShown(name=each.name.upper(), value=each.value, is_default=each.source == "default", help=each.help)
        for each in settings_in_force(settings)
    )


def _make_folder(folder: Path) -> None:
    """Raises StartError."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StartError(f"The folder {folder} cannot be made: {error.strerror}.") from None


def _check_shared(settings: Settings) -> None:
    """Gateways that share a database must agree on what each would make up by itself. Raises StartError."""
    missing = [
        name
        for name, given in (
            ("MASTER_KEY", settings.master_key or settings.master_key_file),
            ("OPERATOR_KEY", settings.operator_key),
            ("PUBLIC_URL", settings.public_url),
        )
        if given is None
    ]
    if missing:
        raise StartError(f"Gateways on one PostgreSQL share their keys and their address: set {', '.join(missing)}.")


def _guard(settings: Settings) -> Guard:
    return Guard(settings.allow_targets, settings.deny_targets, settings.nat64_prefixes)


def _warnings(settings: Settings, links_url: str) -> tuple[str, ...]:
    """A sentence for each thing that the operator may have to change, although the gateway is ready."""
    links = () if settings.public_url else (_links_warning(links_url),)
    return (*links, _PLAIN_WARNING) if _is_open_and_plain(settings) else links


def _is_open_and_plain(settings: Settings) -> bool:
    """Whether other machines may connect although neither the gateway nor, as far as it knows, a proxy speaks TLS."""
    if settings.tls_cert or settings.trusted_proxies or settings.host == "localhost":
        return False
    try:
        return not ip_address(settings.host).is_loopback
    except ValueError:
        return True


def _links_warning(url: str) -> str:
    return f"Download links lead to {url}. If clients reach the gateway at another address, set PUBLIC_URL to it."


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait([task])


async def open_files(settings: Settings) -> Files:
    """The file storage that the settings name: a folder or a bucket. Raises StartError."""
    folder = settings.data_dir / ("files" if settings.files_url is None else "drafts")
    local = Folder(folder, ThreadPoolExecutor(FILE_THREADS, "files"), secrets.token_bytes)
    if settings.files_url is None:
        return local
    from signalpost.files.bucket import Bucket  # imports a large library that most gateways never use

    bucket = Bucket(settings.files_url, local, ThreadPoolExecutor(FILE_THREADS, "bucket"))
    await bucket.check()
    return bucket


def _log_broken(error: BaseException) -> None:
    log.critical("the disk failed: every further change is refused", error=str(error))
