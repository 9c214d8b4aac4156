"""Every setting of a gateway: its name, default, bounds and help text. `given_settings.py` reads them."""

from collections.abc import Callable, Mapping
from ipaddress import IPv6Network
from pathlib import Path
from typing import Any, Final, Literal

from msgspec import Struct
from msgspec.structs import asdict

from signalpost import setting_values as values
from signalpost.domain.access.tenant import MAX_RETENTION_DAYS
from signalpost.domain.access.tenant_limits import NO_LIMITS, TenantLimits
from signalpost.domain.delivery import retry
from signalpost.files.content_types import KINDS
from signalpost.listener.source import Network, parse_proxies
from signalpost.sender.addresses import (
    AllowedTarget,
    DeniedTarget,
    parse_allow_targets,
    parse_deny_targets,
    parse_nat64_prefixes,
)
from signalpost.sender.egress_proxy import EgressProxy, parse_egress_proxy
from signalpost.store.nouns.fleet import NodeRole

Source = Literal["default", "environment", "flag", "program"]
"""Where a value comes from; `program` is one that embeds the gateway."""


class Settings(Struct, frozen=True, kw_only=True):
    """What a gateway is started with. `SETTINGS` says what each means."""

    data_dir: Path = Path("signalpost-data")
    database_url: str | None = None
    role: NodeRole = NodeRole.ALL
    processes: int = 1
    host: str = "127.0.0.1"
    port: int = 8080
    files_url: str | None = None
    file_kinds: tuple[str, ...] = tuple(KINDS)
    public_url: str | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    trusted_proxies: tuple[Network, ...] = ()
    metrics_port: int | None = None
    metrics_tenants: tuple[str, ...] = ()
    max_connections: int = 1_000
    master_key: tuple[bytes, ...] | None = None
    """The current key first, then the earlier ones."""
    master_key_file: Path | None = None
    operator_key: str | None = None
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: str | None = None
    allow_targets: tuple[AllowedTarget, ...] = ()
    deny_targets: tuple[DeniedTarget, ...] = ()
    nat64_prefixes: tuple[IPv6Network, ...] = ()
    egress_proxy: EgressProxy | None = None
    ca_file: Path | None = None
    retry_delays: tuple[int, ...] = retry.DELAYS
    attempt_timeout: float = 5.0
    disable_after_days: int = 5
    notice_after: int = 120
    notice_remind: int = 24
    in_flight: int = 512
    in_flight_per_tenant: int = 512
    in_flight_per_endpoint: int = 128
    tenant_limits: TenantLimits = NO_LIMITS
    retention_days: int = 30
    audit_retention_days: int = 400
    disk_reserve_mb: int = 256
    otel_exporter_otlp_endpoint: str | None = None
    otel_exporter_otlp_headers: tuple[values.NamedValue, ...] = ()
    otel_service_name: str | None = None
    otel_resource_attributes: tuple[values.NamedValue, ...] = ()
    trace_ratio: float = 0.0
    trace_failures: int = 0
    log_level: str = "info"
    log_format: str = "auto"
    sources: Mapping[str, Source] = {}
    """Where each setting comes from that was given by a variable or a flag."""

    def __repr__(self) -> str:
        """Shows whether a secret is set, never its value: programs that embed a gateway may log their settings."""
        given = {name: value for name, value in asdict(self).items() if name != "sources"}
        shown = {name: "set" if SETTINGS[name].secret and value else value for name, value in given.items()}
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


class Setting(Struct, frozen=True):
    read: Callable[[str], Any]
    """Parses a text. Raises ValueError with a message that completes "SIGNALPOST_PORT …", such as "must be …"."""
    help: str
    """A sentence with the bounds, and the default in brackets."""
    secret: bool = False


SETTINGS: Final[Mapping[str, Setting]] = {
    "data_dir": Setting(values.path, "Folder for all data; only one gateway may use it at a time. [signalpost-data]"),
    "database_url": Setting(
        values.database_url,
        "Database: sqlite:///PATH, or postgresql://USER@HOST/NAME, which several gateways may share; these need "
        "MASTER_KEY, OPERATOR_KEY and PUBLIC_URL. If it has a password, use the variable, because other users can see "
        "flags. [a file in DATA_DIR]",
        secret=True,
    ),
    "role": Setting(
        values.role,
        "What a gateway with a shared database does: answer the API (api), deliver (worker), or both (all). [all]",
    ),
    "processes": Setting(
        values.number(1, 64),
        "Number of processes, 1 to 64: about one for each free core. On SQLite, one is the gateway, and the others "
        "speak HTTP and TLS for it, with clients and endpoints. On PostgreSQL, each is a gateway, they share PORT, "
        "every other limit applies to each, and their metrics are at METRICS_PORT and the ports after it. [1]",
    ),
    "host": Setting(values.nonempty, "Address to listen on. [127.0.0.1]"),
    "port": Setting(values.number(0, 65_535), "Port to listen on, 0 to 65535; 0 picks a free one. [8080]"),
    "files_url": Setting(
        values.files_url,
        "Where files are stored: s3://bucket/prefix, accessed with the AWS_… variables. [a folder in DATA_DIR]",
    ),
    "file_kinds": Setting(
        values.file_kinds, f"File types that can be uploaded, separated by commas. [{','.join(KINDS)}]"
    ),
    "public_url": Setting(
        values.public_url, "URL at which clients reach the gateway; download links begin with it. [http(s)://HOST:PORT]"
    ),
    "tls_cert": Setting(
        values.path,
        "PEM file with the gateway's certificate, followed by the intermediate certificates. With it and TLS_KEY, "
        "every port speaks TLS. Read again when it changes. []",
    ),
    "tls_key": Setting(values.path, "PEM file of the certificate's key. Other users must not be able to read it. []"),
    "trusted_proxies": Setting(
        parse_proxies,
        "Addresses and networks of your reverse proxies, separated by commas. The log takes the client's address from "
        "their X-Forwarded-For. []",
    ),
    "metrics_port": Setting(
        values.number(0, 65_535),
        "Separate port for /metrics, 0 to 65535; 0 picks a free one. PORT then has no /metrics. []",
    ),
    "metrics_tenants": Setting(
        values.tenant_names(50),
        "Up to 50 tenants that have metrics of their own, by name, separated by commas. All others are added up as "
        "the tenant other. []",
    ),
    "max_connections": Setting(
        values.number(10, 100_000),
        "Maximum concurrent requests, 10 to 100000, each with a body of up to 1 MiB in memory. Beyond it, all but "
        "/health get 503. [1000]",
    ),
    "master_key": Setting(
        values.master_keys,
        "Key that encrypts secrets at rest: 32 bytes as base64. Several, separated by commas: the first is in use, the "
        "others open what was encrypted before. Use the variable, because other users can see flags. "
        "[generated in DATA_DIR]",
        secret=True,
    ),
    "master_key_file": Setting(
        values.path,
        "File that holds the master key, such as a secret mounted into a container, so that it is not stored beside "
        "the database; a line for each key, the one in use first. Other users must not be able to read it. "
        "[DATA_DIR/master-key]",
    ),
    "operator_key": Setting(
        values.operator_key,
        "The operator's API key: sp_ and 43 characters. Use the variable, because other users can see flags. "
        "[generated in DATA_DIR]",
        secret=True,
    ),
    "oidc_issuer": Setting(
        values.issuer,
        "Issuer URL of the identity provider with which members may sign in to the console (OpenID Connect), exactly "
        "as the provider writes it, such as https://login.example.com. Needs OIDC_CLIENT_ID, PUBLIC_URL and the extra "
        "signalpost[oidc]. []",
    ),
    "oidc_client_id": Setting(values.nonempty, "The gateway's client id at the identity provider. []"),
    "oidc_client_secret": Setting(
        values.nonempty,
        "The gateway's secret at the identity provider, if it has one. Use the variable, because other users can "
        "see flags. []",
        secret=True,
    ),
    "allow_targets": Setting(
        parse_allow_targets,
        "Targets to allow although they are private or plain http: scheme://host-or-CIDR:port, separated by commas; "
        "scheme is https, http, smtp or smtps. []",
    ),
    "deny_targets": Setting(
        parse_deny_targets,
        "Targets that are never called, whatever ALLOW_TARGETS says: networks, addresses, and host names with all "
        "names below them, separated by commas. []",
    ),
    "nat64_prefixes": Setting(
        parse_nat64_prefixes,
        "IPv6 prefixes that this network translates to IPv4 (NAT64), separated by commas. An address with such a "
        "prefix is judged by the IPv4 address in it. []",
    ),
    "egress_proxy": Setting(
        parse_egress_proxy,
        "Proxy for all calls to endpoints and vendors: http://[user:password@]host:port. The gateway asks it to "
        "CONNECT to IP addresses. Use the variable, because other users can see flags. []",
        secret=True,
    ),
    "ca_file": Setting(values.pem_file, "PEM file of certificate authorities to trust besides the system's. []"),
    "retry_delays": Setting(
        values.delays, "Seconds to wait before each retry, up to ten of 1 to 86400; for new subscriptions. [10,60,300]"
    ),
    "attempt_timeout": Setting(
        values.seconds, "Seconds that an attempt may take, 0.1 to 60, from name resolution to the answer's end. [5]"
    ),
    "disable_after_days": Setting(
        values.number(0, 365),
        "Days of nothing but failures after which a subscription is disabled, 0 to 365; 0 means never. [5]",
    ),
    "notice_after": Setting(
        values.number(10, 86_400),
        "Seconds for which a subscription must fail before a notice tells of it, 10 to 86400. [120]",
    ),
    "notice_remind": Setting(
        values.number(1, 720),
        "Hours after which a notice tells again of what goes on, 1 to 720. What is not critical is told of ever more "
        "seldom after that, up to seven times as many hours later. [24]",
    ),
    "in_flight": Setting(
        values.number(8, 1_000),
        "Maximum concurrent delivery attempts, 8 to 1000. One fifth is kept free for new endpoints; slow endpoints get "
        "at most half. [512]",
    ),
    "in_flight_per_tenant": Setting(
        values.number(2, 1_000), "Maximum concurrent attempts for one tenant, 2 to 1000. [512]"
    ),
    "in_flight_per_endpoint": Setting(
        values.number(1, 1_000),
        "Maximum concurrent attempts for one endpoint, 1 to 1000. It starts at 4 and rises while the endpoint is fast. "
        "[128]",
    ),
    "tenant_limits": Setting(
        values.tenant_limits,
        "Limits of each tenant, unless an operator sets others for it: NAME=NUMBER, separated by commas, "
        "such as documents=10000,requestsPerSecond=50. []",
    ),
    "retention_days": Setting(
        values.number(1, MAX_RETENTION_DAYS), "Days to keep events and their delivery attempts, 1 to 3650. [30]"
    ),
    "audit_retention_days": Setting(
        values.number(1, 3_650), "Days to keep entries of the audit (who changed what), 1 to 3650. [400]"
    ),
    "disk_reserve_mb": Setting(
        values.number(0, 1_048_576),
        "Disk space to keep free in MB, 0 to 1048576. With less, documents are refused. [256]",
    ),
    "otel_exporter_otlp_endpoint": Setting(
        values.collector_url,
        "Collector that gets the spans of traces, by HTTP as JSON, at this URL with /v1/traces, such as "
        "http://127.0.0.1:4318. Without it, no spans are made. []",
    ),
    "otel_exporter_otlp_headers": Setting(
        values.header_pairs,
        "Headers for the collector, such as a key: name=value, separated by commas, percent-encoded. Use the variable, "
        "because other users can see flags. []",
        secret=True,
    ),
    "otel_service_name": Setting(values.nonempty, "The name of this service in traces. [signalpost]"),
    "otel_resource_attributes": Setting(
        values.pairs,
        "Further attributes of this service in traces: name=value, separated by commas, percent-encoded. []",
    ),
    "trace_ratio": Setting(
        values.ratio,
        "Share of events to trace of those that came without a traceparent, 0 to 1; needs "
        "OTEL_EXPORTER_OTLP_ENDPOINT. [0]",
    ),
    "trace_failures": Setting(
        values.number(0, 1_000),
        "How many failed attempts of events that are not traced are traced in a second, 0 to 1000; needs "
        "OTEL_EXPORTER_OTLP_ENDPOINT. [0]",
    ),
    "log_level": Setting(
        values.one_of("debug", "info", "warning", "error"),
        "Lowest level to log: debug, info, warning or error. [info]",
    ),
    "log_format": Setting(
        values.one_of("auto", "text", "json"),
        "Log format: text, json, or auto, which is text on a terminal and json elsewhere. [auto]",
    ),
}


def secret_file(settings: Settings, name: str) -> Path:
    """The file that holds a secret which is not given as a setting."""
    if name == "master_key" and settings.master_key_file is not None:
        return settings.master_key_file
    return settings.data_dir / name.replace("_", "-")
