"""Dashboards and alerts beside a real Prometheus: it scrapes two nodes on a PostgreSQL, with endpoints that are good,
slow and failing, and a gateway on SQLite that speaks TLS. No expression has an error, and none is empty."""

import importlib.util
import json
import re
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml  # type: ignore[import-untyped]
from gateway.tests.acceptance.client import until
from gateway.tests.acceptance.conftest import Endpoints
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.acceptance.receiver import FAIL, OK, Answer
from gateway.tests.acceptance.test_fleet import Nodes
from gateway.tests.acceptance.test_fleet import nodes as nodes  # a fixture
from gateway.tests.cli import command
from gateway.tests.cli.test_serve_tls import write_pair
from gateway.tests.prometheus import PROMETHEUS, ROOT, needs_prometheus

from signalpost_bench.free_port import free_port

GRAFANA = ROOT / "deploy" / "grafana"
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
FILES = ("gateway.json", "endpoints.json", "fleet.json")
JOBS = ("signalpost", "signalpost-alone")
PUBLISH_EVERY = 0.05


def maker(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(GRAFANA)  # as for a script that is run
    spec = importlib.util.spec_from_file_location("make_dashboards", GRAFANA / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def panels(file: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((GRAFANA / file).read_text())["panels"]
    return found


def expressions() -> list[str]:
    """Every expression of every panel, once."""
    targets = (target for file in FILES for panel in panels(file) for target in panel.get("targets", ()))
    return list(dict.fromkeys(target["expr"] for target in targets))


def test_the_dashboards_are_what_their_maker_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    made = maker(monkeypatch)
    assert tuple(dashboard.file for dashboard in made.DASHBOARDS) == FILES
    for dashboard in made.DASHBOARDS:
        said = (GRAFANA / dashboard.file).read_text(encoding="utf-8")
        assert said == made.text(dashboard), "run: .venv/bin/python deploy/grafana/make.py"


@pytest.mark.parametrize("file", FILES)
def test_no_panel_lies_on_another_and_each_says_what_it_measures_in(file: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels(file):
        place = panel["gridPos"]
        squares = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not squares & taken, panel["title"]
        assert max(x for x, _ in squares) < 24, panel["title"]
        taken |= squares
    assert len({panel["id"] for panel in panels(file)}) == len(panels(file))
    assert all(panel["fieldConfig"]["defaults"]["unit"] for panel in panels(file) if panel["type"] != "row")


def test_dashboards_name_metrics_that_there_are() -> None:
    there = set(re.findall(r"signalpost_[a-z_]+", (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")))
    for expression in expressions():
        for name in re.findall(r"signalpost_[a-z_]+", expression):
            assert name in there or re.sub(r"_(bucket|count|sum)$", "", name) in there, expression


class Prometheus:
    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1"

    def ask(self, path: str, **given: str) -> Any:
        asked = urllib.parse.urlencode(given)
        with urllib.request.urlopen(f"{self._url}/{path}?{asked}") as answer:
            said = json.loads(answer.read())
        assert said["status"] == "success", said
        return said["data"]

    def answers(self) -> bool:
        try:
            return bool(self.ask("status/runtimeinfo"))
        except OSError:
            return False

    def is_empty(self, expression: str, job: str) -> bool:
        """Whether it gives nothing to draw: no series, or only such that are no number."""
        filled = expression.replace("$job", job).replace("$instance", ".*").replace("$__rate_interval", "10s")
        assert "$" not in filled
        return all(series["value"][1] == "NaN" for series in self.ask("query", query=filled)["result"])


@contextmanager
def prometheus(folder: Path, targets: dict[str, list[int]], tls: str) -> Iterator[Prometheus]:
    """One that scrapes the ports of each job every second, one of them by TLS, and judges our alerts."""
    assert PROMETHEUS is not None
    scrapes = [
        {
            "job_name": job,
            "scheme": "https" if job == tls else "http",
            "tls_config": {"insecure_skip_verify": job == tls},
            "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in ports]}],
        }
        for job, ports in targets.items()
    ]
    every = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config = folder / "prometheus.yml"
    config.write_text(yaml.safe_dump({"global": every, "rule_files": [str(ALERTS)], "scrape_configs": scrapes}))
    port = free_port()
    arguments = [
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([PROMETHEUS, *arguments], stdout=log, stderr=log)
    try:
        started = Prometheus(port)
        until(started.answers, lambda: (folder / "log").read_text())
        yield started
    finally:
        process.kill()
        process.wait()


@contextmanager
def publishing(gateways: list[GatewayProcess]) -> Iterator[None]:
    """Documents are created, by turns at each gateway."""
    over = threading.Event()

    def publish() -> None:
        number = 0
        while not over.wait(PUBLISH_EVERY):
            gateways[number % len(gateways)].api.create()
            number += 1

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def alone(folder: Path, authority: trustme.CA, port: int) -> Iterator[None]:
    """A gateway on SQLite that speaks TLS and has a worker and a backup."""
    folder.mkdir()
    cert, key = write_pair(authority.issue_cert("localhost"), folder)
    flags = {"--tls-cert": cert, "--tls-key": key, "--metrics-port": port, "--processes": 2}
    with command.gateway(folder / "data", *(str(part) for pair in flags.items() for part in pair)):
        command.run("db", "backup", str(folder / "copy"), "--data-dir", str(folder / "data"))
        yield


@needs_prometheus
@pytest.mark.slow
def test_every_expression_has_an_answer_beside_gateways_at_work(
    nodes: Nodes, endpoint: Endpoints, authority: trustme.CA, tmp_path: Path
) -> None:
    ports = {JOBS[0]: [free_port(), free_port()], JOBS[1]: [free_port()]}
    fleet = [nodes(metrics_port=str(port), metrics_tenants="default") for port in ports[JOBS[0]]]
    for answer in (OK, OK, Answer(after=0.3), FAIL):
        fleet[0].api.subscribe(endpoint(answer).url, eventTypes=["documentCreated"], retryDelays=[1])
    with ExitStack() as running:
        running.enter_context(alone(tmp_path / "alone", authority, ports[JOBS[1]][0]))
        running.enter_context(publishing(fleet))
        (tmp_path / "prometheus").mkdir()
        asked = running.enter_context(prometheus(tmp_path / "prometheus", ports, JOBS[1]))
        left = expressions()

        def all_have_answers() -> bool:
            left[:] = [each for each in left if all(asked.is_empty(each, job) for job in JOBS)]
            return not left

        until(all_have_answers, lambda: "\n".join(left))
        for expression in expressions():
            for job in JOBS:
                asked.is_empty(expression, job)
        rules = [rule for group in asked.ask("rules")["groups"] for rule in group["rules"]]
        assert [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"] == []
        assert [rule["name"] for rule in rules if rule["state"] == "firing"] == []
