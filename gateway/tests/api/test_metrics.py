"""`GET /metrics`: what it says after real traffic is what took place, in a format that Prometheus reads."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from gateway.tests.http_server import QuietHandler, serving
from gateway.tests.sqlite_file import database_file
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_to_families
from prometheus_client.parser import text_string_to_metric_families

from signalpost import VERSION
from signalpost.domain.delivery.outcome import Failure
from signalpost.sender.addresses import parse_allow_targets

if TYPE_CHECKING:
    from gateway.tests.api.conftest import Client, World

ROOT = Path(__file__).parents[3]
EVERYTHING = ["documentCreated", "documentUpdated", "documentDeleted"]


class Metrics:
    """One scrape, read by Prometheus' own parser."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families: dict[str, Metric] = {family.name: family for family in text_string_to_metric_families(text)}

    def value(self, name: str, **labels: str) -> float:
        """The value of one sample; 0 if there is none."""
        found = [
            sample.value
            for family in self.families.values()
            for sample in family.samples
            if sample.name == name and sample.labels == labels
        ]
        assert len(found) <= 1
        return found[0] if found else 0.0


def scrape(client: "Client") -> Metrics:
    answer = client.send("GET", "/metrics", headers={"authorization": None})
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Metrics(answer.body.decode())


class Handler(QuietHandler):
    """Answers with the status that the path names: `/500`."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(int(self.path[1:]))
        self.end_headers()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The URL of an endpoint that answers as its path says."""
    with serving(Handler) as origin:
        yield origin


@pytest.fixture(scope="module")
def busy(make_world: Callable[..., "World"], url: str) -> "World":
    """A gateway that delivered five events, failed to deliver each of them to another endpoint, and has a third one
    paused."""
    world = make_world(allow_targets=parse_allow_targets(url), retry_delays=(3600,))
    well, failing, paused = (
        world.create_subscription(url=f"{url}{path}", eventTypes=EVERYTHING, status=status)
        for path, status in (("/200", "active"), ("/500", "active"), ("/200", "paused"))
    )
    made = [f"/v1/documents/{world.create_document()['externalId']}" for _ in range(3)]
    world.send("PATCH", made[0], {"title": "Changed"}).ok()
    assert world.send("DELETE", made[1]).status == 204
    world.refuses("POST", "/v1/documents", {}, at=("/type", "/title", "/ownerEmail", "/authorEmail"))
    world.wait_until(lambda: scrape(world).value("signalpost_attempts_total", outcome="delivered") == 5)
    # Of a document whose first event awaits a retry the later ones are sent all the same (C17).
    world.wait_until(lambda: scrape(world).value("signalpost_attempts_total", outcome="status") == 5)
    world.wait_until(lambda: scrape(world).value("signalpost_attempts_unrecorded") == 0)
    assert [world.get(f"/v1/subscriptions/{each['id']}").ok()["health"]["lag"] for each in (well, failing, paused)] == [
        0, 0, 5,
    ]  # fmt: skip
    return world


def test_it_counts_events_by_their_type(busy: "World") -> None:
    metrics = scrape(busy)
    counted = [metrics.value("signalpost_events_total", type=each) for each in EVERYTHING]
    assert counted == [3, 1, 1]


def test_it_counts_attempts_by_what_came_of_them_and_how_long_they_took(busy: "World") -> None:
    metrics = scrape(busy)
    outcomes = {
        sample.labels["outcome"]: sample.value
        for sample in metrics.families["signalpost_attempts"].samples
        if sample.name == "signalpost_attempts_total"
    }
    assert set(outcomes) == {"delivered", *Failure}
    assert {outcome: count for outcome, count in outcomes.items() if count} == {"delivered": 5, "status": 5}
    assert metrics.value("signalpost_attempt_seconds_count", kind="webhook") == 10
    assert metrics.value("signalpost_attempt_seconds_bucket", kind="webhook", le="5.5") == 10
    assert metrics.value("signalpost_attempt_seconds_sum", kind="webhook") > 0


def test_it_says_how_long_after_its_event_each_delivery_arrived(busy: "World") -> None:
    metrics = scrape(busy)
    assert metrics.value("signalpost_delivery_seconds_count", kind="webhook") == 5
    assert metrics.value("signalpost_delivery_seconds_bucket", kind="webhook", le="21600.0") == 5
    assert metrics.value("signalpost_delivery_seconds_sum", kind="webhook") > 0


def test_it_counts_from_zero_what_should_not_happen(busy: "World") -> None:
    """A counter that appears with its first increase hides that from `rate` and `increase`."""
    metrics = scrape(busy)
    for name in ("deliveries_given_up", "deliveries_lost", "breaker_opened"):
        [sample] = [each for each in metrics.families[f"signalpost_{name}"].samples if each.name.endswith("_total")]
        assert sample.value == 0
    fetches = {each.labels["outcome"]: each.value for each in metrics.families["signalpost_token_fetches"].samples}
    assert fetches == {"granted": 0, "refused": 0, "unanswered": 0}


def test_it_counts_commits_and_records(busy: "World") -> None:
    metrics = scrape(busy)
    assert 8 <= metrics.value("signalpost_commit_seconds_count") <= 9, "eight changes, and one that was refused"
    assert metrics.value("signalpost_record_seconds_count") >= 1
    assert metrics.value("signalpost_commit_seconds_sum") > 0


def test_it_counts_requests_by_method_route_and_status(busy: "World") -> None:
    metrics = scrape(busy)

    def answers(method: str, route: str, status: str) -> float:
        return metrics.value("signalpost_requests_total", method=method, route=route, status=status)

    assert answers("POST", "/v1/documents", "201") == 3
    assert answers("POST", "/v1/documents", "422") == 1
    assert answers("PATCH", "/v1/documents/{externalId}", "200") == 1
    assert answers("DELETE", "/v1/documents/{externalId}", "204") == 1
    assert metrics.value("signalpost_request_seconds_count", method="POST", route="/v1/documents") == 4


def test_whatever_is_asked_for_makes_no_time_series_of_its_own(busy: "World") -> None:
    for method in ("TRACE", "PROPFIND", "PURGE"):
        assert busy.send("GET", f"/nowhere/{method}").status == 404
        assert busy.send(method, "/v1/documents").status == 405
    metrics = scrape(busy)
    assert metrics.value("signalpost_requests_total", method="GET", route="none", status="404") == 3
    assert metrics.value("signalpost_requests_total", method="other", route="none", status="405") == 3
    assert "PURGE" not in metrics.text


def test_a_scan_without_a_key_adds_next_to_nothing_to_the_metrics(busy: "World") -> None:
    """Otherwise each path of the API with each method would have a time series for each bucket of its histogram."""

    def series() -> int:
        return sum(not line.startswith("#") for line in scrape(busy).text.splitlines())

    paths = [path.replace("{", "").replace("}", "") for path in busy.get("/openapi.json").ok()["paths"]]
    before = series()
    for path in paths:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            assert busy.send(method, path, headers={"authorization": None}).status < 500
    assert len(paths) > 60
    assert series() - before < 200


def test_it_says_how_subscriptions_and_their_lanes_stand(busy: "World") -> None:
    metrics = scrape(busy)
    states = {s.labels["state"]: s.value for s in metrics.families["signalpost_subscriptions"].samples}
    assert states == {"healthy": 1, "failing": 1, "breaker_open": 0, "paused": 1, "disabled": 0}
    assert metrics.value("signalpost_lag_events", status="active") == 0
    assert metrics.value("signalpost_lag_events", status="paused") == 5
    assert metrics.value("signalpost_lag_most_events", status="paused") == 5
    assert metrics.value("signalpost_deliveries_awaiting_retry") == 5
    assert metrics.value("signalpost_oldest_pending_seconds") == 0, "what is paused waits on purpose"
    assert metrics.value("signalpost_accepting") == 1
    for nothing in ("attempts_in_flight", "attempts_unrecorded", "commands_waiting", "recording_failing"):
        assert f"signalpost_{nothing}" in metrics.families
        assert metrics.value(f"signalpost_{nothing}") == 0


def test_it_says_how_old_the_oldest_pending_event_is(make_world: Callable[..., "World"], url: str) -> None:
    world = make_world(allow_targets=parse_allow_targets(url))
    slow = world.create_subscription(url=f"{url}/200", rateLimit=1, status="active")
    for _ in range(20):
        world.create_document()
    world.wait_until(lambda: scrape(world).value("signalpost_oldest_pending_seconds") > 0.2)
    metrics = scrape(world)
    assert metrics.value("signalpost_lag_events", status="active") >= 1
    world.send("PATCH", f"/v1/subscriptions/{slow['id']}", {"status": "paused"}).ok()
    assert scrape(world).value("signalpost_oldest_pending_seconds") == 0


def test_it_says_what_takes_room_and_what_runs(busy: "World") -> None:
    database: Path = database_file(busy.settings.data_dir)
    busy.wait_until(lambda: scrape(busy).value("signalpost_database_bytes") == database.stat().st_size)
    metrics = scrape(busy)
    assert metrics.value("signalpost_wal_bytes") > 0
    assert metrics.value("signalpost_disk_free_bytes") > 1e6
    assert metrics.value("signalpost_log_cache_bytes") > 5 * 500
    assert metrics.families["signalpost_build_info"].samples[0].labels["version"] == VERSION
    assert metrics.value("process_resident_memory_bytes") > 1e6
    assert metrics.value("process_start_time_seconds") > 1e9
    assert metrics.value("process_open_fds") > 5


def test_openmetrics_is_answered_to_who_asks_for_it(busy: "World") -> None:
    """With what Prometheus sends; everybody else gets the text format."""
    asks = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,*/*;q=0.1"
    answer = busy.get("/metrics", accept=asks)
    assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    text = answer.body.decode()
    assert text.endswith("# EOF\n")
    families = {family.name for family in openmetrics_to_families(text)}  # type: ignore[no-untyped-call]
    assert families - {"signalpost_build"} <= {each.removesuffix("_info") for each in scrape(busy).families}
    assert {"signalpost_delivery_seconds", "signalpost_events", "process_resident_memory_bytes"} <= families
    for accept in ("*/*", "text/plain", ""):
        assert busy.get("/metrics", accept=accept).headers["content-type"].startswith("text/plain; version=0.0.4")


def test_it_says_how_late_the_event_loop_is(busy: "World") -> None:
    busy.wait_until(lambda: scrape(busy).value("signalpost_loop_delay_seconds_count") > 3)
    assert scrape(busy).value("signalpost_loop_delay_seconds_bucket", le="+Inf") > 3


def test_tenants_that_are_named_have_metrics_of_their_own_and_all_others_share_one(
    make_world: Callable[..., "World"], url: str
) -> None:
    world = make_world(allow_targets=parse_allow_targets(url), metrics_tenants=("acme", "default", "nobody"))
    subscription = {"url": f"{url}/500", "eventTypes": ["documentCreated"], "retryDelays": []}
    for name, count in (("acme", 1), ("beta", 2), ("gamma", 3)):
        world.send("POST", "/v1/tenants", {"name": name}).ok(201)
        there = {"signalpost-tenant": name}
        if name != "beta":
            world.send("POST", "/v1/subscriptions", subscription, there).ok(201)
        for _ in range(count):
            world.send("POST", "/v1/documents", world.document, there).ok(201)

    def values(metric: str) -> dict[str, float]:
        return {each.labels["tenant"]: each.value for each in scrape(world).families[metric].samples}

    world.wait_until(lambda: values("signalpost_tenant_deliveries_failed") == {"acme": 1, "default": 0, "other": 3})
    assert values("signalpost_tenant_events") == {"acme": 1, "default": 0, "other": 5}
    assert values("signalpost_tenant_lag_events") == {"acme": 0, "default": 0, "other": 0}
    assert values("signalpost_tenant_oldest_pending_seconds") == {"acme": 0, "default": 0, "other": 0}


def test_the_page_of_metrics_has_each_once(busy: "World") -> None:
    """A metric that only some gateways have is found where families are made."""
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    told = re.findall(
        r"`(signalpost_[a-z_]+?)(?:_total|_info)?(?:\{[a-z,]+\})?`",
        "".join(re.findall(r"^\| `.*? \|", page, re.MULTILINE)),
    )
    made = (ROOT / "gateway/src/signalpost/api/metric_families.py").read_text(encoding="utf-8")
    assert sorted(told) == sorted(set(re.findall(r'(?<=\W)"(signalpost_[a-z_]+)"', made)))
    served = {name for name in scrape(busy).families if name.startswith("signalpost_")}
    assert {name.removesuffix("_info") for name in served} <= set(told)


def test_names_and_units_follow_the_conventions(busy: "World") -> None:
    for family in scrape(busy).families.values():
        assert family.documentation
        assert re.fullmatch(r"(signalpost|process)_[a-z_]+", family.name)
        if family.type == "histogram":
            assert family.name.endswith("_seconds")
        if family.type == "counter":
            assert not family.name.endswith("_total"), "the parser takes it off"


def test_no_label_tells_who_or_what(busy: "World") -> None:
    """A series per subscription, document or tenant would outgrow any Prometheus, and be read without a key."""
    text = scrape(busy).text
    labels = {name for family in Metrics(text).families.values() for s in family.samples for name in s.labels}
    assert labels == {"le", "kind", "method", "route", "status", "state", "type", "outcome", "version", "python"}
    for secret in (busy.key, "127.0.0.1", "default", "An agreement"):
        assert secret not in text
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}", text)
