"""The rules of receivers, each with the requests that show whether it is kept.

A rule is a function that sends requests and raises Broken, with what was seen, if the receiver breaks it. The order
matters: what cannot be judged after a broken gate (`GATES`) is not checked.
"""

import asyncio
import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from signalpost.destinations.webhook import RequestKind
from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.delivery.receiver_cases import LARGE_FACTS, MENDS
from signalpost.domain.event import OF_DOCUMENTS
from signalpost.domain.timestamps import DAY, SECOND
from signalpost.local.doctor.drafts import Envelope, RequestDraft, created_at, encoded, envelope, external_id
from signalpost.local.doctor.finding import Broken
from signalpost.local.doctor.patient import Patient
from signalpost_receiver.sign import PAGE_SIGNATURE, STANDARD_SIGNATURE

AT_ONCE: Final = 10
OVERSIZED: Final = 4 * 1024 * 1024
DEEP: Final = 100_000
IN_2017: Final = 1_500_000_000 * SECOND
ANOTHER_SECRET: Final = "none of the receiver's secrets"  # noqa: S105 - it opens nothing
CREATED, UPDATED = "documentCreated", "documentUpdated"


class Rule(Struct, frozen=True):
    """One thing that a receiver has to do."""

    name: str
    title: str
    check: Callable[[Patient], Awaitable[None]]
    fix: str
    clause: str = ""
    required: bool = True
    """Whether every receiver must keep it; otherwise a good one does."""


# --- Gates: without these, nothing else says anything -----------------------------------------------------------------


async def _answers(patient: Patient) -> None:
    outcome = await patient.send(patient.drafts.signed(envelope(CREATED, patient.now()), patient.now()))
    if outcome.status is None or outcome.failure is Failure.TIMEOUT:
        raise Broken(f"A genuine event was not answered: {outcome.detail or outcome.failure}")


async def _redirects(patient: Patient) -> None:
    outcome = await patient.send(patient.drafts.signed(envelope(CREATED, patient.now()), patient.now()))
    if outcome.failure is Failure.REDIRECT:
        raise Broken(f"A genuine event was answered {outcome.status}, which leads elsewhere.")


async def _genuine(patient: Patient) -> None:
    for event_type in OF_DOCUMENTS:
        event = envelope(event_type, patient.now())
        await patient.takes(patient.drafts.signed(event, patient.now()), f"A genuine {event_type}")


# --- Genuine requests that careless receivers refuse ------------------------------------------------------------------


async def _raw_body(patient: Patient) -> None:
    for write in (_escaped, _indented, _with_another_zero):
        event = envelope(CREATED, patient.now(), contractValue=0.0, title="Zoë’s Vertrag – 契約")
        draft = patient.drafts.signed(write(event), patient.now())
        await patient.takes(draft, "An event that is signed as it is, but written as no JSON library would write it,")


def _escaped(event: Envelope) -> bytes:
    return json.dumps(event, ensure_ascii=True, separators=(",", ":")).encode()


def _indented(event: Envelope) -> bytes:
    return json.dumps(event, indent=1, sort_keys=True, ensure_ascii=False).encode()


def _with_another_zero(event: Envelope) -> bytes:
    return encoded(event).replace(b'"contractValue":0.0', b'"contractValue":0.00')


async def _header_case(patient: Patient) -> None:
    for change in (str.upper, str.title):
        draft = patient.drafts.signed(envelope(CREATED, patient.now()), patient.now())
        changed = replace(draft, headers={change(name): value for name, value in draft.headers.items()})
        await patient.takes(changed, "A request whose headers are written in other case")


async def _nulls(patient: Patient) -> None:
    nothing = dict.fromkeys(
        ("startDate", "executedAt", "expiryDate", "referenceId", "contractValue", "latestVersion", "counterpartyName",
         "publishedVersion")
    )  # fmt: skip
    event = envelope(CREATED, patient.now(), **nothing, additionalFacts={})
    await patient.takes(patient.drafts.signed(event, patient.now()), "An event with null for all that may be null")


async def _large(patient: Patient) -> None:
    event = envelope(CREATED, patient.now(), additionalFacts=LARGE_FACTS)
    await patient.takes(patient.drafts.signed(event, patient.now()), f"An event of {len(encoded(event)) // 1024} KiB")


async def _duplicates(patient: Patient) -> None:
    event = envelope(CREATED, patient.now())
    for attempt in (1, 2, 3):
        draft = patient.drafts.signed(event, patient.now(), attempt=attempt)
        await patient.takes(draft, "A genuine event" if attempt == 1 else "The same event, sent again,")


async def _at_once(patient: Patient) -> None:
    drafts = [patient.drafts.signed(envelope(CREATED, patient.now()), patient.now()) for _ in range(AT_ONCE)]
    await patient.take(drafts, f"{AT_ONCE} events that were sent at the same time")


async def _order(patient: Patient) -> None:
    older = created_at(envelope(UPDATED, patient.now()), patient.now() - 2 * SECOND)
    newer = created_at(older, patient.now() - SECOND)
    await patient.takes(patient.drafts.signed(newer, patient.now()), "A genuine event")
    await patient.takes(patient.drafts.signed(older, patient.now()), "An event that a newer one had overtaken")


async def _late(patient: Patient) -> None:
    event = created_at(envelope(CREATED, patient.now()), patient.now() - 3 * DAY)
    draft = patient.drafts.signed(event, patient.now(), kind=RequestKind.REPLAY)
    await patient.takes(draft, "An event of three days ago, replayed and signed now,")


async def _sample(patient: Patient) -> None:
    draft = patient.drafts.signed(envelope(CREATED, patient.now()), patient.now(), kind=RequestKind.TEST)
    await patient.takes(draft, "A sample event (signalpost-test: true)")


async def _old_secret(patient: Patient) -> None:
    event = envelope(CREATED, patient.now())
    draft = patient.drafts.signed(event, patient.now(), next_secret=ANOTHER_SECRET)
    await patient.takes(draft, "An event that a second secret signed, too, as while a rotation lasts,")


async def _new_secret(patient: Patient) -> None:
    event = envelope(CREATED, patient.now())
    draft = patient.drafts.signed(event, patient.now(), secret=ANOTHER_SECRET, next_secret=patient.drafts.secret)
    await patient.takes(draft, "An event whose alternate signature alone is the receiver's secret's")


async def _new_values(patient: Patient) -> None:
    status = envelope(UPDATED, patient.now(), status="awaitingNotary")
    await patient.takes(patient.drafts.signed(status, patient.now()), "An event with a status that is new")
    member = envelope(UPDATED, patient.now(), colour="blue")
    await patient.takes(patient.drafts.signed(member, patient.now()), "An event with an attribute that is new")
    kind = {**envelope(UPDATED, patient.now()), "type": "documentArchived"}
    await patient.takes(patient.drafts.signed(kind, patient.now()), "An event of a type that is new")


# --- Forgeries --------------------------------------------------------------------------------------------------------


async def _unsigned(patient: Patient) -> None:
    draft = patient.drafts.signed(envelope(CREATED, patient.now()), patient.now())
    await patient.refuses(_without_signatures(draft), "A request without a signature")


async def _wrong_secret(patient: Patient) -> None:
    draft = patient.drafts.signed(envelope(CREATED, patient.now()), patient.now(), secret=ANOTHER_SECRET)
    await patient.refuses(draft, "A request that another secret signed")


async def _tampered(patient: Patient) -> None:
    draft = patient.drafts.signed(envelope(CREATED, patient.now()), patient.now())
    changed = draft.with_body(draft.body.replace(b"owner@", b"thief@"))
    await patient.refuses(changed, "A request whose body was changed after it was signed")


async def _part_of_a_signature(patient: Patient) -> None:
    draft = patient.drafts.signed(envelope(CREATED, patient.now()), patient.now())
    page = draft.headers[PAGE_SIGNATURE]
    alone = _without_signatures(draft)
    for part in ("", page[:8], page[:-2]):
        what = f"A signature of which {len(part)} of {len(page)} digits are there"
        await patient.refuses(alone.with_headers(plexus_webhook_signature=part), what)


async def _empty_secret(patient: Patient) -> None:
    draft = patient.drafts.signed(envelope(CREATED, patient.now()), patient.now())
    signed = f"{draft.headers['webhook-id']}.{draft.headers['webhook-timestamp']}.".encode() + draft.body
    standard = b64encode(hmac.new(b"", signed, hashlib.sha256).digest()).decode()
    forged = draft.with_headers(
        plexus_webhook_signature=hmac.new(b"", draft.body, hashlib.sha512).hexdigest(),
        webhook_signature=f"v1,{standard}",
    )
    await patient.refuses(forged, "A request that was signed with an empty secret")


async def _borrowed_signature(patient: Patient) -> None:
    draft = patient.drafts.signed(envelope(CREATED, patient.now()), patient.now())
    other = patient.drafts.signed(envelope(CREATED, patient.now()), patient.now())
    forged = other.with_headers(**{PAGE_SIGNATURE: None, STANDARD_SIGNATURE: draft.headers[STANDARD_SIGNATURE]})
    await patient.refuses(forged, "A request with the webhook-signature of another one")


async def _stale(patient: Patient) -> None:
    event = created_at(envelope(CREATED, patient.now()), IN_2017)
    await patient.refuses(patient.drafts.signed(event, IN_2017), "A request that was signed in 2017")
    event = envelope(CREATED, patient.now())
    await patient.refuses(patient.drafts.signed(event, patient.now() + DAY), "A request that is signed as of tomorrow")


# --- What is malformed ------------------------------------------------------------------------------------------------


async def _strange_signatures(patient: Patient) -> None:
    alone = _without_signatures(patient.drafts.signed(envelope(CREATED, patient.now()), patient.now()))
    for value, what in (
        ("\xe9" * 128, "that is not ASCII"),
        ("a" * 7_000, "of 7000 characters"),
        ("%00{}", "of signs"),
    ):
        changed = alone.with_headers(plexus_webhook_signature=value)
        await patient.refuses(changed, f"A signature {what}")
    standard = alone.with_headers(webhook_signature="v1", webhook_timestamp="yesterday")
    await patient.refuses(standard, "A webhook-signature without a comma and a timestamp without digits")


async def _unsigned_garbage(patient: Patient) -> None:
    alone = _without_signatures(patient.drafts.signed(envelope(CREATED, patient.now()), patient.now()))
    for body, what in ((b"", "An empty body"), (b"\xff\xfe\x00", "A body that is no text"), (b"{", "Half of a body")):
        await patient.refuses(alone.with_body(body), f"{what} without a signature")


async def _signed_garbage(patient: Patient) -> None:
    for body, what in (
        (b"\xff\xfe\x00", "Signed bytes that are no text"),
        (b"[1, 2", "Signed bytes that are no JSON"),
        (b'"documentCreated"', "A signed text in place of an event"),
        (b'{"id": 7, "type": "documentCreated"}', "A signed event without a document"),
        (b"[" * DEEP, f"Signed JSON that is {DEEP} levels deep"),
    ):
        await patient.refuses(patient.drafts.signed(body, patient.now()), what)


async def _oversized(patient: Patient) -> None:
    event = envelope(CREATED, patient.now(), title="x" * OVERSIZED)
    draft = patient.drafts.signed(event, patient.now())
    await patient.refuses(draft, f"A signed body of {OVERSIZED // 1024 // 1024} MiB", may_close=True)


# --- What only the receiver knows -------------------------------------------------------------------------------------


async def _handled_once(patient: Patient) -> None:
    event = envelope(CREATED, patient.now())
    await patient.inspect(external_id(event))
    await asyncio.gather(*(patient.send(patient.drafts.signed(event, patient.now())) for _ in range(3)))
    await patient.send(patient.drafts.signed(event, patient.now(), attempt=2))
    handled = (await patient.handled(external_id(event))).handled
    if handled != 1:
        raise Broken(f"An event that was sent four times was handled {handled} times.")


async def _newest_wins(patient: Patient) -> None:
    older = created_at(envelope(UPDATED, patient.now(), title="older"), patient.now() - 2 * SECOND)
    newer = created_at(older, patient.now() - SECOND)
    newer = {**newer, "data": {"document": {**older["data"]["document"], "title": "newer"}}}
    await patient.inspect(external_id(newer))
    for event in (newer, older):
        await patient.send(patient.drafts.signed(event, patient.now()))
    title = (await patient.handled(external_id(newer))).title
    if title != "newer":
        raise Broken(f"After a newer and then an older event, the document's title is {title!r}: the older one's.")


async def _forged_unhandled(patient: Patient) -> None:
    event = envelope(CREATED, patient.now())
    await patient.inspect(external_id(event))
    await patient.send(patient.drafts.signed(event, patient.now(), secret=ANOTHER_SECRET))
    genuine = envelope(CREATED, patient.now())
    await patient.send(patient.drafts.signed(genuine, patient.now()))
    await patient.handled(external_id(genuine))
    if (await patient.inspect(external_id(event))).handled:
        raise Broken("An event that another secret signed was handled.")


def _without_signatures(draft: RequestDraft) -> RequestDraft:
    return draft.with_headers(plexus_webhook_signature=None, webhook_signature=None)


GATES: Final = ("answers", "redirects", "genuine")
_RAW = "Compute the HMAC-SHA512 of the body's bytes as they arrived, before anything parses or decodes them."
_COMPARE = "Compare the whole signature, in constant time, and refuse a request whose signature is missing or empty."
_CATCH = "Catch malformed input and answer 4xx: compare bytes, not texts, and expect any value in a header."
RULES: Final[tuple[Rule, ...]] = (
    Rule("answers", "Answers within the attempt's time", _answers,
         "Store the event, answer 2xx within 5 s, and do the work afterwards.", "C15"),
    Rule("redirects", "Answers without a redirect", _redirects,
         "Subscribe with the final URL: redirects are not followed.", "C15"),
    Rule("genuine", "Accepts genuine events of every type", _genuine,
         "Check the secret; answer 2xx to every event that verifies, also of types that you do not need.", "C19"),
    Rule("raw-body", "Verifies the bytes as they arrived", _raw_body, _RAW, "C19"),
    Rule("header-case", "Finds headers in any case", _header_case,
         "Look headers up without regard to case: proxies change it.", "C19"),
    Rule("nulls", "Accepts events with nulls", _nulls, "Expect null wherever the contract allows it.", "C8"),
    Rule("large", "Takes large events", _large,
         MENDS["large"], "C13"),
    Rule("duplicates", "Answers 2xx to a repeated event", _duplicates,
         MENDS["retry"], "C2"),
    Rule("at-once", "Accepts concurrent events", _at_once,
         "Serve requests concurrently, or answer before you do the work.", "C15"),
    Rule("order", "Answers 2xx to a late event", _order,
         MENDS["late"], "C17"),
    Rule("late", "Accepts replays of old events", _late,
         MENDS["replay"], "C16"),
    Rule("sample", "Takes sample events", _sample, "Answer 2xx to signalpost-test: true, and do nothing.", "C18"),
    Rule("old-secret", "Accepts events while its secret is rotated", _old_secret,
         MENDS["rotation"], "C21"),
    Rule("new-secret", "Finds its secret in the alternate signature", _new_secret,
         "Check plexus-webhook-signature-alternate, too; or have both secrets until the rotation ends.", "C21",
         required=False),
    Rule("new-values", "Accepts what later versions may add", _new_values,
         "Tolerate unknown statuses, attributes and types, and answer 2xx.", "C12", required=False),
    Rule("unsigned", "Refuses unsigned requests", _unsigned, _COMPARE, "C19"),
    Rule("wrong-secret", "Refuses what another secret signed", _wrong_secret, _COMPARE, "C19"),
    Rule("tampered", "Refuses changed bodies", _tampered, _RAW, "C19"),
    Rule("part-of-a-signature", "Refuses a partial signature", _part_of_a_signature, _COMPARE, "C19"),
    Rule("empty-secret", "Refuses what an empty secret signed", _empty_secret,
         "Refuse to start without a secret; an unset variable must not become an empty one.", "C19"),
    Rule("borrowed-signature", "Refuses another request's signature", _borrowed_signature,
         "webhook-signature covers webhook-id, webhook-timestamp and the body: check all three.", "C20"),
    Rule("stale", "Refuses old signatures", _stale,
         "Refuse a webhook-timestamp that is hours from now, so that a recorded request is useless.", "C20",
         required=False),
    Rule("strange-signatures", "Stands strange signatures", _strange_signatures, _CATCH),
    Rule("unsigned-garbage", "Survives bodies that are not events", _unsigned_garbage,
         "Verify before you parse: answer 4xx to unsigned requests, whatever their body."),
    Rule("signed-garbage", "Survives signed bodies that are not events", _signed_garbage,
         "Catch every error of parsing, recursion included, and answer 400.", required=False),
    Rule("oversized", "Refuses bodies larger than any event", _oversized,
         "Refuse bodies of more than 1 MiB before you read them (413).", "C13", required=False),
    Rule("handled-once", "Handles an event once", _handled_once,
         "Store the ids of events in the transaction that handles them, and skip known ids.", "C2"),
    Rule("newest-wins", "Ends with the newest state", _newest_wins,
         "Store createdAt and id with each document, and skip older events.", "C5"),
    Rule("forged-unhandled", "Ignores forged events", _forged_unhandled,
         "Verify before you do anything else.", "C19"),
    Rule("still-well", "Still works after all of this", _genuine,
         "Something in this exam broke the receiver: see its log."),
)  # fmt: skip
"""Every rule, in the order in which it is checked."""
