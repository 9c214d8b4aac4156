"""Shadows in Chromium: made by keyboard, read by everybody, and promoted, with and without scripts."""

import pytest
from gateway.tests.console.accessibility import WINDOWS, findings_in
from gateway.tests.console.test_browser import Desk, Visit, desk, pytestmark

__all__ = ["desk", "pytestmark"]


@pytest.mark.parametrize("with_scripts", [True, False])
def test_a_shadow_is_made_by_keyboard_and_promoted(desk: Desk, with_scripts: bool) -> None:
    """No page of it has a finding of axe, or is wider than its window."""
    visit = Visit(desk, java_script_enabled=with_scripts)
    visit.open(f"/subscriptions/{desk.fine}/shadow")
    visit.types(f"{desk.origin}/beside", into="input[name=url]")
    visit.page.keyboard.press("Enter")
    visit.sees("The secret, shown only once")
    shadow = desk.world.get(f"/v1/subscriptions/{desk.fine}").ok()["shadow"]
    desk.world.create_document(title="An agreement that both get")
    desk.wait_for("delivered", shadow, 1)
    visit.open(f"/subscriptions/{desk.fine}/shadow")
    visit.sees("Answered alike")
    visit.click("Promote the shadow")
    visit.answers("Promote the shadow")
    visit.sees("The endpoints were swapped")
    assert desk.world.get(f"/v1/subscriptions/{desk.fine}").ok()["url"] == f"{desk.origin}/beside"
    desk.answers["/fine"] = (500, b'{"error":"a long answer that says in detail what went wrong"}' * 9)
    desk.world.create_document(title="An agreement that is answered differently")
    desk.wait_for("failed", shadow, 1)
    looking = Visit(desk, bypass_csp=True, reduced_motion="reduce")
    for path in (
        f"/subscriptions/{desk.fine}/shadow",
        f"/subscriptions/{shadow}/shadow",
        f"/subscriptions/{shadow}/settings/edit",
    ):
        looking.open(path)
        assert findings_in(looking.page, WINDOWS) == [], path
    looking.context.close()
    visit.context.close()
    del desk.answers["/fine"]
    desk.world.send("POST", f"/v1/subscriptions/{shadow}/promote", {"anyway": True}).ok()
    assert desk.world.send("DELETE", f"/v1/subscriptions/{shadow}").status == 204
