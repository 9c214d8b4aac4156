"""Results of commands as responses, and the form in which responses are kept for repeats."""

from typing import get_args

import pytest

from signalpost.api.http.response import Response
from signalpost.api.rendering import Rendered, kept_answers, respond
from signalpost.commands.command import Completed, Repeated
from signalpost.commands.documents import DocumentDeleted
from signalpost.commands.workflow import NothingExpired
from signalpost.domain.documents.document import DocumentRow
from signalpost.domain.documents.links import Links

LINKS = Links(b"", "")
ROW = DocumentRow("d24c0644-1d31-47fa-960e-b0cc8b4f136c", 2, 0, None, b"", deleted_at=0)
KEPT = (
    b"\x83\xa6status\xcc\xcc\xa4body\xc4\x00\xa7headers"
    b"\x91\x92\xb0signalpost-event\xd9$018bcfe5-6800-7000-8000-000000000000"
)
"""An answer as it is kept in databases since the first version."""
EVENT = "018bcfe5-6800-7000-8000-000000000000"


def completed(result: object, answer: bytes | None = None) -> Completed[object]:
    return Completed(result=result, tenant_id=1, at=0, event_id=EVENT, answer=answer)


def test_answers_are_kept_in_the_form_that_databases_hold() -> None:
    assert kept_answers(LINKS)(completed(DocumentDeleted(ROW))) == KEPT


def test_a_repeat_is_answered_as_the_first_call_was_and_says_that_it_is_one() -> None:
    first = Response(204, b"", (("signalpost-event", EVENT),))
    repeated = Response(204, b"", (*first.headers, ("idempotent-replayed", "true")))
    assert respond(Repeated(KEPT), LINKS) == repeated


def test_a_call_with_a_key_is_answered_with_what_is_kept() -> None:
    done = Completed(result=DocumentDeleted(ROW), tenant_id=1, at=0, event_id=EVENT, answer=KEPT)
    without = Completed(result=DocumentDeleted(ROW), tenant_id=1, at=0, event_id=EVENT, answer=None)
    assert respond(done, LINKS) == respond(without, LINKS) == Response(204, b"", (("signalpost-event", EVENT),))


def test_what_no_call_can_come_to_has_no_response() -> None:
    assert NothingExpired not in get_args(Rendered)
    with pytest.raises(AssertionError):
        kept_answers(LINKS)(completed(NothingExpired()))
