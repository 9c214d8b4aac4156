import pytest
from gateway.tests.cli.command import Run, json_of

pytestmark = pytest.mark.slow
SCENES = ["--runs", "1", "--events", "400", "--duration", "1", "--documents", "50"]


def test_every_scene_is_measured_and_checked(run: Run) -> None:
    found = json_of(run("bench", *SCENES, "--json"))
    scenes = found["scenes"]
    assert len(scenes) >= 6
    for title, measured in scenes.items():
        assert measured["rate"] > 0, title
        assert measured["cpu_us"] > 0, title
    latency = scenes["latency at 100/s"]
    assert 0 < latency["p50_ms"] <= latency["p99_ms"] <= latency["worst_ms"]
    assert found["machine"]["cores"] >= 1


def test_a_table_says_what_share_of_the_limit_a_rate_is(run: Run) -> None:
    shown = run("bench", *SCENES, "--only", "limit", "--only", "engine", "--fan-out", "3", "--tls").stdout
    assert "of limit" in shown
    assert "100.0%" in shown
    assert "Every event arrived once, verified, in the order of its document." in shown


def test_what_cannot_be_measured_together_is_said(run: Run) -> None:
    assert "--only engine" in run("bench", "--tenants", "2", "--only", "api", code=1).stderr
