"""The pages of the portal: do my events arrive?"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from signalpost.api.routing.shapes.deliveries import (
    Delivery,
    DeliveryPage,
    DeliveryWithAttempts,
    ReplayCount,
    ReplayPage,
    ShownReplay,
)
from signalpost.api.routing.shapes.subscriptions import (
    NewSubscription,
    ObjectiveStatus,
    SecretStatus,
    SignatureVerdict,
    Subscription,
    SubscriptionPage,
)
from signalpost.console.contacts_form import CONTACTS, contacts_line
from signalpost.console.listed import ListPart, listed
from signalpost.console.page import Page, SeeOther, ShownOnce, Visit
from signalpost.console.pages import (
    delivery,
    evidence,
    new_read,
    replays,
    subscription,
    subscription_secret,
    subscription_settings,
    subscriptions,
)
from signalpost.console.pages.deliveries import moment_of, none_listed
from signalpost.console.portal import receiver_pages
from signalpost.domain.access.portal_link import Capability

_HEADER_ROWS = 3
_STATUSES = ("pending", "retrying", "failed", "delivered")


class Endpoints(Struct, frozen=True):
    page: ListPart[Subscription]


async def view_endpoints(visit: Visit) -> Endpoints:
    page = await visit.calls.read("list_subscriptions", SubscriptionPage, {"cursor": visit.cursor})
    return Endpoints(listed(visit, page))


# --- One endpoint -----------------------------------------------------------------------------------------------------


class Endpoint(Struct, frozen=True):
    subscription: Subscription
    version: str
    """The version that is shown, so that a form changes no other one."""
    latest: Sequence[Delivery]
    contacts: str
    secret: SecretStatus | None
    """What is known of the secret; None for whom it is no concern of."""
    kept: ObjectiveStatus | None
    """How the objective is kept; None if there is none."""
    taken: str
    """What its last deliveries say of it, if it is well."""
    failed: Delivery | None
    """One that says why, if it fails."""
    has_all: bool
    """Whether the link is for all subscriptions, so that events can be chosen."""
    header_rows: int = _HEADER_ROWS


async def view_endpoint(visit: Visit) -> Endpoint:
    of = visit.params["id"]
    found, version = await visit.calls.read_version("read_subscription", Subscription, id=of)
    latest = await visit.calls.read("list_subscription_deliveries", DeliveryPage, {"limit": "10"}, id=of)
    status = None
    if visit.may(Capability.SECRET) and subscription_secret.has_secret(found):
        status = await visit.calls.read("read_secret_status", SecretStatus, id=of)
    link = visit.principal.portal
    return Endpoint(
        subscription=found,
        version=version,
        latest=latest.data,
        contacts=contacts_line(found.contacts),
        secret=status,
        kept=await subscription.kept_objective(visit, found),
        taken=subscription.taken(found, latest),
        failed=await subscription.failed_of(visit, found, latest.data),
        has_all=link is not None and link.subscriptions == "all",
    )


async def change(visit: Visit) -> SeeOther:
    found = await visit.calls.read("read_subscription", Subscription, id=visit.params["id"])
    return await _patch(visit, subscription_settings.edited(visit, found), "changed")


async def change_headers(visit: Visit) -> SeeOther:
    """Values are not shown, so what is typed replaces all headers. If nothing is typed, they stay; a box is ticked to
    remove them all."""
    headers = dict(subscriptions.typed_headers(visit))
    changed = {"headers": headers} if headers or visit.given("none") else {}
    return await _patch(visit, changed, "headers" if changed else "same")


async def _patch(visit: Visit, changed: Mapping[str, Any], done: str) -> SeeOther:
    await visit.calls.change(
        "patch_subscription", changed, key=visit.given("key"), if_match=visit.given("version"), id=visit.params["id"]
    )
    return SeeOther(f"/subscriptions/{visit.params['id']}", done)


async def test(visit: Visit) -> ShownOnce:
    return msgspec.structs.replace(await subscription.test(visit), template="portal/tested.html")


async def test_new_secret(visit: Visit) -> ShownOnce:
    return msgspec.structs.replace(await subscription_secret.test_new_secret(visit), template="portal/tested.html")


async def rotate(visit: Visit) -> ShownOnce:
    return msgspec.structs.replace(await subscription_secret.rotate(visit), template="portal/rotated.html")


async def promote(visit: Visit) -> SeeOther:
    await subscription_secret.promote(visit)
    return subscription.back(visit, "promoted")


# --- A new one --------------------------------------------------------------------------------------------------------


class NewEndpoint(Struct, frozen=True):
    given: Mapping[str, str]
    chosen: Sequence[str]


async def view_new(visit: Visit) -> NewEndpoint:
    visit.need(Capability.CREATE)
    return NewEndpoint(
        {name: visit.given(name) for name in ("name", "url", CONTACTS)}, visit.chosen("type", visit.event_types)
    )


async def create(visit: Visit) -> ShownOnce:
    made = await visit.calls.change("create_subscription", subscriptions.asked_for(visit), key=visit.given("key"))
    return ShownOnce("portal/created.html", msgspec.json.decode(made, type=NewSubscription))


async def view_new_read(visit: Visit) -> new_read.NewReadView:
    visit.need(Capability.CREATE)
    return await new_read.view(visit)


async def create_read(visit: Visit) -> ShownOnce:
    return ShownOnce("portal/created.html", await new_read.made(visit))


# --- Deliveries -------------------------------------------------------------------------------------------------------


class Deliveries(Struct, frozen=True):
    page: ListPart[Delivery]
    looked_back_to: str | None
    status: str
    statuses: Sequence[str] = _STATUSES
    subscription: Subscription | None = None
    """The one that they are deliveries of; None if they are those of all that the link reaches."""

    @property
    def nothing(self) -> str:
        return none_listed(self.page, self.looked_back_to)


async def view_deliveries(visit: Visit) -> Deliveries:
    of, status = visit.params["id"], visit.query.get("status", "")
    query = {"status": status, "cursor": visit.cursor}
    page = await visit.calls.read("list_subscription_deliveries", DeliveryPage, query, id=of)
    found = await visit.calls.read("read_subscription", Subscription, id=of)
    shown = listed(visit, page, {"status": status if status in _STATUSES else ""})
    return Deliveries(shown, page.looked_back_to, status, subscription=found)


async def view_every_delivery(visit: Visit) -> Deliveries:
    """The deliveries of all subscriptions that the link reaches."""
    status = visit.query.get("status", "")
    page = await visit.calls.read("list_deliveries", DeliveryPage, {"status": status, "cursor": visit.cursor})
    shown = listed(visit, page, {"status": status if status in _STATUSES else ""})
    return Deliveries(shown, page.looked_back_to, status)


class OneDelivery(Struct, frozen=True):
    delivery: DeliveryWithAttempts
    subscription: Subscription
    body: str | None
    """The event as it is sent, indented; None for whom that is not shown to."""
    checked: SignatureVerdict | None = None
    """The result of the signature check that was just made."""


async def view_delivery(visit: Visit) -> OneDelivery:
    of, event_id = visit.params["id"], visit.params["eventId"]
    read = await visit.calls.read("read_delivery", DeliveryWithAttempts, id=of, eventId=event_id)
    found = await visit.calls.read("read_subscription", Subscription, id=of)
    body = None
    if visit.may(Capability.PAYLOAD):
        sent = await visit.calls.read("read_delivered_event", msgspec.Raw, id=of, eventId=event_id)
        body = msgspec.json.format(bytes(sent), indent=2).decode()
    return OneDelivery(read, found, body)


async def check(visit: Visit) -> ShownOnce:
    """Whether a signature that the customer computes is right."""
    shown = msgspec.structs.replace(await view_delivery(visit), checked=await delivery.checked(visit))
    return ShownOnce("portal/delivery.html", shown)


async def send_again(visit: Visit) -> SeeOther:
    of, event_id = visit.params["id"], visit.params["eventId"]
    await visit.calls.change("retry_delivery", key=visit.given("key"), id=of, eventId=event_id)
    return SeeOther(f"/subscriptions/{of}/deliveries/{event_id}", "sent")


# --- Many again -------------------------------------------------------------------------------------------------------


class Again(Struct, frozen=True):
    subscription: Subscription
    given: Mapping[str, str]
    running: Sequence[ShownReplay]
    plan: ReplayCount | None = None
    """What would be sent, once the visitor asked for it."""


async def view_again(visit: Visit) -> Again:
    visit.need(Capability.REPLAY)
    of = visit.params["id"]
    found = await visit.calls.read("read_subscription", Subscription, id=of)
    running = await visit.calls.read("list_replays", ReplayPage, {"limit": "10"}, id=of)
    return Again(found, replays.typed_span(visit), running.data)


def _span(visit: Visit) -> dict[str, Any]:
    given = replays.typed_span(visit)
    return {"from": moment_of(given["from"]), "to": moment_of(given["to"]), "status": given["status"]}


async def plan(visit: Visit) -> ShownOnce:
    """Counts, and sends nothing."""
    counted = await visit.calls.change("start_replay", {**_span(visit), "dryRun": True}, id=visit.params["id"])
    shown = msgspec.structs.replace(await view_again(visit), plan=msgspec.json.decode(counted, type=ReplayCount))
    return ShownOnce("portal/again.html", shown)


async def start(visit: Visit) -> SeeOther:
    await visit.calls.change("start_replay", _span(visit), key=visit.given("key"), id=visit.params["id"])
    return SeeOther(f"/subscriptions/{visit.params['id']}/again", "started")


async def stop(visit: Visit) -> SeeOther:
    of, replay = visit.params["id"], visit.given("replay")
    await visit.calls.change("cancel_replay", key=visit.given("key"), id=of, replayId=replay)
    return SeeOther(f"/subscriptions/{of}/again", "stopped")


PAGES = (
    Page(path="", section="", title="Endpoints", template="portal/endpoints.html", view=view_endpoints),
    Page(
        path="/subscriptions/new",
        section="",
        title="New endpoint",
        template="portal/new.html",
        view=view_new,
        forms={"check": subscriptions.check, "create": create},
    ),
    Page(
        path=new_read.PATH,
        section="",
        title="Read your events",
        template="portal/new_read.html",
        view=view_new_read,
        forms={"create": create_read},
    ),
    Page(
        path="/subscriptions/{id}",
        section="",
        title="Endpoint",
        template="portal/endpoint.html",
        view=view_endpoint,
        forms={
            "test": test,
            "test-new": test_new_secret,
            "pause": subscription.pause,
            "resume": subscription.resume,
            "change": change,
            "limit": subscription.limit,
            "headers": change_headers,
            "rotate": rotate,
            "promote": promote,
        },
        done={
            "paused": "Paused. Events wait until it is resumed.",
            "resumed": "Resumed. Waiting events are being sent now.",
            "changed": "Saved.",
            "limited": subscription.LIMITED,
            "headers": "The headers were replaced.",
            "same": "No header was typed, so all are as they were.",
            "promoted": "The new secret is the only one now.",
        },
    ),
    Page(
        path="/deliveries",
        section="",
        title="Deliveries",
        template="portal/every_delivery.html",
        view=view_every_delivery,
    ),
    Page(
        path="/subscriptions/{id}/deliveries",
        section="",
        title="Deliveries",
        template="portal/deliveries.html",
        view=view_deliveries,
    ),
    Page(
        path="/subscriptions/{id}/deliveries/{eventId}",
        section="",
        title="Delivery",
        template="portal/delivery.html",
        view=view_delivery,
        forms={"send": send_again, "check": check},
        done={"sent": "One more attempt is being made now."},
    ),
    Page(
        path=evidence.PATH_OF_PAGE,
        section="",
        title="Evidence",
        template="portal/evidence.html",
        view=evidence.view,
        is_shared=False,
    ),
    Page(
        path="/subscriptions/{id}/again",
        section="",
        title="Send again",
        template="portal/again.html",
        view=view_again,
        forms={"plan": plan, "start": start, "stop": stop},
        done={
            "started": "It is being sent again, along with everything new.",
            "stopped": "Stopped. What was queued is still sent.",
        },
    ),
    *receiver_pages.PAGES,
)
