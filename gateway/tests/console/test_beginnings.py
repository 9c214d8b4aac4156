"""Where a new subscription begins, in each form that makes one."""

import re
from collections.abc import Callable

import pytest
from gateway.tests.api.conftest import World, url
from gateway.tests.console.conftest import make_world
from gateway.tests.console.office import Office

from signalpost.sender.addresses import parse_allow_targets

__all__ = ["make_world", "url"]
FORMS = ["/subscriptions/new", "/subscriptions/new/slack", "/recipes/slack-executed"]


@pytest.fixture(scope="module")
def office(make_world: Callable[..., World], url: str) -> Office:
    return Office(make_world(allow_targets=parse_allow_targets(url)), url)


def sent(office: Office, below: str, **typed: str) -> tuple[int, bytes]:
    path = f"/console/t/default{below}"
    form = office.form(path, "save")
    given = {"url": "https://example.com/hook", "config.text": "a", **typed}
    known = {name for name, _ in form.fields}
    answer = office.send(path, form.pressed("save", {name: [value] for name, value in given.items() if name in known}))
    return answer.status, answer.body


def newest(office: Office) -> int:
    found: int = office.world.get("/v1/subscriptions?limit=1").ok()["data"][0]["startsAfter"]
    return found


@pytest.mark.parametrize("below", FORMS)
def test_it_begins_with_the_next_event_or_as_was_typed(office: Office, below: str) -> None:
    last = office.world.events()[-1]["sequence"]
    for typed, begins in (({}, last), ({"starts_after": "0"}, 0), ({"starts_at": "2020-01-01T00:00"}, 0)):
        status, body = sent(office, below, **typed)
        assert status in (200, 303), body
        assert newest(office) == begins


@pytest.mark.parametrize("below", FORMS)
def test_what_the_log_does_not_have_is_said_at_the_field(office: Office, below: str) -> None:
    status, body = sent(office, below, starts_after="999")
    assert status == 422
    assert b'aria-describedby="wrong-starts_after"' in body
    assert b"The log ends with event" in body
    assert re.search(rb"<details[^>]* open><summary>Begin in the past", body)
    status, body = sent(office, below, starts_after="all")
    assert status == 422
    status, body = sent(office, below, starts_at="2999-01-01T00:00")
    assert (status, b'aria-describedby="wrong-starts_at"' in body) == (422, True)


@pytest.mark.parametrize("below", FORMS)
def test_a_beginning_stays_typed_while_one_rehearses(office: Office, below: str) -> None:
    path = f"/console/t/default{below}"
    form = office.form(path, "rehearse")
    given = {"url": ["https://example.com/hook"], "config.text": ["a"], "starts_after": ["0"]}
    known = {name for name, _ in form.fields}
    answer = office.send(path, form.pressed("rehearse", {key: value for key, value in given.items() if key in known}))
    assert answer.status == 200, answer.body
    assert b'name="starts_after" type="text" value="0"' in answer.body
