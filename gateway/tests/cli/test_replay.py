import signal
import subprocess
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from gateway.tests.acceptance.client import until
from gateway.tests.api.stream import PATH as IMPORT
from gateway.tests.api.stream import line
from gateway.tests.bodies import ONE_IN_A_PART
from gateway.tests.cli.command import SIGNALPOST, Endpoint, Run, create, environment, json_of
from gateway.tests.patience import PATIENCE

from signalpost.api.resources.planned_replays import MAX_PARTS_ASKED
from signalpost.domain.delivery.replay import MAX_RUNNING

pytestmark = pytest.mark.slow
AGO = ("--since", "1h")


@pytest.fixture
def failed(run: Run, subscription: str, endpoint: Endpoint) -> list[str]:
    """Documents whose events the endpoint, which works again, did not take."""
    endpoint.status = 500
    documents = [create(run), create(run)]
    until(lambda: len(json_of(run("deliveries", "list", subscription, "--status", "failed", "--json"))) == 2)
    endpoint.status = 200
    return documents


@pytest.mark.usefixtures("failed")
def test_what_failed_is_counted_sent_again_and_waited_for(run: Run, subscription: str) -> None:
    counted = run("replay", subscription, *AGO, "--failed", "--dry-run").stdout
    assert counted.split() == ["subscription", "deliveries", subscription, "2"]
    assert len(json_of(run("deliveries", "list", subscription, "--status", "failed", "--json"))) == 2
    made = json_of(run("replay", subscription, *AGO, "--failed", "--wait", "--json"))
    assert (made["state"], made["queued"], made["count"]) == ("finished", 2, 2)
    until(lambda: len(json_of(run("deliveries", "list", subscription, "--status", "delivered", "--json"))) == 2)
    assert made["id"] in run("replay", "list", subscription).stdout
    made |= {"delivered": 2, "waiting": 0}
    until(lambda: json_of(run("replay", "list", subscription, "--json")) == [made])
    assert [
        each["id"] for each in json_of(run("replay", "list", "--json")) if each["subscriptionId"] == subscription
    ] == [made["id"]]
    assert json_of(run("replay", "get", subscription, made["id"], "--json")) == made
    assert "state           finished\n" in run("replay", "get", subscription, made["id"]).stdout


def test_a_type_or_a_document_narrows_what_is_sent_again(run: Run, subscription: str, failed: list[str]) -> None:
    def counted(*narrower: str) -> list[str]:
        return run("replay", subscription, *AGO, "--failed", "--dry-run", *narrower).stdout.splitlines()[1].split()

    assert counted("--document", failed[0]) == [subscription, "1"]
    assert counted("--type", "documentCreated", "--type", "documentDeleted") == [subscription, "2"]
    assert counted("--type", "documentDeleted") == [subscription, "0"]
    refused = run("replay", subscription, *AGO, "--failed", "--type", "documentGone", code=1)
    assert "--type" in refused.stderr


def test_a_replay_may_begin_at_an_event(run: Run, subscription: str, failed: list[str]) -> None:
    [*_, last] = json_of(run("events", "list", "--json"))
    counted = run("replay", subscription, "--from-event", str(last["sequence"]), "--failed", "--dry-run")
    assert counted.stdout.splitlines()[1].split() == [subscription, "1"]
    assert len(failed) == 2
    for beginning in ((), (*AGO, "--from-event", "1")):
        assert "--since or --from-event" in run("replay", subscription, *beginning, "--failed", code=2).stderr


def test_what_waits_is_left_out_unless_it_is_asked_for(run: Run, subscription: str, endpoint: Endpoint) -> None:
    run("subscriptions", "update", subscription, "--retry-delays", "3600")
    endpoint.status = 500
    create(run)
    until(lambda: json_of(run("deliveries", "list", subscription, "--status", "retrying", "--json")))
    endpoint.status = 200
    assert "Left out: 1 that still wait" in run("replay", subscription, *AGO, "--failed").stdout
    made = json_of(run("replay", subscription, *AGO, "--waiting", "--wait", "--json"))
    assert (made["status"], made["queued"], made["count"]) == ("waiting", 1, 1)
    until(lambda: json_of(run("deliveries", "list", subscription, "--status", "delivered", "--json")))


@pytest.mark.usefixtures("failed")
def test_every_subscription_that_has_any_is_replayed(run: Run, subscription: str, endpoint: Endpoint) -> None:
    idle = json_of(run("subscriptions", "create", endpoint.url, "--json"))["id"]
    shown = run("replay", *AGO, "--failed", "--dry-run").stdout
    assert subscription in shown
    assert idle not in shown
    made = json_of(run("replay", *AGO, "--failed", "--wait", "--json"))
    assert [(each["subscriptionId"], each["state"], each["count"]) for each in made] == [(subscription, "finished", 2)]
    until(lambda: len(json_of(run("deliveries", "list", subscription, "--status", "delivered", "--json"))) == 2)
    assert run("replay", *AGO, "--failed").stdout == "There is nothing to resend.\n"
    run("subscriptions", "delete", idle)


def test_a_subscription_of_whose_events_those_that_were_asked_do_not_meet_the_condition_is_replayed(
    run: Run, subscription: str, data_dir: Path
) -> None:
    """What comes behind them may."""
    url, key = ((data_dir / name).read_text().strip() for name in ("address", "operator-key"))
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    when = b'{"when": {"field": "document.title", "is": "something else"}}'
    urlopen(Request(f"{url}/v1/subscriptions/{subscription}", when, headers, method="PATCH")).close()
    lines = b"".join(line(number, additionalFacts=ONE_IN_A_PART) for number in range(MAX_PARTS_ASKED + 1))
    with urlopen(Request(url + IMPORT, lines, {**headers, "content-type": "application/x-ndjson"})) as answer:
        assert len(answer.readlines()) == MAX_PARTS_ASKED + 1
    skipped = ("deliveries", "list", subscription, "--status", "skipped", "--limit", "100", "--json")
    until(lambda: len(json_of(run(*skipped))) == MAX_PARTS_ASKED + 1)
    counted = run("replay", *AGO, "--all", "--dry-run").stdout
    assert f"{subscription} 0 or more" in " ".join(counted.split())
    assert subscription in run("replay", *AGO, "--all").stdout


def test_what_was_delivered_is_sent_again_too(run: Run, subscription: str, endpoint: Endpoint) -> None:
    create(run)
    until(lambda: json_of(run("deliveries", "list", subscription, "--status", "delivered", "--json")))
    assert subscription in run("replay", subscription, *AGO, "--all").stdout
    until(lambda: len(endpoint.headers) == 2)


@pytest.fixture
def paused(run: Run, subscription: str) -> str:
    """A subscription that got an event and is paused: its replays wait."""
    create(run)
    until(lambda: json_of(run("deliveries", "list", subscription, "--status", "delivered", "--json")))
    run("subscriptions", "pause", subscription)
    return subscription


def test_a_replay_is_cancelled(run: Run, paused: str) -> None:
    made = json_of(run("replay", paused, *AGO, "--all", "--json"))
    assert run("replay", "cancel", paused, made["id"]).stdout == "It is cancelled: 0 of 1 were queued.\n"
    assert json_of(run("replay", "get", paused, made["id"], "--json"))["state"] == "cancelled"
    again = run("replay", "cancel", paused, made["id"], code=1).stderr
    assert again == "signalpost: The replay is cancelled: there is nothing left to cancel.\n"


def test_a_replay_goes_on_when_nobody_waits_for_it_any_more(run: Run, paused: str, data_dir: Path) -> None:
    waiting = subprocess.Popen(
        [SIGNALPOST, "replay", paused, *AGO, "--all", "--wait"],
        env=environment(SIGNALPOST_DATA_DIR=str(data_dir)),
    )
    until(lambda: json_of(run("replay", "list", paused, "--json")))
    waiting.send_signal(signal.SIGINT)
    assert waiting.wait(PATIENCE) == 130
    [made] = json_of(run("replay", "list", paused, "--json"))
    assert made["state"] == "running"


def test_a_subscription_that_takes_no_more_is_left_out_and_named(run: Run, paused: str, data_dir: Path) -> None:
    url, key = ((data_dir / name).read_text().strip() for name in ("address", "operator-key"))
    asked = Request(
        f"{url}/v1/subscriptions/{paused}/replays",
        b'{"from": "2026-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "status": "all"}',
        {"authorization": f"Bearer {key}", "content-type": "application/json"},
    )
    for _ in range(MAX_RUNNING):
        urlopen(asked).close()
    refused = run("replay", *AGO, "--all", code=1)
    assert f"Some subscriptions were left out:\n  {paused}: {MAX_RUNNING} replays" in refused.stderr


def test_what_is_not_there_or_wrong_is_said(run: Run, subscription: str, document: str) -> None:
    assert "--failed, --waiting, or --all" in run("replay", *AGO, code=2).stderr
    assert "--failed, --waiting, or --all" in run("replay", *AGO, "--failed", "--all", code=2).stderr
    assert "--since" in run("replay", "--failed", code=2).stderr
    assert "signalpost subscriptions list" in run("replay", document, *AGO, "--failed", code=1).stderr
    assert "signalpost replay list" in run("replay", "get", subscription, document, code=1).stderr
    assert "signalpost replay list" in run("replay", "cancel", subscription, document, code=1).stderr
    assert run("replay", "list", subscription).stdout == "No replays.\n"
    backwards = run("replay", subscription, "--since", "2026-01-02", "--until", "2026-01-01", "--all", code=1).stderr
    assert "  --until: " in backwards or "  --since: " in backwards
