"""What the pages of a document say: what an event changed, where the document is, which versions it has."""

import re

import msgspec
from gateway.tests.console.conftest import HOSTILE, Browser, Shop
from hypothesis import given
from hypothesis import strategies as st

from signalpost.api.routing.shapes.documents import EventDocument
from signalpost.console.differences import differences
from signalpost.console.drawings import said, workflow
from signalpost.domain.documents.workflow import STATUSES

statuses = st.sampled_from(STATUSES)


def document(shop: Shop) -> EventDocument:
    return msgspec.convert(shop.world.events()[0]["event"]["data"]["document"], EventDocument)


def test_what_differs_is_named_with_what_it_was_and_became(shop: Shop) -> None:
    before = document(shop)
    after = msgspec.structs.replace(before, title="B", contract_value=19.5, additional_facts={"region": "EMEA"})
    assert [(each.attribute, each.old, each.new) for each in differences(before, after)] == [
        ("title", HOSTILE, "B"),
        ("contractValue", None, "19.5"),
        ("additionalFacts.region", None, "EMEA"),
    ]
    assert differences(before, before) == []
    assert {each.attribute for each in differences(None, before)} >= {"title", "status", "ownerEmail"}


@given(st.lists(statuses, max_size=6), statuses)
def test_a_drawing_of_a_workflow_says_the_same_in_words(passed: list[str], now: str) -> None:
    drawn = workflow(passed, now)
    assert f'aria-label="{said(passed, now)}"' in drawn
    assert drawn.count('<g class="now">') == 1
    assert drawn.count('<g class="passed">') == len({*passed} - {now})
    assert "style" not in drawn


def test_a_documents_page_says_who_changed_what_and_where_it_is(shop: Shop) -> None:
    made = shop.world.create_document(title="First title")["externalId"]
    path, key = f"/v1/documents/{made}", f"Bearer {shop.keys['app']}"
    shop.world.send("PATCH", path, {"title": HOSTILE}, {"authorization": key}).ok()
    form = b'--b\r\ncontent-disposition: form-data; name="file"\r\n\r\na text\r\n--b--\r\n'
    shop.world.send("POST", f"{path}/versions", form, {"content-type": "multipart/form-data; boundary=b"}).ok(201)
    asked = {"action": "requestReview", "reviewers": ["lawyer@example.com"]}
    shop.world.send("POST", f"{path}/actions", asked).ok()
    page = shop.browser().open(f"/console/t/default/documents/{made}")
    assert "It was created. Now it is awaiting review." in page
    assert "<strong>lawyer@example.com</strong> has not decided yet" in page
    assert "<del>First title</del>" in page
    assert "<ins>&lt;script&gt;alert(1)" in page
    assert "by app" in page
    assert 'aria-label="Versions: 0.1"' in page
    assert re.search(r'<a href="http[^"]+" rel="noopener">Download</a>', page)
    [changed] = [entry for entry in shop.world.events() if entry["event"]["type"] == "documentUpdated"][:1]
    assert "<del>First title</del>" in Browser(shop.world).sign_in(shop.keys["viewer"]).open(
        f"/console/t/default/events/{changed['event']['id']}"
    )
