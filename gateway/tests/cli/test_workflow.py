"""Documents on their way through the workflow, by the command line."""

import re
import time

import pytest
from gateway.tests.cli.command import Run, json_of

from signalpost.cli.terminal.moments import deadline
from signalpost.domain.timestamps import SECOND, format_timestamp

pytestmark = pytest.mark.slow
NOW = 1_700_000_000 * SECOND


def test_a_document_is_reviewed_and_every_step_shows_whom_it_waits_for(run: Run, document: str) -> None:
    asked = run("documents", "act", document, "requestReview", "--reviewer", "ann@x", "--reviewer", "bob@x").stdout
    assert asked == (
        "status       awaitingReview\n"
        "awaited      ann@x, bob@x\n"
        "allowed now  approveReview, rejectReview, pause, cancel\n"
    )  # fmt: skip
    agreed = run("documents", "act", document, "approveReview", "--by", "ann@x").stdout
    assert "decided      ann@x (agreed)\nawaited      bob@x\n" in agreed
    refused = json_of(
        run("documents", "act", document, "rejectReview", "--by", "bob@x", "--reason", "too long", "--json")
    )
    assert (refused["externalId"], refused["status"]) == (document, "reviewRejected")
    shown = json_of(run("documents", "actions", document, "--json"))
    assert shown["allowed"] == ["requestReview", "pause", "cancel"]

    table = [re.split(r"  +", line.rstrip()) for line in run("documents", "history", document).stdout.splitlines()]
    assert table[0] == ["at", "action", "status", "by", "key", "about", "event"]
    assert [row[1:6] for row in table[1:]] == [
        ["rejectReview", "reviewRejected", "bob@x", "operator", "too long"],
        ["approveReview", "awaitingReview", "ann@x", "operator", "–"],
        ["requestReview", "awaitingReview", "–", "operator", "ann@x, bob@x"],
        ["create", "created", "–", "operator", "–"],
    ]
    run("documents", "delete", document)
    assert "There is no document" in run("documents", "history", document, code=1).stderr
    told = json_of(run("documents", "history", document, "--deleted", "--limit", "1", "--json"))
    assert [(entry["action"], entry["event"]["type"]) for entry in told] == [("delete", "documentDeleted")]


def test_what_does_not_fit_is_refused_with_what_does(run: Run, document: str) -> None:
    assert run("documents", "act", document, "sign", "--by", "ann@x", code=1).stderr == (
        "signalpost: `sign` does not fit a document that is created. "
        "Allowed now: requestReview, requestApproval, requestSignature, pause, cancel.\n"
    )


def test_what_is_wrong_is_named_by_the_option_that_set_it(run: Run, document: str) -> None:
    wrong = run("documents", "act", document, "requestSignature", "--signer", "a@x", "--signer", "A@X", code=1).stderr
    assert "  --signer entry 2: This person is named twice." in wrong
    assert "  --expires-at: This field is required." in wrong
    assert (
        "  ACTION: This must be one of requestReview," in run("documents", "act", document, "approveAll", code=1).stderr
    )


def test_a_deadline_is_said_as_a_time_from_now(run: Run, document: str) -> None:
    asked = run("documents", "act", document, "requestSignature", "--signer", "a@x", "--expires-at", "14d").stdout
    until = format_timestamp((int(time.time()) + 14 * 86_400) * SECOND)[:10]
    assert f"expires      {until[:8]}" in asked
    assert "Give a time from now" in run("documents", "act", document, "x", "--expires-at", "soon", code=2).stderr


@pytest.mark.parametrize(
    ("text", "at"), [("90s", NOW + 90 * SECOND), ("2h", NOW + 7200 * SECOND), ("2023-11-15", NOW + 6400 * SECOND)]
)
def test_a_deadline_is_a_length_a_day_or_a_timestamp(text: str, at: int) -> None:
    assert deadline(text, NOW) == format_timestamp(at)
