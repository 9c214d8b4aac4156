"""What a start finds in the settings, each by itself valid: what it refuses, and what it only warns of."""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from signalpost.domain.errors import WrongSetting
from signalpost.runtime.logger import log
from signalpost.settings import Settings
from signalpost.store.open import is_postgres

_PLAIN_WARNING = (
    "The gateway listens beyond this machine without TLS, so keys and documents can be read in transit. Set TLS_CERT "
    "and TLS_KEY, put a proxy with TLS in front and name it in TRUSTED_PROXIES, or set HOST to 127.0.0.1."
)


def check_together(settings: Settings) -> None:
    """Raises WrongSetting, with one line for each thing that `refusals` finds."""
    if wrong := [*refusals(settings)]:
        raise WrongSetting("\n".join(wrong))


def refusals(settings: Settings) -> Iterator[str]:
    """A sentence for each thing with which no gateway starts, although every setting is right by itself."""
    if settings.master_key and settings.master_key_file:
        yield "MASTER_KEY and MASTER_KEY_FILE are both set. Set one of them."
    if (settings.tls_cert is None) != (settings.tls_key is None):
        yield "TLS needs both TLS_CERT and TLS_KEY. Set the other one too."
    if settings.oidc_issuer is not None and None in (settings.oidc_client_id, settings.public_url):
        yield "OIDC_ISSUER needs OIDC_CLIENT_ID and PUBLIC_URL, to which the provider sends people back."
    if settings.otel_exporter_otlp_endpoint is None and (settings.trace_ratio or settings.trace_failures):
        yield "TRACE_RATIO and TRACE_FAILURES need OTEL_EXPORTER_OTLP_ENDPOINT, to which spans go."
    if settings.database_url is not None and is_postgres(settings.database_url):
        yield from _not_shared(settings)


def _not_shared(settings: Settings) -> Iterator[str]:
    """Gateways that share a database must agree on what each would make up by itself."""
    needed = {
        "MASTER_KEY": settings.master_key or settings.master_key_file,
        "OPERATOR_KEY": settings.operator_key,
        "PUBLIC_URL": settings.public_url,
    }
    missing = [name for name, given in needed.items() if given is None]
    if missing:
        yield f"Gateways on one PostgreSQL share their keys and their address: set {', '.join(missing)}."


def log_warnings(settings: Settings, links_url: str) -> None:
    """Write to the log what `warnings` tells people. Download links begin with `links_url`."""
    if settings.public_url is None:
        log.warning("set PUBLIC_URL if clients reach this gateway at another address than its links", links=links_url)
    if _is_open_and_plain(settings):
        log.warning(
            "listening beyond this machine without TLS: set TLS_CERT, TRUSTED_PROXIES or HOST", host=settings.host
        )


def warn_of_other_machines(settings: Settings, me: str, hosts: Iterable[str]) -> None:
    """Write to the log if gateways run on other `hosts` than this one (`me`) and files are in a folder, which those
    may not have. Containers of one machine have hosts of their own, too: they may share the folder."""
    others = sorted({*hosts} - {me})
    if others and settings.files_url is None:
        log.warning(
            "gateways on other hosts use this database: unless DATA_DIR is the same folder for all, set FILES_URL",
            hosts=others,
        )


def warnings(settings: Settings, links_url: str) -> tuple[str, ...]:
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
