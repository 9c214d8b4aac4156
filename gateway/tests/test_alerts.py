"""The alerts of `deploy/prometheus/` fire when they should, name metrics that there are, and each has its heading in
the guide."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from gateway.tests.prometheus import PROMTOOL, ROOT, needs_prometheus

FOLDER = ROOT / "deploy" / "prometheus"
GUIDE = (ROOT / "docs" / "guides" / "alerts.md").read_text(encoding="utf-8")
METRICS = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
RULES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"][0]["rules"]
NAMES = [rule["alert"] for rule in RULES]
TESTS: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts_test.yml").read_text())["tests"]
CASES = [case for test in TESTS for case in test["alert_rule_test"]]


def test_each_alert_has_its_heading_in_the_guide_and_each_heading_its_alert() -> None:
    assert re.findall(r"^## (\w+)$", GUIDE, re.MULTILINE) == NAMES
    for rule in RULES:
        assert rule["annotations"]["runbook_url"].endswith(f"/docs/guides/alerts.md#{rule['alert'].lower()}")
        assert rule["labels"]["severity"] in ("page", "ticket")


@pytest.mark.parametrize("name", NAMES)
def test_the_guide_says_what_an_alert_means_what_to_look_at_and_what_to_do(name: str) -> None:
    [said] = re.findall(rf"^## {name}\n\n(.*?)(?=^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL)
    assert [paragraph.split("*")[1].rstrip(":") for paragraph in said.strip().split("\n\n")] == [
        "Means",
        "Look at",
        "Do",
    ]


def test_alerts_name_metrics_that_there_are() -> None:
    there = {name.removesuffix("_bucket") for name in re.findall(r"signalpost_[a-z_]+", METRICS)}
    for rule in RULES:
        named = {name.removesuffix("_bucket") for name in re.findall(r"signalpost_[a-z_]+", rule["expr"])}
        assert named <= there, rule["alert"]


def test_each_alert_is_tried_where_it_must_fire_and_where_it_must_not() -> None:
    assert {case["alertname"] for case in CASES if "exp_alerts" in case} == set(NAMES)
    quiet = {case["alertname"] for case in CASES if "exp_alerts" not in case}
    assert set(NAMES) - quiet == set()


@needs_prometheus
@pytest.mark.parametrize(
    "asked", [("check", "config", "prometheus.yml"), ("check", "rules", "--lint-fatal", "alerts.yml")]
)
def test_promtool_finds_nothing_wrong(asked: tuple[str, ...]) -> None:
    assert _promtool(*asked).returncode == 0


@needs_prometheus
@pytest.mark.slow
def test_alerts_fire_when_they_should_and_are_quiet_when_they_should_not() -> None:
    """Several seconds of CPU: each rule is judged every 15 s of some 12 hours."""
    done = _promtool("test", "rules", "alerts_test.yml")
    assert done.returncode == 0, done.stderr


def _promtool(*arguments: str) -> "subprocess.CompletedProcess[str]":
    assert PROMTOOL is not None
    settings = {**os.environ, "GOGC": "400"}  # memory for time: it collects garbage less often
    return subprocess.run(
        [PROMTOOL, *arguments], cwd=Path(FOLDER), env=settings, capture_output=True, text=True, check=False
    )
