import re
from contextlib import closing
from functools import partial
from pathlib import Path

import apsw
import pytest
from gateway.tests.acceptance.client import until
from gateway.tests.cli import command
from gateway.tests.cli.command import NOWHERE, Endpoint, Run, create, json_of
from gateway.tests.sqlite_file import database_file

from signalpost.domain.delivery.receiver_cases import CASES, MENDS
from signalpost_receiver.sign import Signer

pytestmark = pytest.mark.slow


def test_a_subscription_is_made_listed_paused_resumed_changed_and_deleted(run: Run) -> None:
    made = json_of(
        run("subscriptions", "create", NOWHERE, "--event-type", "documentCreated", "--header", "x-a: b", "--json")
    )
    subscription = made["id"]
    assert made["secret"].startswith("whsec_")
    assert (made["eventTypes"], made["headers"]) == (["documentCreated"], {"x-a": None})
    assert subscription in run("subscriptions", "list").stdout
    assert run("subscriptions", "pause", subscription).stdout.startswith("Paused.")
    assert json_of(run("subscriptions", "get", subscription, "--json"))["status"] == "paused"
    assert json_of(run("subscriptions", "resume", subscription, "--json"))["status"] == "active"
    assert json_of(run("subscriptions", "pause", subscription, "--json"))["status"] == "paused"
    assert run("subscriptions", "resume", subscription).stdout.startswith("Resumed. Waiting events are being sent.")
    assert "secret" not in run("subscriptions", "get", subscription).stdout
    assert run("subscriptions", "delete", subscription).stdout == f"Deleted {subscription}.\n"
    gone = run("subscriptions", "get", subscription, code=1).stderr
    assert "no subscription" in gone
    assert "List them: signalpost subscriptions list" in gone


def test_a_new_subscription_begins_in_the_past_if_it_is_told_where(run: Run) -> None:
    for title in ("a", "b"):
        create(run, title)
    end = json_of(run("subscriptions", "create", NOWHERE, "--status", "paused", "--json"))["startsAfter"]
    for option, value in (("--starts-after", str(end - 1)), ("--starts-at", "1d")):
        made = json_of(run("subscriptions", "create", NOWHERE, "--status", "paused", option, value, "--json"))
        assert made["startsAfter"] < end
    beyond = run("subscriptions", "create", NOWHERE, "--starts-after", str(end + 1), "--dry-run", code=1).stderr
    assert f"  --starts-after: The log ends with event {end}." in beyond


def test_null_takes_a_condition_and_a_delay_away(run: Run, subscription: str) -> None:
    conditions = ("--when", '{"field": "document.status", "is": "executed"}', "--after", '{"seconds": 60}')
    changed = json_of(run("subscriptions", "update", subscription, *conditions, "--json"))
    assert changed["when"] is not None
    assert changed["after"] is not None
    changed = json_of(run("subscriptions", "update", subscription, "--when", "null", "--after", "null", "--json"))
    assert (changed.get("when"), changed.get("after")) == (None, None)


def test_the_backlog_is_skipped_with_a_resume(run: Run, subscription: str) -> None:
    run("subscriptions", "pause", subscription)
    done = run("subscriptions", "resume", subscription, "--skip-backlog")
    assert done.stdout.startswith("Resumed with future events only.")
    wrong = run("subscriptions", "resume", subscription, "--skip-backlog", code=1).stderr
    assert "  --skip-backlog: Only a resume can skip the backlog" in wrong


def test_everything_about_a_subscription_can_be_set_and_changed(run: Run) -> None:
    options = (
        "--name",
        "Ours",
        "--ordering",
        "strict",
        "--rate-limit",
        "5",
        "--retry-delays",
        "2, 4",
        "--status",
        "paused",
    )
    made = json_of(run("subscriptions", "create", NOWHERE, *options, "--header", "x-a: b", "--json"))
    assert [made[name] for name in ("name", "ordering", "rateLimit", "retryDelays", "status")] == [
        "Ours", "strict", 5, [2, 4], "paused",
    ]  # fmt: skip
    others = (
        "--name", "Yours", "--url", NOWHERE + "/x", "--event-type", "documentDeleted", "--ordering", "loose",
        "--rate-limit", "7", "--retry-delays", "1,2,3", "--status", "active", "--header", "x-b: c",
        "--contact", "a@example.com", "--contact", "b@example.com",
    )  # fmt: skip
    changed = json_of(run("subscriptions", "update", made["id"], *others, "--json"))
    fields = ("name", "url", "eventTypes", "ordering", "rateLimit", "retryDelays", "status", "headers")
    assert [changed[name] for name in fields] == [
        "Yours", NOWHERE + "/x", ["documentDeleted"], "loose", 7, [1, 2, 3], "active", {"x-b": None},
    ]  # fmt: skip
    assert changed["contacts"] == ["a@example.com", "b@example.com"]
    nothing = ("--no-rate-limit", "--no-headers", "--no-contacts", "--retry-delays", "")
    cleared = json_of(run("subscriptions", "update", made["id"], *nothing, "--json"))
    assert "contacts" not in cleared
    assert [cleared[name] for name in ("rateLimit", "headers", "retryDelays")] == [None, {}, []]
    run("subscriptions", "delete", made["id"])


def test_what_is_wrong_is_named_by_the_option_that_set_it(run: Run, subscription: str) -> None:
    options = (
        "--header",
        "content-length: 1",
        "--rate-limit",
        "0",
        "--retry-delays",
        "1,0",
        "--secret",
        "short",
        "--contact",
        "a",
    )
    wrong = run("subscriptions", "create", "http://192.0.2.1", *options, code=1).stderr
    for name in (
        "URL",
        "--header content-length",
        "--rate-limit",
        "--retry-delays entry 2",
        "--secret",
        "--contact entry 1",
    ):
        assert f"  {name}: " in wrong
    assert "  --url: " in run("subscriptions", "update", subscription, "--url", "ftp://x", code=1).stderr
    assert "  --overlap-hours: " in run("subscriptions", "rotate", subscription, "--overlap-hours", "-1", code=1).stderr
    assert "--event-type" in run("subscriptions", "create", NOWHERE, "--event-type", "created", code=2).stderr


def test_a_change_of_nothing_or_of_what_cannot_be_read_says_what_to_write(run: Run, subscription: str) -> None:
    for options, says in (
        ((), "Nothing to change"),
        (("--header", "x"), "Write --header 'name: value'"),
        (("--retry-delays", "soon"), "Write --retry-delays as seconds with commas"),
    ):
        assert says in run("subscriptions", "update", subscription, *options, code=2).stderr


def test_a_secret_is_rotated_and_promoted(run: Run, subscription: str) -> None:
    rotated = run("subscriptions", "rotate", subscription, "--overlap-hours", "48")
    assert "rotationEndsAt          20" in rotated.stdout
    assert "The secret is shown only this once" in rotated.stdout
    assert "A rotation is under way" in run("subscriptions", "rotate", subscription, code=1).stderr
    assert run("subscriptions", "promote", subscription).stdout.startswith("Promoted")
    assert "No rotation is in progress" in run("subscriptions", "promote", subscription, code=1).stderr
    given = run("subscriptions", "rotate", subscription, "--secret", "our own secret", "--overlap-hours", "0", "--json")
    assert json_of(given)["secret"] == "our own secret"
    assert json_of(given)["rotationEndsAt"] is None
    run("subscriptions", "rotate", subscription)
    assert "result      delivered\n" in run("subscriptions", "test", subscription, "--new-secret").stdout
    assert json_of(run("subscriptions", "promote", subscription, "--json"))["id"] == subscription


def test_a_new_subscription_is_checked_without_being_made(run: Run) -> None:
    before = run("subscriptions", "list", "--json").stdout
    checked = run("subscriptions", "create", NOWHERE, "--secret", "our own secret", "--dry-run")
    assert checked.stdout == "It would be accepted. Nothing was created.\n"
    assert json_of(run("subscriptions", "create", NOWHERE, "--dry-run", "--json")) == {"valid": True}
    wrong = run("subscriptions", "create", "ftp://x", "--rate-limit", "0", "--dry-run", code=1).stderr
    assert "  URL: " in wrong
    assert "  --rate-limit: " in wrong
    assert run("subscriptions", "list", "--json").stdout == before


def test_a_signature_is_checked_without_the_secret(run: Run, endpoint: Endpoint) -> None:
    secret = "a secret of ours"
    made = json_of(run("subscriptions", "create", endpoint.url, "--secret", secret, "--json"))["id"]
    body = '{"id":"8cfa669c-41cc-412c-858d-0374e2c007fc","title":"Größe"}'
    check = ("subscriptions", "check-signature", made, "--signature")
    fitting = Signer(secret).page_signature(body.encode())
    assert run(*check, fitting, stdin=body).stdout == "fits  plexus-webhook-signature\n  It fits the secret.\n"
    assert json_of(run(*check, fitting, "--json", stdin=body)) == {"fits": True, "detail": "It fits the secret."}
    other = run(*check, fitting.upper(), stdin=body, code=1)
    assert other.stdout.startswith("does not fit  plexus-webhook-signature\n  It is in upper case")
    assert "The signature does not match" in other.stderr
    assert json_of(run(*check, "0" * 128, "--json", stdin=body, code=1))["fits"] is False
    assert secret not in other.stdout + other.stderr
    run("subscriptions", "delete", made)


def test_a_signature_is_checked_against_an_event_as_it_is_sent(run: Run, subscription: str, endpoint: Endpoint) -> None:
    create(run, title="Größe")
    until(lambda: endpoint.headers)
    signature, event = (endpoint.headers[-1][name] for name in ("plexus-webhook-signature", "webhook-id"))
    check = ("subscriptions", "check-signature", subscription, "--signature", signature)
    assert run(*check, "--event", event).stdout.startswith("fits")
    nothing = run(*check, "--event", subscription, code=1).stderr
    assert "signalpost deliveries list" in nothing
    assert "must be UTF-8" in run(*check, stdin="\udcff", code=2).stderr


def test_a_working_endpoint_passes_its_test(run: Run, subscription: str, endpoint: Endpoint) -> None:
    passed = run("subscriptions", "test", subscription, "--event-type", "documentDeleted").stdout
    assert "result      delivered\n" in passed
    assert "statusCode  200\n" in passed
    assert len(endpoint.headers) == 1
    assert json_of(run("subscriptions", "test", subscription, "--json"))["delivered"] is True


def test_a_failing_endpoint_does_not(run: Run, subscription: str, endpoint: Endpoint) -> None:
    endpoint.status = 503
    failed = run("subscriptions", "test", subscription, code=1)
    assert "result      not delivered\n" in failed.stdout
    assert "statusCode  503\n" in failed.stdout
    assert "diagnosis   The endpoint says that it is unavailable. It answers 503 “no” since" in failed.stdout
    assert "The event was not delivered: " in failed.stderr
    assert json_of(run("subscriptions", "test", subscription, "--json", code=1))["statusCode"] == 503


def test_a_test_run_says_of_each_case_what_to_mend(run: Run, subscription: str, endpoint: Endpoint) -> None:
    done = run("subscriptions", "test-run", subscription, code=1)
    shown = done.stdout.splitlines()
    assert [line.split()[1] for line in shown if line[0] in "✔✘–"] == [case.name for case in CASES]
    assert "✔ large            Takes large events" in shown
    assert "✘ forged           Refuses what another secret signed" in shown
    assert re.search(r"  An event that is not from us: .* It was answered 200 after [0-9.]+ ms\.", done.stdout)
    assert f"  {MENDS['forged']}" in shown
    assert "9 of 10 cases passed." in done.stderr
    assert len(endpoint.headers) == 10
    endpoint.status = 503
    unavailable = run("subscriptions", "test-run", subscription, code=1)
    assert unavailable.stdout.count("–") == 9
    assert "0 of 10 cases passed." in unavailable.stderr
    assert json_of(run("subscriptions", "test-run", subscription, "--json", code=1))["passed"] is False


def test_a_disabled_subscription_is_loud_with_the_reason_and_what_to_do(tmp_path: Path) -> None:
    """A subscription becomes so after days: here its row is made to say so."""
    run = partial(command.run, SIGNALPOST_DATA_DIR=str(tmp_path / "data"))
    with command.gateway(tmp_path / "data", "--allow-targets", NOWHERE):
        subscription = json_of(run("subscriptions", "create", NOWHERE, "--name", "Theirs", "--json"))["id"]
        assert run("subscriptions", "list").stderr == ""
    with closing(apsw.Connection(str(database_file(tmp_path / "data")))) as database:
        database.execute(
            "UPDATE subscription SET config ="
            " CAST(json_set(config, '$.status', 'disabled', '$.disabled_at', 1750000000000000) AS BLOB)"
        )
    with command.gateway(tmp_path / "data", "--allow-targets", NOWHERE):
        shown = run("subscriptions", "get", subscription).stdout
        assert "Every attempt failed for days." in shown
        listed = run("subscriptions", "list")
        assert f"{subscription}  disabled" in listed.stdout
        for said in (run("subscriptions", "get", subscription).stderr, listed.stderr):
            assert said == (
                "Disabled because its endpoint failed for days: Theirs. Waiting events are sent when it is resumed.\n"
                f"Test the endpoint: signalpost subscriptions test {subscription}\n"
                f"Resume it: signalpost subscriptions resume {subscription}\n"
            )
        assert json_of(run("subscriptions", "get", subscription, "--json"))["status"] == "disabled"
        create(run)
        kept = json_of(run("subscriptions", "get", subscription, "--json"))["health"]["keptUntil"]
        assert f"The oldest is kept until {kept[:19]}" in run("subscriptions", "get", subscription).stderr
        assert f"The oldest of them is kept until {kept[:19]}" in run("overview").stdout
        run("subscriptions", "resume", subscription)
        assert run("subscriptions", "list").stderr == ""
