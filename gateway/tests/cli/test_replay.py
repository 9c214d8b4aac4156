import pytest
from gateway.tests.acceptance.client import until
from gateway.tests.cli.command import Endpoint, Run, create, json_of

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
    assert json_of(run("replay", "list", subscription, "--json")) == [made]
    assert json_of(run("replay", "get", subscription, made["id"], "--json")) == made
    assert "state           finished\n" in run("replay", "get", subscription, made["id"]).stdout


@pytest.mark.usefixtures("failed")
def test_every_subscription_that_has_any_is_replayed(run: Run, subscription: str, endpoint: Endpoint) -> None:
    idle = json_of(run("subscriptions", "create", endpoint.url, "--json"))["id"]
    shown = run("replay", *AGO, "--failed", "--dry-run").stdout
    assert subscription in shown
    assert idle not in shown
    made = json_of(run("replay", *AGO, "--failed", "--wait", "--json"))
    assert [(each["subscriptionId"], each["state"], each["count"]) for each in made] == [(subscription, "finished", 2)]
    until(lambda: len(json_of(run("deliveries", "list", subscription, "--status", "delivered", "--json"))) == 2)
    assert run("replay", *AGO, "--failed").stdout == "Nothing to send again.\n"
    run("subscriptions", "delete", idle)


def test_what_was_delivered_is_sent_again_too(run: Run, subscription: str, endpoint: Endpoint) -> None:
    create(run)
    until(lambda: json_of(run("deliveries", "list", subscription, "--status", "delivered", "--json")))
    assert subscription in run("replay", subscription, *AGO, "--all").stdout
    until(lambda: len(endpoint.headers) == 2)


def test_a_replay_is_cancelled(run: Run, subscription: str) -> None:
    create(run)
    until(lambda: json_of(run("deliveries", "list", subscription, "--status", "delivered", "--json")))
    made = json_of(run("replay", subscription, *AGO, "--all", "--json"))
    assert run("replay", "cancel", subscription, made["id"]).stdout.startswith("It is ")
    assert json_of(run("replay", "get", subscription, made["id"], "--json"))["state"] in ("cancelled", "finished")


def test_what_is_not_there_or_wrong_is_said(run: Run, subscription: str, document: str) -> None:
    assert "--failed, or --all" in run("replay", *AGO, code=1).stderr
    assert "--failed, or --all" in run("replay", *AGO, "--failed", "--all", code=1).stderr
    assert "--since" in run("replay", "--failed", code=2).stderr
    assert "signalpost subscriptions list" in run("replay", document, *AGO, "--failed", code=1).stderr
    assert "signalpost replay list" in run("replay", "get", subscription, document, code=1).stderr
    assert "signalpost replay list" in run("replay", "cancel", subscription, document, code=1).stderr
    assert run("replay", "list", subscription).stdout == "No replays.\n"
    backwards = run("replay", subscription, "--since", "2026-01-02", "--until", "2026-01-01", "--all", code=1).stderr
    assert "  --until: " in backwards or "  --since: " in backwards
