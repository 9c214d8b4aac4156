"""What makes spans and hands them to a collector, made of the settings."""

import asyncio
from socket import gethostname

from signalpost import VERSION
from signalpost.domain.endpoint import parse_url
from signalpost.engine.tracing.exporter import Collector, SpanExporter
from signalpost.engine.tracing.traces import Traces
from signalpost.runtime.clock import Clock
from signalpost.sender.addresses import AllowedTarget, Guard
from signalpost.sender.sender import Sender, SenderSettings
from signalpost.settings import Settings


def exporting(settings: Settings, endpoint: str, clock: Clock) -> tuple[SpanExporter, Traces]:
    """The exporter, which is to be started and closed, and what makes its spans. The operator chose the collector's
    address, so it may be any; the sender can reach no other."""
    resource = {"service.name": "signalpost", "service.version": VERSION, "host.name": gethostname()}
    resource |= dict(settings.otel_resource_attributes)
    if settings.otel_service_name is not None:
        resource["service.name"] = settings.otel_service_name
    collector = Collector(f"{endpoint}/v1/traces", dict(settings.otel_exporter_otlp_headers), resource)
    target = parse_url(collector.url).target
    sender = Sender(
        SenderSettings(
            guard=Guard((AllowedTarget(target.scheme, target.host, None, target.port),)), ca_file=settings.ca_file
        ),
        loop=asyncio.get_running_loop(),
        wall=clock.wall,
    )
    exporter = SpanExporter(collector, sender)
    return exporter, Traces(exporter, clock, ratio=settings.trace_ratio, failures=settings.trace_failures)
