"""Pages of the portal for authors of receivers: what arrives, whether theirs stands it, and how to verify it."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from signalpost.api.routing.shapes.subscriptions import SignatureVerdict, Subscription
from signalpost.api.routing.webhooks import HEADERS, WebhookHeader, example, schema_files, summary_of
from signalpost.console.page import Page, ShownOnce, Visit
from signalpost.console.pages import delivery, test_run
from signalpost.domain.access.portal_link import Capability
from signalpost.domain.event import BY_WIRE, EventType


async def view_test_run(visit: Visit) -> test_run.TestRunView:
    visit.need(Capability.TEST)
    return await test_run.shown(visit)


async def run_cases(visit: Visit) -> ShownOnce:
    return msgspec.structs.replace(await test_run.run(visit), template="portal/test_run.html")


class SignaturePage(Struct, frozen=True):
    subscription: Subscription
    checked: SignatureVerdict | None = None


async def view_signature(visit: Visit) -> SignaturePage:
    visit.need(Capability.SECRET)
    return SignaturePage(await visit.calls.read("read_subscription", Subscription, id=visit.params["id"]))


async def check_signature(visit: Visit) -> ShownOnce:
    """Whether a signature of any request is right; the secret is not shown."""
    shown = await view_signature(visit)
    checked = await delivery.verdict_on_typed(visit, visit.form.get("body", [""])[0])
    return ShownOnce("portal/signature.html", msgspec.structs.replace(shown, checked=checked))


class ShownType(Struct, frozen=True):
    """A type of event as the catalogue shows it."""

    name: str
    summary: str
    example: str
    schema: str


class EventTypes(Struct, frozen=True):
    types: Sequence[ShownType]
    headers: Mapping[str, WebhookHeader]


async def view_event_types(visit: Visit) -> EventTypes:
    return EventTypes([_shown(name, BY_WIRE[name]) for name in visit.event_types], HEADERS)


def _shown(name: str, event_type: EventType) -> ShownType:
    schema = schema_files()[f"{name}.json"]
    return ShownType(name, summary_of(event_type), _indented(example(event_type)), _indented(schema))


def _indented(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


async def view_code(_visit: Visit) -> None:
    """Nothing but what is the same for all."""


PAGES = (
    Page(
        path="/subscriptions/{id}/test-run",
        section="",
        title="Test run",
        template="portal/test_run.html",
        view=view_test_run,
        forms={"run": run_cases},
    ),
    Page(
        path="/subscriptions/{id}/signature",
        section="",
        title="Check a signature",
        template="portal/signature.html",
        view=view_signature,
        forms={"check": check_signature},
    ),
    Page(
        path="/event-types", section="", title="Event types", template="portal/event_types.html", view=view_event_types
    ),
    Page(path="/code", section="", title="Code that verifies", template="portal/code.html", view=view_code),
)
