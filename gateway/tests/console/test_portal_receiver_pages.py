"""The portal's pages for authors of receivers: a test run, what arrives, and code that verifies."""

import time
from html import unescape

import pytest
from gateway.tests.console.conftest import Shop, make_world
from gateway.tests.console.forms_as_sent import forms_of
from gateway.tests.console.test_portal import Guest
from gateway.tests.console.test_true_sentences import Desk, desk, text_of

from signalpost.console.verifiers import verifiers
from signalpost.domain.delivery.receiver_cases import CASES, FIRST_FAILED, MENDS
from signalpost.domain.event import OF_DOCUMENTS
from signalpost_receiver.sign import Signer

__all__ = ["desk", "make_world"]
SECRET = "a secret of theirs"


def test_the_ten_cases_are_sent_with_one_button_and_each_has_its_verdict(desk: Desk) -> None:
    own = desk.subscribe("/hooks", secret=SECRET, eventTypes=list(OF_DOCUMENTS))
    desk.told["/hooks"] = SECRET
    guest = Guest(desk.world).enter(can=["test"])
    path = f"/portal/subscriptions/{own}"
    assert f'href="{path}/test-run"' in guest.open(path)
    [form] = [each for each in forms_of(guest.open(f"{path}/test-run")) if "run" in each.buttons]
    assert [name for name, _ in form.fields if name != "do"] == []
    said = text_of(unescape(guest.post(f"{path}/test-run", {"do": "run"}).body.decode()))
    assert "Your receiver stands all that was sent to it." in said
    assert said.count(" passed") == len(CASES)
    for case in CASES:
        assert f"{case.title} passed {case.sent}" in said
    desk.told["/hooks"] = 204
    said = text_of(unescape(guest.post(f"{path}/test-run", {"do": "run"}).body.decode()))
    assert "There is one thing to mend." in said
    assert MENDS["forged"] in said
    desk.told["/hooks"] = 500
    said = text_of(unescape(guest.post(f"{path}/test-run", {"do": "run"}).body.decode()))
    assert said.count(FIRST_FAILED) == len(CASES) - 1
    assert said.count("not sent") == len(CASES) - 1


def test_whoever_may_not_test_is_neither_offered_a_test_run_nor_given_one(shop: Shop) -> None:
    guest = Guest(shop.world).enter(can=["payload", "retry", "replay", "edit", "create", "secret"])
    path = f"/portal/subscriptions/{shop.subscription}"
    assert "test-run" not in guest.open(path)
    assert guest.get(f"{path}/test-run").status == 403
    assert guest.post(f"{path}/test-run", {"do": "run"}).status == 403


def test_a_signature_of_any_request_is_checked_with_a_body_a_time_and_itself(shop: Shop) -> None:
    """C19, C20: no secret is typed, and none is shown."""
    own = shop.world.create_subscription(name="Computes", secret=SECRET)["id"]
    path, body, now = f"/portal/subscriptions/{own}/signature", '{"id": "an-id"}', int(time.time())
    guest = Guest(shop.world).enter(can=["secret"])
    assert f'href="{path}"' in guest.open(path.removesuffix("/signature"))
    page, standard = (
        Signer(SECRET).page_signature(body.encode()),
        Signer(SECRET).standard_signature("an-id", now, body.encode()),
    )
    for form, said in (
        ({"signature": page}, "It fits the secret."),
        ({"signature": standard, "timestamp": str(now)}, "It fits the secret."),
        ({"signature": standard, "timestamp": str(now + 1)}, "with this webhook-id and webhook-timestamp"),
        ({"signature": standard, "timestamp": "yesterday"}, "not a whole number of seconds"),
        ({"signature": standard}, "It is not what this header holds"),
    ):
        answer = guest.post(path, {"do": "check", "body": body, **form})
        assert answer.status == 200, answer.body
        assert said in unescape(answer.body.decode())
        assert SECRET not in answer.body.decode()
    other = Guest(shop.world).enter(can=["payload", "test", "retry", "replay", "edit", "create"])
    assert "/signature" not in other.open(path.removesuffix("/signature"))
    assert other.get(path).status == 403
    assert other.post(path, {"do": "check", "signature": page, "body": body}).status == 403


@pytest.mark.parametrize("can", [[], ["payload", "test", "secret"]])
def test_what_arrives_and_how_to_verify_it_is_for_every_customer(shop: Shop, can: list[str]) -> None:
    """C1 to C3, C7, C18 to C21"""
    guest = Guest(shop.world).enter(can=can)
    shown = text_of(unescape(guest.open("/portal/event-types")))
    for name in ("documentCreated", "documentUpdated", "documentDeleted", "plexus-webhook-signature", "webhook-id"):
        assert name in shown
    assert "urn:signalpost:schemas:documentDeleted" in shown
    assert "notice" not in shown
    code = unescape(guest.open("/portal/code"))
    assert [each.language for each in verifiers() if each.code not in code] == []
    for path in ("/portal/event-types", "/portal/code"):
        assert f'href="{path}"' in guest.open()
