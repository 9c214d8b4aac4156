"""The metric families of Prometheus, and their text, made of what the engine and the API counted."""

import asyncio
import platform
from collections.abc import Awaitable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from signalpost import VERSION
from signalpost.api.http.request_counts import RequestCounts
from signalpost.api.routing.services import Services
from signalpost.domain.access.tenant import OTHER_TENANTS
from signalpost.domain.errors import Unavailable
from signalpost.domain.event import EventType
from signalpost.domain.operations.kinds import KINDS
from signalpost.domain.timestamps import SECOND
from signalpost.engine.counts import CONTACT_MAILS, TOKEN_ANSWERS, Counts, TracedDelivery
from signalpost.engine.engine import Engine
from signalpost.engine.lanes.lane_health import STATES, STATUSES, LanesOverview
from signalpost.listener.certificate import Certificate
from signalpost.runtime.histogram import Histogram
from signalpost.store.store import Store

if TYPE_CHECKING:
    from signalpost.workers.workers import Workers

TOLD_WITHIN = 5.0
"""Seconds that the database has to tell what only it knows; Prometheus waits for ten."""
_process = ProcessCollector(registry=None)


async def rendered(services: Services, media_type: str) -> bytes:
    """All metrics, in the format of OpenMetrics if that is the media type, else in that of Prometheus. What only the
    database knows is left out while it does not answer: then the other metrics are needed most."""
    engine = services.engine
    overview = await engine.lanes.views.overview()
    families = [
        *_work(engine),
        *_deliveries(engine.counts),
        *_requests(services.requests),
        *_standing(engine),
        *_notices(engine),
        *_lanes(overview),
        *_fleet(engine),
        *_workers(services.workers),
        *_waits(services),
        *_traces(services),
    ]
    of_database = _pending(services, overview), _retention(engine), _sources(services), _sizes(services.store)
    for told in await asyncio.gather(*map(_if_told, of_database)):
        families += told
    write = generate_openmetrics if media_type.startswith("application/openmetrics-text") else generate_latest

    def text() -> bytes:
        ready = [*families, *_certificate(services.installation.certificate), *_process.collect()]
        return write(_ReadyFamilies(ready))

    return await asyncio.to_thread(text)


async def _if_told(asked: Awaitable[list[Metric]]) -> list[Metric]:
    try:
        async with asyncio.timeout(TOLD_WITHIN):
            return await asked
    except (Unavailable, TimeoutError):
        return []


def _work(engine: Engine) -> Iterator[Metric]:
    counts = engine.counts
    events = {EventType(number).wire: count for number, count in counts.events.items()}
    yield _counters("signalpost_events", "Events committed to the log.", "type", events)
    attempts = {str(failure or "delivered"): count for failure, count in counts.attempts.items()}
    yield _counters("signalpost_attempts", "Delivery attempts that ended, by outcome.", "outcome", attempts)
    yield CounterMetricFamily(
        "signalpost_subscriptions_disabled", "Subscriptions disabled because their endpoints had failed for days.",
        counts.disabled,
    )  # fmt: skip
    yield _histogram("signalpost_commit_seconds", "Time to commit a batch of changes.", counts.commit_seconds)
    yield _histogram("signalpost_record_seconds", "Time to record a batch of delivery results.", counts.record_seconds)


def _deliveries(counts: Counts) -> Iterator[Metric]:
    delivered = HistogramMetricFamily(
        "signalpost_delivery_seconds",
        "Time from an event, plus the delay of its subscription, to its delivery, by kind of destination. Replays and "
        "retries by hand of what was delivered or given up are left out.",
        labels=("kind",),
    )
    for kind, histogram in counts.delivery_seconds.items():
        delivered.add_metric((kind,), _with_traces(histogram, counts.traced_deliveries.get(kind, {})), histogram.sum)
    yield delivered
    yield _histograms(
        "signalpost_attempt_seconds",
        "Duration of delivery attempts, by kind of destination.",
        "kind",
        counts.attempt_seconds,
    )
    yield CounterMetricFamily(
        "signalpost_deliveries_given_up",
        "Deliveries given up because all their attempts failed, or because the vendor rejected them.",
        counts.given_up,
    )
    yield CounterMetricFamily(
        "signalpost_deliveries_lost", "Deliveries of events that the retention removed before.", counts.lost
    )
    yield CounterMetricFamily(
        "signalpost_breaker_opened", "Breakers opened because an endpoint kept failing.", counts.breakers_opened
    )
    tokens: dict[str, int] = {answer: counts.tokens[answer] for answer in TOKEN_ANSWERS}
    yield _counters("signalpost_token_fetches", "Requests to vendors for a token, by outcome.", "outcome", tokens)
    mails: dict[str, int] = {end: counts.contact_mails[end] for end in CONTACT_MAILS}
    yield _counters("signalpost_contact_mails", "Mails to contacts of subscriptions, by outcome.", "outcome", mails)


def _requests(requests: RequestCounts) -> Iterator[Metric]:
    answers = CounterMetricFamily(
        "signalpost_requests", "Requests answered by the API.", labels=("method", "route", "status")
    )
    for (method, route, status), count in requests.answers.items():
        answers.add_metric((method, route, str(status)), count)
    yield answers
    seconds = HistogramMetricFamily(
        "signalpost_request_seconds",
        "Time until the answer to a request began.",
        labels=("method", "route"),
    )
    for labels, histogram in requests.seconds.items():
        seconds.add_metric(labels, _buckets(histogram), histogram.sum)
    yield seconds


def _standing(engine: Engine) -> Iterator[Metric]:
    lanes, is_failing = engine.lanes, engine.lanes.failing_since is not None
    yield _gauge("signalpost_attempts_in_flight", "Delivery attempts in flight.", lanes.in_flight)
    yield _gauge("signalpost_attempts_unrecorded", "Attempts that ended and are not recorded yet.", lanes.unrecorded)
    yield _gauge("signalpost_commands_waiting", "Changes that wait to be committed.", engine.waiting)
    yield _gauge("signalpost_recording_failing", "1 while delivery results cannot be recorded, else 0.", is_failing)
    yield _gauge(
        "signalpost_accepting",
        "0 while documents are refused because the disk is nearly full, else 1.",
        engine.disk.is_kept,
    )
    yield _gauge("signalpost_disk_free_bytes", "Free disk space at the data directory.", engine.disk.free)
    yield _gauge("signalpost_log_cache_bytes", "Memory that caches recent events of the log.", lanes.cached_bytes)
    build = {"version": VERSION, "python": platform.python_version()}
    yield InfoMetricFamily("signalpost_build", "The running version.", build)


def _notices(engine: Engine) -> Iterator[Metric]:
    found = engine.watch.counts.of_kinds
    yield _gauges(
        "signalpost_notices_open", "Conditions that are open, by kind.", "kind", {kind: found[kind] for kind in KINDS}
    )
    yield _gauge(
        "signalpost_notices_undelivered",
        "Deliveries of notices that are yet to be sent, or were given up and are kept.",
        engine.watch.undelivered,
    )


def _lanes(overview: LanesOverview) -> Iterator[Metric]:
    waiting = {status: overview.waiting[status] for status in STATUSES}
    subscriptions = {state: overview.subscriptions[state] for state in STATES}
    lag = {status: overview.lag[status] for status in STATUSES}
    yield _gauge(
        "signalpost_deliveries_awaiting_retry", "Deliveries in memory that wait for a retry.", overview.awaiting_retry
    )
    yield _gauges(
        "signalpost_deliveries_waiting",
        "Deliveries in flight, queued, awaiting a retry, or behind others of their document.",
        "status",
        waiting,
    )
    yield _gauge("signalpost_deliveries_failed", "Deliveries that were given up and are kept.", overview.failed)
    yield _gauges("signalpost_subscriptions", "Subscriptions by health.", "state", subscriptions)
    yield _gauges(
        "signalpost_lag_events",
        "Events not yet delivered, given up or waiting for a retry, by subscription status.",
        "status",
        lag,
    )
    yield _gauges(
        "signalpost_lag_most_events", "The largest lag of one subscription, by status.", "status", overview.lag_most
    )


def _fleet(engine: Engine) -> Iterator[Metric]:
    node = engine.node
    if (age := node.seconds_since_beat) is not None:
        yield _gauge(
            "signalpost_node_beat_age_seconds",
            "Time since this node's last beat; from 6 s on it starts no attempts, and after 12 s it counts as dead.",
            age,
        )
    yield _gauge("signalpost_node_draining", "1 while this node is stopping, else 0.", node.is_draining)
    yield _gauge("signalpost_nodes", "Nodes that share the database, as of this one's last beat.", node.node_count)
    yield _gauge("signalpost_lanes_owned", "Subscriptions that this node delivers for.", engine.lanes.here.count)
    yield _gauge(
        "signalpost_lanes",
        "Subscriptions of all tenants, but for those whose events are read. Subtract the sum of signalpost_lanes_owned "
        "over all nodes to get those without a node.",
        engine.directory.lane_count,
    )


def _workers(workers: "Workers | None") -> Iterator[Metric]:
    if workers is not None:
        yield _gauge("signalpost_workers", "Workers that are ready.", len(workers.up))
        yield CounterMetricFamily(
            "signalpost_workers_lost",
            "Workers that ended by themselves or were killed because they hung.",
            workers.losses,
        )


def _waits(services: Services) -> Iterator[Metric]:
    yield _histogram(
        "signalpost_loop_delay_seconds",
        "How late the event loop got to what was due, looked at ten times a second.",
        services.loop_delay.seconds,
    )
    if services.store.waits:
        yield _histograms(
            "signalpost_database_wait_seconds",
            "Time that work waited for a free connection to PostgreSQL.",
            "work",
            services.store.waits,
        )


def _traces(services: Services) -> Iterator[Metric]:
    if services.traces is not None:
        yield CounterMetricFamily(
            "signalpost_spans_dropped",
            "Spans that the collector did not get, because it was away or too slow, or refused them.",
            services.traces.dropped,
        )


def _tenants(services: Services, overview: LanesOverview, pending: Mapping[int, float]) -> Iterator[Metric]:
    """What METRICS_TENANTS asks for: each of these tenants, and all others together."""
    if not services.installation.metrics_tenants:
        return
    found = map(services.directory.tenant, services.installation.metrics_tenants)
    names = {tenant.id: tenant.name for tenant in found if tenant is not None}

    def summed(counts: Mapping[int, int]) -> dict[str, int]:
        own = {name: counts.get(tenant_id, 0) for tenant_id, name in names.items()}
        return {**own, OTHER_TENANTS: sum(counts.values()) - sum(own.values())}

    ages = dict.fromkeys([*names.values(), OTHER_TENANTS], 0.0)
    for tenant_id, age in pending.items():
        name = names.get(tenant_id, OTHER_TENANTS)
        ages[name] = max(ages[name], age)
    yield _counters(
        "signalpost_tenant_events", "Events committed, by tenant.", "tenant", summed(services.engine.counts.events_of)
    )
    yield _gauges(
        "signalpost_tenant_oldest_pending_seconds", "signalpost_oldest_pending_seconds by tenant.", "tenant", ages
    )
    yield _gauges(
        "signalpost_tenant_lag_events",
        "Events not yet delivered, given up or waiting for a retry, of active subscriptions, by tenant.",
        "tenant",
        summed(overview.lag_of),
    )
    yield _gauges(
        "signalpost_tenant_deliveries_failed",
        "Deliveries that were given up and are kept, by tenant.",
        "tenant",
        summed(overview.failed_of),
    )


def _certificate(certificate: Certificate | None) -> Iterator[Metric]:
    if certificate is not None:
        told = "When the certificate ends with which the gateway speaks TLS, in seconds since the epoch."
        yield _gauge("signalpost_certificate_expiry_timestamp_seconds", told, certificate.ends())


async def _pending(services: Services, overview: LanesOverview) -> list[Metric]:
    ages = await services.engine.lanes.views.pending_seconds(overview)
    oldest = _gauge(
        "signalpost_oldest_pending_seconds",
        "Age of the oldest event that was not yet sent to an active subscription, leaving out events that wait behind "
        "others of their document.",
        max(ages.values(), default=0),
    )
    return [oldest, *_tenants(services, overview, ages)]


async def _retention(engine: Engine) -> list[Metric]:
    used = await engine.retention_use.ratio()
    if used is None:
        return []
    return [
        _gauge(
            "signalpost_retention_oldest_waiting_ratio",
            "Age of the oldest event that a subscription of this node still waits for, paused ones included, divided "
            "by how long it is kept: at 1 it is removed. At most a minute old.",
            used,
        )
    ]


async def _sources(services: Services) -> list[Metric]:
    found = await services.store.sources.all()
    silent = 0.0 if found.heard_at is None else max(0, services.clock.wall() - found.heard_at) / SECOND
    return [
        _gauge("signalpost_sources", "Sources that feed tenants.", found.number),
        _gauge(
            "signalpost_source_oldest_seconds",
            "Age of the oldest change that a source had not handed over when it last said so.",
            found.oldest_seconds,
        ),
        _gauge("signalpost_source_dead", "Changes that sources gave up and keep, as they last said.", found.dead),
        _gauge(
            "signalpost_source_silent_seconds", "Time since the source that is silent for longest was heard.", silent
        ),
    ]


async def _sizes(store: Store) -> list[Metric]:
    size = await store.size()
    sizes = [
        _gauge("signalpost_database_bytes", "Size of the database file.", size.database),
        _gauge("signalpost_wal_bytes", "Size of the database's write-ahead log.", size.wal),
    ]
    if size.backed_up_at is not None:
        told = "When `signalpost db backup` last made a sound copy, in seconds since the epoch."
        sizes.append(_gauge("signalpost_backup_timestamp_seconds", told, size.backed_up_at / SECOND))
    return sizes


class _ReadyFamilies(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _gauge(name: str, help_: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_, value)


def _gauges(name: str, help_: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, help_, labels=(label,))
    for label_value, value in values.items():
        family.add_metric((label_value,), value)
    return family


def _counters(name: str, help_: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, help_, labels=(label,))
    for label_value, value in values.items():
        family.add_metric((label_value,), value)
    return family


def _histogram(name: str, help_: str, histogram: Histogram) -> Metric:
    return HistogramMetricFamily(name, help_, _buckets(histogram), histogram.sum)


def _histograms(name: str, help_: str, label: str, histograms: Mapping[str, Histogram]) -> Metric:
    family = HistogramMetricFamily(name, help_, labels=(label,))
    for label_value, histogram in histograms.items():
        family.add_metric((label_value,), _buckets(histogram), histogram.sum)
    return family


def _with_traces(
    histogram: Histogram, traced: Mapping[int, TracedDelivery]
) -> list[tuple[str, float] | tuple[str, float, Exemplar]]:
    """The buckets of a histogram. Those in which a delivery was traced show the last such one, in OpenMetrics."""
    buckets: list[tuple[str, float] | tuple[str, float, Exemplar]] = [*_buckets(histogram)]
    for place, (trace, seconds, at) in traced.items():
        bound, count, *_ = buckets[place]
        buckets[place] = bound, count, Exemplar({"trace_id": trace.hex()}, seconds, at)
    return buckets


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    bounds = (*map(str, histogram.bounds), "+Inf")
    return list(zip(bounds, accumulate(histogram.counts), strict=True))
