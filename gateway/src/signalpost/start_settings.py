"""What of a gateway follows from its settings alone."""

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from signalpost.api.routing.services import Installation
from signalpost.api.routing.shapes.service import SettingShown
from signalpost.console import CALLBACK
from signalpost.console.identity_provider import IdentityProvider, OidcClient
from signalpost.engine.connectors.wire import VendorTransport
from signalpost.files.files import Files
from signalpost.files.folder import Folder
from signalpost.given_settings import settings_in_force
from signalpost.listener.certificate import Certificate
from signalpost.sender.addresses import Guard
from signalpost.sender.sender import SenderSettings
from signalpost.sender.tls_context import HTTP, tls_context
from signalpost.settings import Settings
from signalpost.start_checks import warnings
from signalpost.store.open import default_url, is_postgres

FILE_THREADS = 4


def workers_of(settings: Settings) -> int:
    """How many workers a gateway with these settings has. On PostgreSQL, each of the processes is a gateway."""
    return 0 if is_postgres(settings.database_url or "") else settings.processes - 1


def installation(
    settings: Settings, links_url: str, idle_seconds: float, certificate: Certificate | None
) -> Installation:
    """What the API is told of the gateway. Download links begin with `links_url`."""
    return Installation(
        settings=_settings_shown(settings),
        public_url=links_url,
        database="postgresql" if is_postgres(settings.database_url or default_url(settings.data_dir)) else "sqlite",
        warnings=warnings(settings, links_url),
        retry_delays=settings.retry_delays,
        file_kinds=frozenset(settings.file_kinds),
        metrics_tenants=settings.metrics_tenants,
        trusted_proxies=settings.trusted_proxies,
        idle_seconds=idle_seconds,
        certificate=certificate,
    )


def _settings_shown(settings: Settings) -> tuple[SettingShown, ...]:
    return tuple(
        SettingShown(
            name=each.name.upper(),
            value=each.value,
            is_default=each.source == "default",
            source=each.source,
            help=each.help,
        )
        for each in settings_in_force(settings)
    )


def identity_provider(
    settings: Settings, transport: VendorTransport, steady: Callable[[], int], wall: Callable[[], int]
) -> IdentityProvider | None:
    """The one of the settings, if they name one and what it needs."""
    if settings.oidc_issuer is None or settings.oidc_client_id is None or settings.public_url is None:
        return None
    client = OidcClient(
        issuer=settings.oidc_issuer,
        id=settings.oidc_client_id,
        secret=settings.oidc_client_secret,
        redirect_uri=settings.public_url + CALLBACK,
    )
    return IdentityProvider(client, transport, steady, wall)


def sender_settings_of(settings: Settings) -> SenderSettings:
    return SenderSettings(
        attempt_timeout=settings.attempt_timeout,
        guard=guard_of(settings),
        proxy=settings.egress_proxy,
        ca_file=settings.ca_file,
    )


def guard_of(settings: Settings) -> Guard:
    return Guard(settings.allow_targets, settings.deny_targets, settings.nat64_prefixes)


async def open_files(settings: Settings) -> Files:
    """The file storage that the settings name: a folder or a bucket. Raises StartError."""
    folder = settings.data_dir / ("files" if settings.files_url is None else "drafts")
    local = Folder(folder, ThreadPoolExecutor(FILE_THREADS, "files"), secrets.token_bytes)
    if settings.files_url is None:
        return local
    from signalpost.files.bucket import Bucket  # imports a large library that most gateways never use

    bucket = Bucket(settings.files_url, local, ThreadPoolExecutor(FILE_THREADS, "bucket"), tls_context(None, HTTP))
    await bucket.check()
    return bucket
