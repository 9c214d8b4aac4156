"""Notices: what one message says, and how it is written as an event of the tenant `operations`.

A notice is an event like any other, so whatever delivers events delivers notices: its `data` has a notice in the place
of a document. All notices of a kind share a document's id, so that "opened" is delivered before "closed" (C17).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from signalpost.domain.access.tenant import OPERATIONS_TENANT
from signalpost.domain.event import Event, EventType, build, event_id
from signalpost.domain.operations.conditions import ConditionRow, What, document_of
from signalpost.domain.operations.kinds import KINDS, About, Severity
from signalpost.domain.timestamps import format_timestamp, readable

MOST_NAMED: Final = 20
"""How many subjects a notice names."""
_NAMED_IN_SENTENCE: Final = 3


class Subject(Struct, frozen=True, kw_only=True, rename="camel"):
    """What one of the conditions is about."""

    type: Literal["subscription", "key", "source", "node", "gateway"]
    id: Annotated[str, Meta(description="Its id; of a node, the name of its machine.")]
    name: str
    tenant: Annotated[str | None, Meta(description="The tenant that it is of; null for a node or the gateway.")]


class Notice(Struct, frozen=True, kw_only=True, rename="camel"):
    """One message, about conditions of one kind."""

    sentence: Annotated[str, Meta(description="All that a person need read.")]
    what: Annotated[
        Literal["opened", "still", "closed"], Meta(description="What became of the conditions; `still` is a reminder.")
    ]
    kind: Annotated[str, Meta(extra_json_schema={"enum": list(KINDS)})]
    severity: Literal["info", "warning", "critical"]
    action: Annotated[
        Literal["trigger", "resolve"],
        Meta(description="`resolve` if nothing of this kind is wrong any more, else `trigger`, as pagers call it."),
    ]
    tenant: Annotated[str | None, Meta(description="The tenant that all of them are of; null if there is no such one.")]
    count: Annotated[int, Meta(description="How many conditions it tells of.")]
    subjects: Annotated[list[Subject], Meta(description=f"What they are about; the first {MOST_NAMED}.")]
    since: Annotated[str, Meta(description="Since when the first of them is so.")]
    url: Annotated[str, Meta(description="The page of the console that shows more.")]


def notice_of(
    what: What, told: Sequence[ConditionRow], others: int, tenants: Mapping[int, str], public_url: str
) -> Notice:
    """The message about conditions of one kind. `others` are as many more of the kind that stay open, `tenants` are
    the names of tenants by their numbers."""
    kind = KINDS[told[0].kind]
    of_tenant = {row.tenant_id for row in told}
    only = of_tenant.pop() if len(of_tenant) == 1 else OPERATIONS_TENANT
    return Notice(
        what=what.value,
        kind=told[0].kind,
        severity=_wire(max(row.severity for row in told)),
        action="resolve" if what is What.CLOSED and not others else "trigger",
        tenant=None if only == OPERATIONS_TENANT else tenants.get(only),
        count=len(told),
        subjects=[
            Subject(
                type=kind.about.value,
                id=row.subject,
                name=row.name,
                tenant=None if row.tenant_id == OPERATIONS_TENANT else tenants.get(row.tenant_id),
            )
            for row in told[:MOST_NAMED]
        ],
        since=format_timestamp(min(row.since for row in told)),
        sentence=sentence_of(what, told),
        url=_page(kind.about, told, tenants.get(only, ""), kind.link, public_url),
    )


def _wire(severity: Severity) -> Literal["info", "warning", "critical"]:
    wire: Literal["info", "warning", "critical"] = severity.wire  # type: ignore[assignment]
    return wire


def sentence_of(what: What, told: Sequence[ConditionRow]) -> str:
    """What a notice says, for people."""
    kind = KINDS[told[0].kind]
    one, several = kind.closed if what is What.CLOSED else kind.opened
    if len(told) == 1:
        [row] = told
        said = one.format(name=row.name)
        detail = "" if what is What.CLOSED or not row.detail else f" {row.detail}"
        still = f" It has been so since {readable(row.since)}." if what is What.STILL else ""
        return f"{said}{detail}{still}"
    named = ", ".join(row.name for row in told[:_NAMED_IN_SENTENCE])
    more = len(told) - _NAMED_IN_SENTENCE
    return f"{several.format(count=f'{len(told):,}')} {named}{f' and {more:,} more' if more > 0 else ''}."


def _page(about: About, told: Sequence[ConditionRow], tenant: str, link: str, public_url: str) -> str:
    if not tenant or about in (About.NODE, About.GATEWAY):
        return f"{public_url}/console/gateway"
    if about is About.SUBSCRIPTION and len(told) == 1:
        return f"{public_url}/console/t/{tenant}/subscriptions/{told[0].subject}"
    return f"{public_url}/console/t/{tenant}{link}"


def sample(tenant_id: int, sequence: int, now: int, random_bits: Callable[[int], int]) -> Event:
    """A notice for testing an endpoint; it is in no log."""
    at, identity = format_timestamp(now), event_id(now, random_bits(62))
    shown = Notice(
        what="opened",
        kind="subscriptionFailing",
        severity="warning",
        action="trigger",
        tenant="default",
        count=1,
        subjects=[Subject(type="subscription", id=event_id(now, random_bits(62)), name="A sample", tenant="default")],
        since=at,
        sentence="Sample: a test of your endpoint. Nothing is wrong.",
        url="https://example.com/console",
    )
    body = build(EventType.NOTICE, now, identity, msgspec.json.encode(shown))
    return Event(tenant_id, sequence, now, identity, int(EventType.NOTICE), document_of(shown.kind), body)
