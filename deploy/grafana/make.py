"""Writes the dashboards beside it, for Grafana 10.4 or newer: `.venv/bin/python deploy/grafana/make.py`. A test keeps
them so, and another runs every expression beside gateways at work.
"""

from pathlib import Path

from panels import OF, Dashboard, Panel, Row, Target, increase, line, number, quantile, quantiles, rate, text

FOLDER = Path(__file__).parent
_GOOD_TO_BAD = ((None, "green"), (1, "red"))
_FAILS = 'state=~"failing|breaker_open"'
_ACTIVE = 'state=~"healthy|failing|breaker_open"'
_FAILURES = ', outcome!~"delivered|skipped"'
_REQUESTS = f'signalpost_requests_total{{{OF}, route!~"/health.*|/metrics"'

GATEWAY = Dashboard(
    "gateway.json",
    "Signalpost: gateway",
    "What comes in, what goes out, and what the processes have left.",
    (
        Row(
            "Now",
            (
                number("Processes that answer", 'sum(up{job="$job", instance=~"$instance"})'),
                number("Events", f"sum(rate(signalpost_events_total{{{OF}}}[$__rate_interval]))", unit="ops"),
                number(
                    "Deliveries",
                    f'sum(rate(signalpost_attempts_total{{{OF}, outcome="delivered"}}[$__rate_interval]))',
                    unit="ops",
                ),
                number(
                    "Oldest event not yet sent",
                    f"max(signalpost_oldest_pending_seconds{{{OF}}})",
                    unit="s",
                    steps=((None, "green"), (60, "orange"), (300, "red")),
                ),
                number(
                    "Requests answered with 5xx",
                    f'(sum(rate({_REQUESTS}, status=~"5.."}}[$__rate_interval])) or vector(0))'
                    f" / sum(rate({_REQUESTS}}}[$__rate_interval]))",
                    unit="percentunit",
                    steps=((None, "green"), (0.001, "orange"), (0.0144, "red")),
                ),
                number(
                    "Refuse documents",
                    f"sum(1 - signalpost_accepting{{{OF}}})",
                    about="Processes whose disk is nearly full.",
                    steps=_GOOD_TO_BAD,
                ),
            ),
        ),
        Row(
            "From an event to its delivery",
            (
                quantiles(
                    "Event to delivery",
                    "signalpost_delivery_seconds",
                    "kind",
                    about="From an event, plus its subscription's delay, to its arrival; retries included.",
                ),
                line("Attempts", rate("signalpost_attempts_total", "outcome"), "{{outcome}}", unit="ops", stacked=True),
                quantiles("Attempts by kind", "signalpost_attempt_seconds", "kind"),
                line(
                    "Deliveries that wait",
                    f"sum by (status) (signalpost_deliveries_waiting{{{OF}}})",
                    "{{status}}",
                    about="Under way, queued or waiting for a retry, by the status of the subscription.",
                ),
                line(
                    "Events behind",
                    f"sum by (status) (signalpost_lag_events{{{OF}}})",
                    "{{status}}",
                    Target(f'max(signalpost_lag_most_events{{{OF}, status="active"}})', "the most of one active"),
                    about="Neither delivered, given up nor waiting for a retry. What is paused waits on purpose.",
                ),
                line(
                    "Given up and lost",
                    increase("signalpost_deliveries_given_up_total"),
                    "given up",
                    Target(increase("signalpost_deliveries_lost_total"), "lost"),
                ),
            ),
        ),
        Row(
            "Changes and requests",
            (
                line("Events", rate("signalpost_events_total", "type"), "{{type}}", unit="ops", stacked=True),
                line("Requests", rate("signalpost_requests_total", "status"), "{{status}}", unit="ops", stacked=True),
                line(
                    "Slowest routes",
                    f"topk(5, {quantile(0.99, 'signalpost_request_seconds', 'method, route')})",
                    "{{method}} {{route}}",
                    unit="s",
                    about="The time until the answer began that one request in a hundred exceeds.",
                ),
                quantiles("Commits", "signalpost_commit_seconds", ""),
                quantiles("Records of deliveries", "signalpost_record_seconds", ""),
                line("Changes that wait for their commit", f"signalpost_commands_waiting{{{OF}}}", "{{instance}}"),
            ),
        ),
        Row(
            "What is left",
            (
                line(
                    "CPU",
                    f"rate(process_cpu_seconds_total{{{OF}}}[$__rate_interval])",
                    "{{instance}}",
                    unit="percentunit",
                    about="Near 100 % the core of a process is full. Workers have cores of their own.",
                ),
                quantiles(
                    "Delay of the event loop",
                    "signalpost_loop_delay_seconds",
                    "instance",
                    about="How late it gets to what is due.",
                ),
                line("Memory", f"process_resident_memory_bytes{{{OF}}}", "{{instance}}", unit="bytes"),
                line("Free disk", f"signalpost_disk_free_bytes{{{OF}}}", "{{instance}}", unit="bytes"),
                line(
                    "Database",
                    f"signalpost_database_bytes{{{OF}}}",
                    "{{instance}}",
                    Target(f"signalpost_wal_bytes{{{OF}}} > 0", "{{instance}} log of SQLite"),
                    unit="bytes",
                ),
                line(
                    "Open files",
                    f"process_open_fds{{{OF}}} / process_max_fds{{{OF}}}",
                    "{{instance}}",
                    unit="percentunit",
                ),
                number(
                    "Last backup",
                    f"time() - max(signalpost_backup_timestamp_seconds{{{OF}}})",
                    unit="s",
                    about="Of `signalpost db backup`, for SQLite.",
                    steps=((None, "green"), (93_600, "red")),
                ),
                number(
                    "Certificate ends in",
                    f"min(signalpost_certificate_expiry_timestamp_seconds{{{OF}}}) - time()",
                    unit="s",
                    about="If the gateway speaks TLS itself.",
                    steps=((None, "red"), (1_209_600, "green")),
                ),
                number(
                    "Workers",
                    f"sum(signalpost_workers{{{OF}}})",
                    about="Processes that speak HTTP for a gateway on SQLite.",
                ),
            ),
        ),
    ),
)

ENDPOINTS = Dashboard(
    "endpoints.json",
    "Signalpost: endpoints",
    "How those who receive do. Which one it is, the console says.",
    (
        Row(
            "Subscriptions",
            (
                line(
                    "Subscriptions by health",
                    f"sum by (state) (signalpost_subscriptions{{{OF}}})",
                    "{{state}}",
                    stacked=True,
                    width=12,
                ),
                line(
                    "Share of the active that fails",
                    f"sum(signalpost_subscriptions{{{OF}, {_FAILS}}})"
                    f" / sum(signalpost_subscriptions{{{OF}, {_ACTIVE}}})",
                    "failing",
                    unit="percentunit",
                    width=12,
                ),
                line(
                    "Breakers opened, subscriptions disabled",
                    increase("signalpost_breaker_opened_total"),
                    "breakers",
                    Target(increase("signalpost_subscriptions_disabled_total"), "disabled"),
                ),
                line(
                    "Retention used by the oldest that waits",
                    f"max(signalpost_retention_oldest_waiting_ratio{{{OF}}})",
                    "used",
                    unit="percentunit",
                    about="At 100 % an event is removed, delivered or not. Paused subscriptions count.",
                ),
                line(
                    "Wait for a retry, given up and kept",
                    f"sum(signalpost_deliveries_awaiting_retry{{{OF}}})",
                    "wait for a retry",
                    Target(f"sum(signalpost_deliveries_failed{{{OF}}})", "given up"),
                ),
            ),
        ),
        Row(
            "Attempts",
            (
                line(
                    "Share that is delivered, by outcome",
                    f"{rate('signalpost_attempts_total', 'outcome')}"
                    f" / scalar(sum(rate(signalpost_attempts_total{{{OF}}}[$__rate_interval])))",
                    "{{outcome}}",
                    unit="percentunit",
                    stacked=True,
                    width=12,
                ),
                line(
                    "Failures by class",
                    rate("signalpost_attempts_total", "outcome", _FAILURES) + " > 0",
                    "{{outcome}}",
                    unit="ops",
                    width=12,
                    about="dns, connect and proxy point to your own network, status to the receiver.",
                ),
                Panel(
                    "Duration of attempts",
                    (Target(rate("signalpost_attempt_seconds_bucket", "le"), "{{le}}"),),
                    unit="s",
                    kind="heatmap",
                    width=12,
                ),
                Panel(
                    "From an event to its delivery",
                    (Target(rate("signalpost_delivery_seconds_bucket", "le"), "{{le}}"),),
                    unit="s",
                    kind="heatmap",
                    width=12,
                ),
                line(
                    "Deliveries within a minute of their event",
                    rate("signalpost_delivery_seconds_bucket", "kind", ', le="60.0"')
                    + f" / {rate('signalpost_delivery_seconds_count', 'kind')}",
                    "{{kind}}",
                    unit="percentunit",
                ),
                line(
                    "Tokens of vendors",
                    rate("signalpost_token_fetches_total", "outcome"),
                    "{{outcome}}",
                    unit="ops",
                    about="Refused: a person has to renew a connection.",
                ),
                line("Attempts in flight", f"sum(signalpost_attempts_in_flight{{{OF}}})", "in flight"),
            ),
        ),
        Row(
            "Tenants that METRICS_TENANTS names",
            (
                line("Events", rate("signalpost_tenant_events_total", "tenant"), "{{tenant}}", unit="ops", width=6),
                line(
                    "Oldest event not yet sent",
                    f"max by (tenant) (signalpost_tenant_oldest_pending_seconds{{{OF}}})",
                    "{{tenant}}",
                    unit="s",
                    width=6,
                ),
                line("Events behind", f"sum by (tenant) (signalpost_tenant_lag_events{{{OF}}})", "{{tenant}}", width=6),
                line(
                    "Given up and kept",
                    f"sum by (tenant) (signalpost_tenant_deliveries_failed{{{OF}}})",
                    "{{tenant}}",
                    width=6,
                ),
            ),
        ),
    ),
)

FLEET = Dashboard(
    "fleet.json",
    "Signalpost: fleet",
    "The nodes of a fleet on PostgreSQL.",
    (
        Row(
            "Nodes",
            (
                number("Nodes", 'max(signalpost_nodes{job="$job"})'),
                number(
                    "Subscriptions without a node",
                    'max(signalpost_lanes{job="$job"}) - sum(signalpost_lanes_owned{job="$job"})',
                    about="Every node knows how many there are, and only its owner has one.",
                    steps=_GOOD_TO_BAD,
                ),
                number("Nodes that stop", 'sum(signalpost_node_draining{job="$job"})'),
                number(
                    "Oldest beat",
                    'max(signalpost_node_beat_age_seconds{job="$job"})',
                    unit="s",
                    steps=((None, "green"), (6, "red")),
                ),
                number("Versions", 'count(count by (version) (signalpost_build_info{job="$job"}))'),
                number("Cannot record", 'sum(signalpost_recording_failing{job="$job"})', steps=_GOOD_TO_BAD),
                line(
                    "Age of the last beat",
                    f"signalpost_node_beat_age_seconds{{{OF}}}",
                    "{{instance}}",
                    unit="s",
                    about="From 6 s on a node starts no attempts, and after 12 s others take its subscriptions.",
                ),
                line("Subscriptions owned", f"signalpost_lanes_owned{{{OF}}}", "{{instance}}", stacked=True),
                line("Answers Prometheus", 'up{job="$job", instance=~"$instance"}', "{{instance}}"),
            ),
        ),
        Row(
            "Work by node",
            (
                line("Events", rate("signalpost_events_total", "instance"), "{{instance}}", unit="ops"),
                line("Attempts", rate("signalpost_attempts_total", "instance"), "{{instance}}", unit="ops"),
                line("Requests", rate("signalpost_requests_total", "instance"), "{{instance}}", unit="ops"),
                line("Attempts in flight", f"signalpost_attempts_in_flight{{{OF}}}", "{{instance}}"),
                line("Attempts not yet recorded", f"signalpost_attempts_unrecorded{{{OF}}}", "{{instance}}"),
                line("Recent events in memory", f"signalpost_log_cache_bytes{{{OF}}}", "{{instance}}", unit="bytes"),
                line(
                    "CPU",
                    f"rate(process_cpu_seconds_total{{{OF}}}[$__rate_interval])",
                    "{{instance}}",
                    unit="percentunit",
                ),
                quantiles("Delay of the event loop", "signalpost_loop_delay_seconds", "instance"),
                line("Memory", f"process_resident_memory_bytes{{{OF}}}", "{{instance}}", unit="bytes"),
            ),
        ),
        Row(
            "PostgreSQL",
            (
                quantiles(
                    "Wait for a free connection",
                    "signalpost_database_wait_seconds",
                    "work",
                    about="All connections are in use: the database is slow, or there is too much to do.",
                ),
                quantiles("Commits", "signalpost_commit_seconds", "instance"),
                quantiles("Records of deliveries", "signalpost_record_seconds", "instance"),
            ),
        ),
    ),
)
DASHBOARDS = (GATEWAY, ENDPOINTS, FLEET)


if __name__ == "__main__":
    for each in DASHBOARDS:
        (FOLDER / each.file).write_text(text(each), encoding="utf-8")
