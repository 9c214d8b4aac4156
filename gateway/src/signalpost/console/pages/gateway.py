"""The page of the gateway: whether it is healthy, and its settings."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from signalpost.api.routing.shapes.access import MasterKeyShown
from signalpost.api.routing.shapes.service import GatewayShown, Nodes, SettingShown
from signalpost.console.page import Page, Visit

GROUPS: Final[Mapping[str, Sequence[str]]] = {
    "Addresses": (
        "HOST", "PORT", "PUBLIC_URL", "TLS_CERT", "TLS_KEY", "TRUSTED_PROXIES", "MAX_CONNECTIONS", "METRICS_PORT",
        "METRICS_TENANTS",
    ),
    "Data": (
        "DATA_DIR", "DATABASE_URL", "FILES_URL", "FILE_KINDS", "RETENTION_DAYS", "AUDIT_RETENTION_DAYS",
        "DISK_RESERVE_MB", "ROLE", "PROCESSES",
    ),
    "Keys and sign-in": (
        "MASTER_KEY", "MASTER_KEY_FILE", "OPERATOR_KEY", "OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET",
    ),
    "What is called": ("ALLOW_TARGETS", "DENY_TARGETS", "NAT64_PREFIXES", "EGRESS_PROXY", "CA_FILE"),
    "Deliveries": (
        "RETRY_DELAYS", "ATTEMPT_TIMEOUT", "DISABLE_AFTER_DAYS", "IN_FLIGHT", "IN_FLIGHT_PER_TENANT",
        "IN_FLIGHT_PER_ENDPOINT", "TENANT_LIMITS", "NOTICE_AFTER", "NOTICE_REMIND",
    ),
    "Log and traces": (
        "LOG_LEVEL", "LOG_FORMAT", "TRACE_RATIO", "TRACE_FAILURES", "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES",
    ),
}  # fmt: skip
"""The settings by what they are about."""
SOURCES: Final[Mapping[str, str]] = {
    "default": "default",
    "environment": "a variable",
    "flag": "a flag",
    "program": "the program that embeds it",
}
"""The words for where a value comes from."""


class SettingGroup(Struct, frozen=True):
    title: str
    settings: Sequence[SettingShown]
    """The settings that have a value; what was given first."""
    unset: Sequence[SettingShown]


class GatewayView(Struct, frozen=True):
    gateway: GatewayShown
    nodes: Nodes
    master_key: MasterKeyShown

    def source(self, setting: SettingShown) -> str:
        """Where a value comes from, in words."""
        return SOURCES[setting.source]

    @property
    def headline(self) -> str:
        health = self.gateway.health
        if health.trouble is not None:
            return "The gateway is not ready"
        return "The gateway is ready, with a warning" if health.warnings else "The gateway is ready"

    @property
    def versions(self) -> Sequence[str]:
        """The versions at work: more than one while nodes are upgraded."""
        return sorted({node.version for node in self.nodes.data} | {self.gateway.version})

    @property
    def groups(self) -> Sequence[SettingGroup]:
        by_name = {each.name: each for each in self.gateway.settings}
        return [_group(title, [by_name[name] for name in names]) for title, names in GROUPS.items()]


def _group(title: str, settings: Sequence[SettingShown]) -> SettingGroup:
    there = sorted((each for each in settings if each.value is not None), key=lambda each: each.is_default)
    return SettingGroup(title, there, [each for each in settings if each.value is None])


async def view(visit: Visit) -> GatewayView:
    gateway = await visit.calls.read("read_gateway", GatewayShown)
    nodes = await visit.calls.read("list_nodes", Nodes)
    master_key = await visit.calls.read("read_master_key", MasterKeyShown)
    return GatewayView(gateway, nodes, master_key)


PAGES = (Page(path="/gateway", section="Gateway", title="Gateway", template="gateway.html", view=view),)
