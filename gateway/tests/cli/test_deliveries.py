import re
from pathlib import Path
from typing import Any

import pytest
from gateway.tests.acceptance.client import until
from gateway.tests.cli.command import Endpoint, Run, create, following, json_of

pytestmark = pytest.mark.slow


def test_a_failing_delivery_is_found_explained_and_retried(run: Run, subscription: str, endpoint: Endpoint) -> None:
    endpoint.status = 500
    document = create(run)
    [delivery] = until(lambda: json_of(run("deliveries", "list", subscription, "--status", "failed", "--json")))
    event = delivery["eventId"]
    assert (delivery["externalId"], delivery["subscriptionId"]) == (document, subscription)
    shown = run("deliveries", "get", subscription, event).stdout
    assert re.search(r"^status +failed$", shown, re.MULTILINE)
    assert shown.count("  500     ") == 2, "both attempts"
    endpoint.status = 200
    assert run("deliveries", "retry", subscription, event).stdout == (
        f"It is being sent again. See how it went: signalpost deliveries get {subscription} {event}\n"
    )
    until(lambda: json_of(run("deliveries", "get", subscription, event, "--json"))["status"] == "delivered")
    assert re.search(
        r"operator asked at 20[-0-9T:]+Z to have it sent now\.$",
        run("deliveries", "get", subscription, event).stdout.strip(),
    )


def test_what_waits_behind_a_delivery_is_counted_with_it(run: Run, subscription: str) -> None:
    run("subscriptions", "pause", subscription)
    document = create(run)
    run("documents", "update", document, "--set", "title=Another")
    [_, first] = json_of(run("deliveries", "list", subscription, "--status", "pending", "--json"))
    shown = run("deliveries", "get", subscription, first["eventId"]).stdout
    assert re.search(r"^behind it +1 newer of its document$", shown, re.MULTILINE)
    run("subscriptions", "resume", subscription)


def test_deliveries_are_found_by_each_filter_of_one_subscription_and_across(run: Run, subscription: str) -> None:
    document = create(run)
    create(run)
    until(lambda: len(json_of(run("deliveries", "list", subscription, "--status", "delivered", "--json"))) == 2)
    for place in ((subscription,), ()):
        for options in (("--event-type", "documentCreated"), ("--since", "2h"), ("--until", "2100-01-01")):
            found = json_of(run("deliveries", "list", *place, "--document", document, *options, "--json"))
            assert [each["externalId"] for each in found if each["subscriptionId"] == subscription] == [document]
        for options in (("--event-type", "documentDeleted"), ("--until", "2h"), ("--since", "2100-01-01T00:00:00Z")):
            assert run("deliveries", "list", *place, "--document", document, *options).stdout == "No such deliveries.\n"
    assert subscription in run("deliveries", "list", "--document", document).stdout
    assert subscription not in run("deliveries", "list", subscription).stdout


def test_what_is_not_there_or_wrong_is_said(run: Run, subscription: str, document: str) -> None:
    assert "List them: signalpost subscriptions list" in run("deliveries", "list", "x y", code=1).stderr
    assert "  --document: This must be a UUID" in run("deliveries", "list", "--document", "x", code=1).stderr
    missing = run("deliveries", "get", subscription, document, code=1).stderr
    assert "List them: signalpost deliveries list" in missing
    assert run("deliveries", "list", subscription, "--status", "failed").stdout == "No such deliveries.\n"
    run("subscriptions", "pause", subscription)
    event = json_of(run("events", "list", "--document", document, "--json"))[0]["event"]["id"]
    assert "Resume it" in run("deliveries", "retry", subscription, event, code=1).stderr


def test_a_tail_shows_a_delivery_when_it_appears_and_whenever_its_state_changes(
    run: Run, subscription: str, endpoint: Endpoint, data_dir: Path
) -> None:
    run("subscriptions", "update", subscription, "--retry-delays", "3600")
    create(run, "before")
    endpoint.status = 500
    with following(data_dir, "deliveries", "tail", "--subscription", subscription) as next_line:
        document = create(run, "after")
        seen = [next_line()]
        while seen[-1]["status"] == "pending":  # it may be seen before its first attempt has ended
            seen.append(next_line())
        assert [(each["externalId"], each["status"]) for each in seen[-1:]] == [(document, "retrying")]
        endpoint.status = 200
        run("deliveries", "retry", subscription, seen[-1]["eventId"])
        while seen[-1]["status"] != "delivered":
            seen.append(next_line())
        assert {each["externalId"] for each in seen} == {document}
        others = {create(run), create(run)}
        delivered: set[str] = set()
        while delivered != others:
            line = next_line()
            if line["status"] == "delivered":
                delivered.add(line["externalId"])


def test_a_tail_of_one_state_shows_nothing_else(
    run: Run, subscription: str, endpoint: Endpoint, data_dir: Path
) -> None:
    with following(data_dir, "deliveries", "tail", "--status", "failed") as next_line:
        create(run)
        until(lambda: json_of(run("deliveries", "list", subscription, "--status", "delivered", "--json")))
        endpoint.status = 500
        document = create(run)
        line = next_line()
        assert (line["externalId"], line["status"], line["subscriptionId"]) == (document, "failed", subscription)


def test_a_tail_of_no_subscription_ends_at_once(run: Run) -> None:
    assert "no subscription" in run("deliveries", "tail", "--subscription", "x", code=1).stderr


def test_why_says_what_became_of_an_event_at_every_subscription(
    run: Run, subscription: str, endpoint: Endpoint
) -> None:
    endpoint.status = 500
    document = create(run)
    event = json_of(run("events", "list", "--document", document, "--json"))[0]["event"]["id"]
    until(lambda: outcome(run, event, subscription)["status"] == "failed")
    found = outcome(run, event, subscription)
    assert found["cause"]["code"] == "given_up"
    assert found["cause"]["detail"].startswith("It was given up after 2 attempts: The endpoint ")
    said = run("why", event, subscription).stdout
    assert found["cause"]["detail"] in said
    assert "The endpoint failed with an error." in said
    assert "tell the customer" in said
    assert "The endpoint failed with an error." in run("why", event).stdout
    assert f"{subscription}  failed  " in run("deliveries", "get", event).stdout
    assert json_of(run("deliveries", "get", event, "--json")) == json_of(run("why", event, "--json"))
    assert "List them: signalpost events list" in run("why", subscription, code=1).stderr
    assert "List them: signalpost subscriptions list" in run("why", event, event, code=1).stderr


def test_why_also_says_why_a_subscription_has_no_delivery(run: Run, document: str, subscription: str) -> None:
    event = json_of(run("events", "list", "--document", document, "--json"))[0]["event"]["id"]
    run("subscriptions", "update", subscription, "--event-type", "documentDeleted")
    later = create(run)
    missed = json_of(run("events", "list", "--document", later, "--json"))[0]["event"]["id"]
    found = outcome(run, missed, subscription)
    assert (found["status"], found["cause"]["code"]) == (None, "type_not_wanted")
    assert outcome(run, event, subscription)["cause"]["code"] == "subscribed_later"
    assert f"{subscription}  no delivery  " in run("why", event).stdout


def outcome(run: Run, event: str, subscription: str) -> dict[str, Any]:
    [found] = json_of(run("why", event, subscription, "--json"))
    assert found["subscriptionId"] == subscription
    return dict(found)


def test_status_shows_what_needs_attention(run: Run, subscription: str) -> None:
    before = run("status").stdout
    assert before.startswith("The gateway is ready.\n")
    run("subscriptions", "pause", subscription)
    create(run)
    until(lambda: behind(run, subscription) == 1)
    shown = run("status").stdout
    assert "1 paused" in shown
    assert subscription in shown


def behind(run: Run, subscription: str) -> int:
    found = json_of(run("status", "--json"))
    assert found["gateway"]["status"] == "ready"
    return next(int(each["behind"]) for each in found["subscriptions"] if each["subscription"] == subscription)


def test_what_needs_somebody_what_it_came_to_and_what_a_text_leads_to(
    run: Run, subscription: str, endpoint: Endpoint
) -> None:
    endpoint.status = 500
    document = create(run, "Overview of the matter")
    until(lambda: json_of(run("deliveries", "list", subscription, "--status", "failed", "--json")))
    said = run("overview").stdout
    assert f"{subscription}  given up  " in said or f"{subscription}  failing  " in said
    assert "signalpost why" in said
    assert "given up, 0 lost." in said
    assert json_of(run("overview", "--json"))["attention"]
    until(lambda: json_of(run("stats", subscription, "--json"))["total"]["failed"] == 1)  # they are written in a while
    assert "1 retried, 1 failed." in run("stats", subscription).stdout
    assert run("stats", "--from", "2d", "--to", "1d", "--step", "hour").stdout == "No attempts then.\n"
    assert document in run("search", "overview of").stdout
    assert [each["id"] for each in json_of(run("search", document, "--json"))] == [document]
    assert run("search", "nothing of the kind").stdout == "Nothing was found.\n"
