"""Writes docs/settings.md from the table of settings: `.venv/bin/python docs/make_settings.py`. A test keeps it so."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from signalpost.given_settings import variable_of
from signalpost.settings import SETTINGS

PAGE = Path(__file__).parent / "settings.md"
HEAD = """# Settings

Generated from the table of settings by `.venv/bin/python docs/make_settings.py`; do not edit.

A setting is a variable of the environment, such as `SIGNALPOST_DATA_DIR`, and an option of `signalpost serve`, such as
`--data-dir`; the option wins. Without a value, the default holds. A variable that begins with `SIGNALPOST_` and is no
setting stops the start, as a wrong value does, and the message says what was meant.
`signalpost serve --show-settings` prints each value and where it comes from, of secrets only whether they are set.

The value of `DATABASE_URL`, `OPERATOR_KEY` or `EGRESS_PROXY` can be in a file that other users cannot read: name it in
`SIGNALPOST_DATABASE_URL_FILE` and so on. For the master key there is `MASTER_KEY_FILE`.
"""
GROUPS: Final[Mapping[str, str]] = {
    "Data": "data_dir database_url files_url file_kinds retention_days audit_retention_days disk_reserve_mb",
    "Processes": "role processes max_connections",
    "Addresses and TLS": "host port public_url tls_cert tls_key trusted_proxies",
    "Keys and signing in": "master_key master_key_file operator_key oidc_issuer oidc_client_id oidc_client_secret",
    "What may be called": "allow_targets deny_targets nat64_prefixes egress_proxy ca_file",
    "Delivery": "retry_delays attempt_timeout disable_after_days in_flight in_flight_per_tenant in_flight_per_endpoint "
    "tenant_limits",
    "Being told": "notice_after notice_remind metrics_port metrics_tenants log_level log_format",
    "Traces": "otel_exporter_otlp_endpoint otel_exporter_otlp_headers otel_service_name otel_resource_attributes "
    "trace_ratio trace_failures",
}
MORE: Final[Mapping[str, str]] = {
    "Data": "[Where everything is](guides/running.md#data), and [how much disk it takes](guides/sizing.md).",
    "Processes": "[More cores](guides/running.md#more-cores), and [several gateways](guides/fleet.md).",
    "Addresses and TLS": "[Behind TLS and a proxy](guides/proxy.md).",
    "Keys and signing in": "[Keep the keys](guides/keys.md), and [the console](guides/console.md).",
    "What may be called": "[What leaves the gateway](guides/proxy.md).",
    "Delivery": "[Failing endpoints](guides/running.md#failing-endpoints), and [limits of tenants](guides/tenants.md).",
    "Being told": "[Notices](guides/notices.md), and [metrics](metrics.md).",
    "Traces": "[Traces](guides/traces.md). They have the names of OpenTelemetry, without `SIGNALPOST_` in front.",
}


def page() -> str:
    return HEAD + "".join(_section(title, names.split()) for title, names in GROUPS.items())


def _section(title: str, names: list[str]) -> str:
    head = "| variable | default | what it says |\n| --- | --- | --- |\n"
    return f"\n## {title}\n\n{MORE[title]}\n\n{head}{''.join(map(_row, names))}"


def _row(name: str) -> str:
    """What a setting is for. Its help ends with the default in brackets."""
    told = re.fullmatch(r"(.*) \[(.*)\]", SETTINGS[name].help, re.DOTALL)
    assert told is not None, name
    secret = " **Secret.**" if SETTINGS[name].secret else ""
    return f"| `{variable_of(name)}` | {_default(told[2])} | {told[1]}{secret} |\n"


def _default(text: str) -> str:
    if not text:
        return "none"
    return (
        text if " " in text else ", ".join(f"`{each}`" for each in text.split(",")) if len(text) > 30 else f"`{text}`"
    )


def named() -> Iterator[str]:
    """Every setting that the page has."""
    for names in GROUPS.values():
        yield from names.split()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
