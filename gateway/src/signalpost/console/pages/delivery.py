"""The page of one delivery: why the event did, or did not, reach the endpoint."""

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import UNSET, Struct

from signalpost.api.routing.shapes.deliveries import Delivery, DeliveryPage, DeliveryWithAttempts
from signalpost.api.routing.shapes.documents import LogEntry
from signalpost.api.routing.shapes.subscriptions import SecretStatus, SignatureVerdict, Subscription
from signalpost.console.differences import Difference
from signalpost.console.drawings import words
from signalpost.console.page import Page, SeeOther, ShownOnce, Visit, only_reads
from signalpost.console.pages.documents import changes_of, events_of
from signalpost.domain.delivery.explanation import Cause
from signalpost_receiver.sign import PAGE_SIGNATURE

UPDATED: Final = "documentUpdated"
NAMED: Final = 4
"""How many attributes are named that an event changed."""


NO_DELIVERY: Final[Mapping[str, str]] = {
    Cause.TYPE_NOT_WANTED: "not wanted there",
    Cause.SUBSCRIBED_LATER: "subscribed later",
    Cause.BACKLOG_SKIPPED: "skipped at a resume",
    Cause.REMOVED: "no longer kept",
}
"""Why a subscription has no delivery of an event, in a few words."""


class SentEvent(Struct, frozen=True):
    """An event of the log, with the bytes that are the body of every request with it. To put a large one in words
    takes milliseconds, so that is asked as the page is drawn."""

    entry: LogEntry
    content: bytes

    @classmethod
    def of(cls, answer: bytes) -> "SentEvent":
        return cls(msgspec.json.decode(answer, type=LogEntry), bytes_of(answer))

    @property
    def title(self) -> str:
        """The document's title at the event; of a notice, what it says."""
        data = self.entry.event.data
        if data.notice is not UNSET:
            return data.notice.sentence
        document = data.kept_document
        return "An erased document" if document is None else document.title

    @property
    def body(self) -> str:
        """The event as its receivers get it, indented."""
        return msgspec.json.format(self.content, indent=2).decode()

    @property
    def sha256(self) -> str:
        """The first and the last digits."""
        digest = hashlib.sha256(self.content).hexdigest()
        return f"{digest[:8]} … {digest[-8:]}"

    def changes(self, before: Sequence[LogEntry]) -> Sequence[Difference]:
        """What it changed of its document, if the event before it is known."""
        return changes_of([self.entry, *before]).get(self.entry.event.id, ())


class SignatureDetails(Struct, frozen=True):
    """How an event's bytes are signed, without the secret."""

    since: str
    """Since when the secret signs."""
    fingerprint: str
    signature: str | None
    """What the last request had, if what it sent is kept."""


class DeliveryPageView(Struct, frozen=True):
    delivery: DeliveryWithAttempts
    subscription: Subscription
    event: SentEvent
    before: Sequence[LogEntry]
    """The event of the document before it, if it changed the document."""
    signed: SignatureDetails | None
    """How that is signed; None for what is no webhook."""
    others: Sequence[Delivery]
    """What happened to the event elsewhere."""
    has_more: bool
    """Whether it has still more recipients."""
    checked: SignatureVerdict | None = None
    """The result of the signature check that was just made."""

    def why_none(self, other: Delivery) -> str:
        """Why a subscription has no delivery of the event, in a few words."""
        return NO_DELIVERY.get(other.cause.code, "none")

    @property
    def changed(self) -> str:
        """What the event changed of its document, in a few words; empty if it made or deleted it."""
        names = [
            f"status → {words(each.new or '')}" if each.attribute == "status" else each.attribute
            for each in (self.event.changes(self.before) if self.before else ())
        ]
        return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")

    @property
    def curl(self) -> str | None:
        """A command that sends it again from a shell; None for what is no webhook."""
        return None if self.signed is None else curl(self.subscription.url, self.event.content)


@only_reads
async def view(visit: Visit) -> DeliveryPageView:
    of, event_id = visit.params["id"], visit.params["eventId"]
    delivery = await visit.calls.read("read_delivery", DeliveryWithAttempts, id=of, eventId=event_id)
    subscription = await visit.calls.read("read_subscription", Subscription, id=of)
    event = await visit.calls.read_as("read_event", SentEvent.of, id=event_id)
    is_webhook = subscription.kind is UNSET
    others = await visit.calls.read("list_deliveries", DeliveryPage, {"eventId": event_id, "limit": "20"})
    return DeliveryPageView(
        delivery=delivery,
        subscription=subscription,
        event=event,
        before=await _before(visit, event.entry),
        signed=await _signed(visit, delivery) if is_webhook else None,
        others=[each for each in others.data if each.subscription_id != of],
        has_more=others.next is not None,
    )


async def _before(visit: Visit, entry: LogEntry) -> Sequence[LogEntry]:
    document = entry.event.data.kept_document
    if document is None or entry.event.type != UPDATED:
        return ()
    return await events_of(visit, document.external_id, str(entry.sequence), 1)


async def _signed(visit: Visit, delivery: DeliveryWithAttempts) -> SignatureDetails:
    secret = await visit.calls.read("read_secret_status", SecretStatus, id=delivery.subscription_id)
    return SignatureDetails(secret.since, secret.fingerprint, _last_signature(delivery))


def _last_signature(delivery: DeliveryWithAttempts) -> str | None:
    sent = delivery.attempts[-1].exchange if delivery.attempts else None
    headers = () if sent is None else sent.request_headers
    return next((each.value for each in headers if each.name == PAGE_SIGNATURE), None)


class _SentEntry(Struct):
    event: msgspec.Raw


def bytes_of(entry: bytes) -> bytes:
    """An event's bytes, which are the body of every request with it."""
    return bytes(msgspec.json.decode(entry, type=_SentEntry).event)


def curl(url: str, body: bytes) -> str:
    """A command for a POSIX shell that sends these very bytes, signed (C19) with the secret in $SECRET."""
    return (
        f"BODY={shlex.quote(body.decode())}\n"
        'SIGNATURE=$(printf %s "$BODY" | openssl dgst -sha512 -hmac "$SECRET" -r | cut -d " " -f 1)\n'
        f"curl -sS -i {shlex.quote(url)} -H 'content-type: application/json' \\\n"
        '  -H "plexus-webhook-signature: $SIGNATURE" --data-raw "$BODY"'
    )


async def send_again(visit: Visit) -> SeeOther:
    of, event_id = visit.params["id"], visit.params["eventId"]
    await visit.calls.change("retry_delivery", key=visit.given("key"), id=of, eventId=event_id)
    return SeeOther(f"/subscriptions/{of}/deliveries/{event_id}", "sent")


async def check(visit: Visit) -> ShownOnce:
    """Whether a customer's signature is of the body that they give, or of this event's."""
    return ShownOnce("delivery.html", msgspec.structs.replace(await view(visit), checked=await checked(visit)))


async def checked(visit: Visit) -> SignatureVerdict:
    """Check the signature that was typed. If no body was typed, check it for this event's body, which the visitor must
    be allowed to read."""
    of, body = visit.params["id"], visit.form.get("body", [""])[0]
    if not body:
        event_id = visit.params["eventId"]
        body = bytes(await visit.calls.read("read_delivered_event", msgspec.Raw, id=of, eventId=event_id)).decode()
    return await verdict_on_typed(visit, body)


async def verdict_on_typed(visit: Visit, body: str) -> SignatureVerdict:
    """Whether the signature that was typed is of a body. With a timestamp, it is a `webhook-signature`."""
    asked = {"signature": visit.given("signature"), "body": body}
    if timestamp := visit.given("timestamp"):
        asked["timestamp"] = timestamp
    checked = await visit.calls.change("check_signature", asked, id=visit.params["id"])
    return msgspec.json.decode(checked, type=SignatureVerdict)


async def pause(visit: Visit) -> SeeOther:
    of, event_id = visit.params["id"], visit.params["eventId"]
    await visit.calls.change("patch_subscription", {"status": "paused"}, key=visit.given("key"), id=of)
    return SeeOther(f"/subscriptions/{of}/deliveries/{event_id}", "paused")


PAGES = (
    Page(
        path="/subscriptions/{id}/deliveries/{eventId}",
        section="Deliveries",
        title="Delivery",
        template="delivery.html",
        view=view,
        forms={"check": check, "send": send_again, "pause": pause},
        done={
            "sent": "One more attempt is being made now.",
            "paused": "The endpoint is paused. Its events wait until it is resumed.",
        },
    ),
)
