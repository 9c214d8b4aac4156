"""A test run in the console: the ten cases that a receiver must stand, for those who look after its subscription."""

from html import unescape

from gateway.tests.console.conftest import Shop, make_world
from gateway.tests.console.forms_as_sent import forms_of
from gateway.tests.console.test_true_sentences import ROOT, Desk, desk, text_of

from signalpost.domain.delivery.receiver_cases import CASES, FIRST_FAILED, MENDS
from signalpost.domain.event import OF_DOCUMENTS

__all__ = ["desk", "make_world"]
SECRET = "a secret of theirs"


def test_the_ten_cases_are_sent_from_the_page_of_a_webhook_and_each_has_its_verdict(desk: Desk) -> None:
    own = desk.subscribe("/hooks", secret=SECRET, eventTypes=list(OF_DOCUMENTS))
    desk.told["/hooks"] = SECRET
    path = f"/subscriptions/{own}/test-run"
    assert f'href="{ROOT}{path}"' in desk.browser.open(f"{ROOT}/subscriptions/{own}")
    [form] = [each for each in forms_of(desk.browser.open(f"{ROOT}{path}")) if "run" in each.buttons]
    assert form.fields == []
    said = text_of(unescape(desk.send(path, {"do": "run"})))
    assert "The receiver stands all that was sent to it." in said
    assert said.count(" passed") == len(CASES)
    for case in CASES:
        assert f"{case.title} passed {case.sent}" in said
    desk.told["/hooks"] = 204
    said = text_of(unescape(desk.send(path, {"do": "run"})))
    assert "There is one thing to mend." in said
    assert MENDS["forged"] in said
    desk.told["/hooks"] = 500
    assert text_of(unescape(desk.send(path, {"do": "run"}))).count(FIRST_FAILED) == len(CASES) - 1
    assert desk.world.get(f"/v1/subscriptions/{own}/deliveries").ok()["data"] == []


def test_what_gets_no_events_of_documents_by_webhook_is_not_offered_a_test_run(shop: Shop) -> None:
    headers = {"signalpost-tenant": "operations"}
    body = {"url": "https://ops.example.com/hooks", "eventTypes": ["notice"]}
    notices = shop.world.send("POST", "/v1/subscriptions", body, headers).ok(201)["id"]
    path, browser = f"/console/t/operations/subscriptions/{notices}", shop.browser()
    assert "/test-run" not in browser.open(path)
    page = browser.open(f"{path}/test-run")
    assert "The ten cases are events of documents, for webhooks." in page
    assert not [each for each in forms_of(page) if "run" in each.buttons]
    refused = browser.post(f"{path}/test-run", {"do": "run"})
    assert refused.status == 409
    assert b"Send this subscription a test instead." in refused.body


def test_whoever_may_not_change_subscriptions_is_not_offered_a_test_run_and_gets_none(shop: Shop) -> None:
    path, viewer = f"/console/t/default/subscriptions/{shop.subscription}", shop.browser("viewer")
    assert "/test-run" not in viewer.open(path)
    assert viewer.get(f"{path}/test-run").status == 403
    assert viewer.post(f"{path}/test-run", {"do": "run"}).status == 403
