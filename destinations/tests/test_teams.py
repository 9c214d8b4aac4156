"""Microsoft Teams: the card that an event becomes, within what Teams takes."""

import json
from typing import Any

import pytest

from signalpost.destinations import Call, Done, Reauthorise, Reject, Retry, Ruling, Skip, Throttle
from signalpost.domain.errors import Invalid
from signalpost.testing import Conformance, Rehearsal, context, reply
from signalpost_destinations.teams import MAX_BYTES, Teams

URL = (
    "https://default0123.environment.api.powerplatform.com:443/workflows/0123/invoke?api-version=1&sig=workflow-canary"
)
FULL = {
    "title": "{{ document.title }} is now {{ document.status }}",
    "text": "With **{{ document.counterpartyName | default: 'nobody else' }}**.",
    "link": "https://contracts.example.com/{{ document.externalId }}",
}


class TestTeams(Conformance):
    kind = Teams
    connection = {"url": URL}
    config = FULL
    accepted = reply(202)


def card(config: dict[str, Any], **document: Any) -> dict[str, Any]:
    call = Rehearsal(Teams, {"url": URL}, config).prepare(context(**document))
    assert isinstance(call, Call)
    assert call.url == URL
    message: Any = call.json
    assert message["type"] == "message"
    [attachment] = message["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    content: dict[str, Any] = attachment["content"]
    return content


def test_an_event_becomes_a_card_with_a_title_a_text_and_a_button() -> None:
    assert card(FULL, title="NDA", counterpartyName="Smith") == {
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {"type": "TextBlock", "wrap": True, "text": "NDA is now executed", "weight": "Bolder", "size": "Medium"},
            {"type": "TextBlock", "wrap": True, "text": "With **Smith**."},
        ],
        "actions": [
            {
                "type": "Action.OpenUrl",
                "title": "Open",
                "url": "https://contracts.example.com/0198f2a0-0000-7000-8000-000000000002",
            }
        ],
    }


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/workflows/0123",
        "https://api.powerplatform.com.example.com/",
        "https://evilapi.powerplatform.com/",
        "https://prod-01.westeurope.logic.azure.com:443/workflows/0123",
    ],
)
def test_a_url_at_another_host_than_microsofts_is_refused(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        Rehearsal(Teams, {"url": url}, FULL)
    assert [(error.pointer, error.code) for error in refused.value.errors] == [("/config/url", "not_the_vendors")]


def test_a_stand_in_is_called_with_the_workflows_own_path() -> None:
    rehearsal = Rehearsal(Teams, {"url": URL, "standIn": "https://proxy.example.com"}, FULL)
    call = rehearsal.prepare(context())
    assert isinstance(call, Call)
    assert call.url == "https://proxy.example.com/workflows/0123/invoke?api-version=1&sig=workflow-canary"
    assert rehearsal.kind.origins(rehearsal.connection) == ("https://proxy.example.com",)


def test_text_and_link_can_be_left_out() -> None:
    made = card({"title": "{{ document.title }}"}, title="NDA")
    assert [block["text"] for block in made["body"]] == ["NDA"]
    assert made["actions"] == []


def test_what_a_document_brings_is_no_markup() -> None:
    made = card({"title": "**{{ document.title }}**"}, title="[here](https://evil.example) *_\\")
    assert made["body"][0]["text"] == "**\\[here\\](https://evil.example) \\*\\_\\\\**"


@pytest.mark.parametrize("link", ["http://example.com", "javascript:alert(1)", "https://ex ample.com\n", " "])
def test_a_button_leads_to_https_or_there_is_none(link: str) -> None:
    made = card({"title": "a", "link": "{{ document.title }}"}, title=f"{link}é")
    assert made["actions"] == []


@pytest.mark.parametrize("character", ["x", "\x01", '"', "🖋", "_"])
def test_the_largest_card_is_within_what_teams_takes(character: str) -> None:
    long = "{{ document.title }}" * 8
    rehearsal = Rehearsal(Teams, {"url": URL}, {"title": long, "text": long, "link": "https://a/" + "x" * 1_900})
    call = rehearsal.prepare(context(title=character * 512))
    assert isinstance(call, Call)
    assert len(json.dumps(call.json, ensure_ascii=False).encode()) <= MAX_BYTES


def test_a_card_without_a_word_is_skipped() -> None:
    rehearsal = Rehearsal(Teams, {"url": URL}, {"title": "{{ document.referenceId }}"})
    assert rehearsal.prepare(context(referenceId=None)) == Skip("The card is empty for this document.")


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (202, b"", Done()),
        (200, {"ok": True}, Done()),
        (400, b"", Reject("400", "The vendor answered 400.")),
        (
            404,
            {"error": {"code": "WorkflowNotFound", "message": "No  such\nworkflow."}},
            Reject("WorkflowNotFound", "WorkflowNotFound: No such workflow."),
        ),
        (401, {"error": {"code": "DirectApiAuthorizationRequired"}}, Reauthorise("The vendor answered 401.")),
        (429, b"", Throttle("The vendor answered 429.", 60.0)),
        (502, b"<html>", Retry("The vendor answered 502.")),
    ],
)
def test_what_an_answer_means(status: int, body: Any, expected: Ruling) -> None:
    assert Rehearsal(Teams, {"url": URL}, FULL).play(context(), reply(status, body)).end == expected
