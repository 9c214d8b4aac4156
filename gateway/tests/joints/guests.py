"""Customers in the portal: they come by a link, and their pages call the API with the rights of that link."""

import json
import re
from typing import Final

from gateway.tests.answer import Answer
from gateway.tests.joints.history import ClientCall
from gateway.tests.joints.node import JointNode
from gateway.tests.listener.applications import a_request

from signalpost.commands.portal_links import OpenPortalLink
from signalpost.console.calls import CallFailed, Calls
from signalpost.domain.access.sign_in import Ground
from signalpost.domain.audit import Actor

LINK: Final = {
    "name": "customer", "subscriptions": "all", "can": ["payload", "test", "retry", "replay", "edit", "secret"],
}  # fmt: skip
TENANT: Final = 1
_CALLS: Final = (
    ("POST", "retry_delivery", re.compile(r"/v1/subscriptions/(?P<id>[^/]+)/deliveries/(?P<eventId>[^/]+)/retry")),
    ("POST", "start_replay", re.compile(r"/v1/subscriptions/(?P<id>[^/]+)/replays")),
    ("PATCH", "patch_subscription", re.compile(r"/v1/subscriptions/(?P<id>[^/]+)")),
)
"""The calls that pages of the portal make, by their names in the route table."""
DONE: Final = 202


class Guests:
    """Each call is made by a customer who has just come by a link of their own."""

    async def call(self, node: JointNode, asked: ClientCall) -> Answer:
        """Make a call as a page of the portal does."""
        assert node.services is not None
        assert node.api is not None
        made = await node.call("POST", "/v1/portal-links", LINK)
        if made.status != 201:
            return made
        link_id = made.json["id"]
        actor = Actor(kind="portal-link", id=link_id, name="customer")
        await node.engine.submit(OpenPortalLink(tenant_id=TENANT, link_id=link_id).asked_by(actor))
        link = await node.services.store.access.portal_link(link_id)
        assert link is not None
        principal = await node.services.principals.on(Ground("portal-link", link.id, link.proof))
        name, path = next(
            (name, {each: str(value) for each, value in found.groupdict().items()})
            for method, name, form in _CALLS
            if method == asked.method and (found := form.fullmatch(asked.path)) is not None
        )
        calls = Calls(node.api, a_request(), principal, "default")
        try:
            said = await calls.change(name, asked.body, key=asked.key, if_match=None, query=None, **path)
            return Answer(DONE, {}, said)
        except CallFailed as refused:
            problem = {"code": refused.problem.code, "detail": refused.problem.detail}
            return Answer(refused.problem.status, {}, json.dumps(problem).encode())
