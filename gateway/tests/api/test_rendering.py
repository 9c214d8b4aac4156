"""Results of commands as responses, and the form in which responses are kept for repeats."""

from importlib import import_module
from pkgutil import iter_modules
from typing import get_args, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalpost import commands
from signalpost.api.http.response import Response
from signalpost.api.rendering import ANSWERS, document_response, kept_answers, respond
from signalpost.api.routing.shapes import documents as shapes
from signalpost.api.shown import document_shown
from signalpost.commands.batch import KeptAnswer
from signalpost.commands.command import Command, CompletedCommand, RepeatedCommand
from signalpost.commands.correspondence import MailBegun, MailEnded
from signalpost.commands.documents import DocumentCreated, DocumentDeleted, DocumentImported, DocumentPatched
from signalpost.commands.members import MemberKnown, PasswordSet
from signalpost.commands.notices import ConditionKept, NoticeWritten
from signalpost.commands.portal_links import PortalLinkOpened
from signalpost.commands.secrets import SecretRotated
from signalpost.commands.subscriptions import SubscriptionChanged, SubscriptionCreated
from signalpost.commands.versions import VersionCreated
from signalpost.commands.workflow import ActionTaken, NothingExpired
from signalpost.domain.documents.document import Document, DocumentRow, Version, new_row, own_version
from signalpost.domain.documents.links import Links
from signalpost.domain.documents.version import Number

LINKS = Links(b"", "")
ROW = DocumentRow("d24c0644-1d31-47fa-960e-b0cc8b4f136c", 2, 0, None, b"", deleted_at=0)
KEPT = (
    b"\x83\xa6status\xcc\xcc\xa4body\xc4\x00\xa7headers"
    b"\x92\x92\xb2signalpost-changed\xa4true\x92\xb0signalpost-event\xd9$018bcfe5-6800-7000-8000-000000000000"
)
"""An answer as it is kept in databases since the first version."""
EVENT = "018bcfe5-6800-7000-8000-000000000000"
HEADERS = (("signalpost-changed", "true"), ("signalpost-event", EVENT))


def completed(result: object, answer: bytes | None = None) -> CompletedCommand[object]:
    return CompletedCommand(result=result, tenant_id=1, at=0, event_id=EVENT, answer=answer)


def test_answers_are_kept_in_the_form_that_databases_hold() -> None:
    assert kept_answers(LINKS)(completed(DocumentDeleted(ROW))) == KeptAnswer(KEPT)


def test_a_repeat_is_answered_as_the_first_call_was_and_says_that_it_is_one() -> None:
    first = Response(204, b"", HEADERS)
    repeated = Response(204, b"", (*first.headers, ("idempotent-replayed", "true")))
    assert respond(RepeatedCommand(KEPT), LINKS) == repeated


def test_a_call_with_a_key_is_answered_with_what_is_kept() -> None:
    done = CompletedCommand(result=DocumentDeleted(ROW), tenant_id=1, at=0, event_id=EVENT, answer=KEPT)
    without = CompletedCommand(result=DocumentDeleted(ROW), tenant_id=1, at=0, event_id=EVENT, answer=None)
    assert respond(done, LINKS) == respond(without, LINKS) == Response(204, b"", HEADERS)


@given(st.sampled_from([None, "own", "foreign"]), st.sampled_from([None, "own", "foreign"]))
def test_a_program_that_embeds_the_gateway_gets_what_a_client_is_shown(
    latest: str | None, published: str | None
) -> None:
    """C7, C10"""
    versions = {
        None: None,
        "own": own_version(Number(2, 0)),
        "foreign": Version("7.1", "https://elsewhere.example.com/7.1"),
    }
    kept = Document(
        type="NDA", title="ü", status="created", created_at="2021-09-02T04:37:56.812919+00:00", source_app="CRM",
        external_id=ROW.external_id, owner_email="o@example.com", author_email="a@example.com",
        latest_version=versions[latest], published_version=versions[published], additional_facts={"a": 1.5},
    )  # fmt: skip
    row = new_row(kept, 3, 1_700_000_000_000_000)
    body = document_response(row, LINKS, 1, 5).body
    assert msgspec.json.decode(body, type=shapes.Document) == document_shown(row, LINKS, 1, 5)


def test_what_no_call_can_come_to_has_no_response() -> None:
    assert NothingExpired not in ANSWERS
    with pytest.raises(KeyError):
        kept_answers(LINKS)(completed(NothingExpired()))


def test_every_result_that_a_call_can_come_to_has_an_answer() -> None:
    results = {
        kind
        for module in iter_modules(commands.__path__, "signalpost.commands.")
        for command in vars(import_module(module.name)).values()
        if isinstance(command, type) and hasattr(command, "decide") and command is not Command
        for [decided] in [get_args(get_type_hints(command.decide)["return"])]
        for kind in get_args(decided) or [decided]
    }
    of_documents = {DocumentCreated, DocumentDeleted, DocumentImported, DocumentPatched, ActionTaken, VersionCreated}
    of_subscriptions = {SubscriptionCreated, SubscriptionChanged, SecretRotated}
    without_a_call = {
        NothingExpired, MemberKnown, PasswordSet, PortalLinkOpened, ConditionKept, NoticeWritten, MailBegun, MailEnded,
    }  # fmt: skip
    assert results == set(ANSWERS) | of_documents | of_subscriptions | without_a_call
