"""Checks of what clients send for a subscription, as far as they need to know the tenant, the kinds or the network."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import UNSET
from msgspec.structs import replace

from signalpost.api.configs import check_connected, config_check, kind_check
from signalpost.api.routing.context import RequestContext
from signalpost.domain import beginning, endpoint, shadow
from signalpost.domain.access.portal_link import Capability
from signalpost.domain.access.tenant import OPERATIONS_TENANT
from signalpost.domain.beginning import Beginning
from signalpost.domain.checks import Bad, Check, Several, pointer
from signalpost.domain.connection import Connection
from signalpost.domain.errors import FieldError, Forbidden, Invalid
from signalpost.domain.event import OF_DOCUMENTS, OF_OPERATIONS
from signalpost.domain.oauth import OAuthClient
from signalpost.domain.shown_url import meant_url
from signalpost.domain.subscription import POLL, WEBHOOK, Delay, Subscription
from signalpost.domain.subscription_requests import ConnectorRequest, ReadRequest, SubscriptionRequest
from signalpost.domain.timestamps import parse_timestamp
from signalpost.sender.addresses import target_refusal

_EDITABLE: Final = frozenset({"name", "url", "headers", "status", "skipBacklog", "rateLimit", "contacts"})
"""The members of their subscriptions that customers may change."""


def vetted(context: RequestContext, present: str | None = None) -> Check:
    """The check of a URL: it refuses an address that no attempt would dial, and a URL with `***` that does not stand
    for the present one. A URL that stays the same needs no check, because a host name is checked whenever it is
    resolved. Customers cannot use the targets that the operator allows as exceptions."""
    guard = context.services.guard
    if context.portal is not None:
        guard = replace(guard, allowed=())

    def check(url: str) -> str:
        if meant_url(url, present) == present:
            return url
        refusal = target_refusal(endpoint.parse_url(url).target, guard)
        if refusal is not None:
            raise Bad("address_refused", refusal)
        return url

    return check


def oauth_check(context: RequestContext) -> Check:
    """The check that refuses a token endpoint at an address that would not be dialled: see `vetted`."""
    check_url = vetted(context)

    def check(client: OAuthClient | None) -> OAuthClient | None:
        if client is not None:
            try:
                check_url(client.token_url)
            except Bad as bad:
                raise Bad(bad.code, bad.detail, ("tokenUrl",)) from None
        return client

    return check


def require_editable(context: RequestContext, sent: Mapping[str, Any]) -> None:
    """Raise Invalid if a customer tries to change which events they get, or how the gateway works for them. A customer
    whose link reaches the whole tenant may choose event types."""
    if context.portal is None:
        return
    editable = _EDITABLE | {"eventTypes"} if context.portal.subscriptions == "all" else _EDITABLE
    detail = "Your portal link does not allow you to change it."
    errors = [FieldError(pointer(name), "not_allowed", detail) for name in sent if name not in editable]
    if errors:
        raise Invalid(errors[: Invalid.MAX_NAMED])


def webhook_checks(context: RequestContext) -> dict[str, Check]:
    return {
        "url": vetted(context),
        "oauth": oauth_check(context),
        "eventTypes": types_check(context),
        "after": delay_check(context),
        "contacts": contacts_check(context),
    }


def read_checks(context: RequestContext) -> dict[str, Check]:
    return {
        "eventTypes": types_check(context),
        "after": delay_check(context),
        "contacts": contacts_check(context),
    }


def connector_checks(context: RequestContext, sent: Mapping[str, Any]) -> dict[str, Check]:
    """The checks of the members of a subscription that uses a connection. Raises Forbidden for a customer."""
    if context.portal is not None:
        detail = "Only webhooks, and subscriptions that are read, can be made here."
        raise Forbidden("not_in_portal_link", detail)
    kind, connection = sent.get("kind"), named_connection(context, sent.get("connection"))
    return {
        "kind": kind_check(context.services),
        "connection": connection_check(context, kind),
        "config": config_check(context.services, kind, connection, context.principal.role),
        "eventTypes": types_check(context),
        "after": delay_check(context),
        "contacts": contacts_check(context),
    }


def shadow_checks(context: RequestContext, sent: Mapping[str, Any]) -> dict[str, Check]:
    """The checks of the members of a shadow. Raises Forbidden for a customer, and Invalid for what shadows do not
    have."""
    if context.portal is not None:
        raise Forbidden("not_in_portal_link", "A shadow cannot be made here.")
    shadow.check_members(sent)
    return {"url": vetted(context), "oauth": oauth_check(context)}


def is_of_shadow(sent: Mapping[str, Any]) -> bool:
    return "shadowOf" in sent


def is_of_connector(sent: Mapping[str, Any]) -> bool:
    return sent.get("kind", WEBHOOK) not in (WEBHOOK, POLL)


def is_read(sent: Mapping[str, Any]) -> bool:
    return bool(sent.get("kind") == POLL)


def named_connection(context: RequestContext, connection_id: Any) -> Connection | None:
    if not isinstance(connection_id, str):
        return None
    return context.services.directory.connection(context.tenant_id, connection_id.lower())


def patch_checks(context: RequestContext, found: Subscription, sent: Mapping[str, Any]) -> dict[str, Check]:
    """The checks of what changes a subscription. One that moves to another connection must fit there as it is."""
    connection = named_connection(context, sent.get("connection", found.connection_id))
    check_config = config_check(context.services, found.kind, connection, context.principal.role, found)
    check_connection = connection_check(context, found.kind)

    def moved(connection_id: str) -> str:
        check_connection(connection_id)
        if "config" not in sent:
            try:
                check_config(found.config)
            except (Bad, Several) as bad:
                said = " ".join(each.detail for each in bad.under("config"))
                raise Bad("config_does_not_fit", f"The subscription does not fit this connection. {said}") from None
        return connection_id

    return {
        "url": vetted(context, found.url),
        "oauth": oauth_check(context),
        "connection": moved,
        "config": check_config,
        "eventTypes": types_check(context),
        "after": delay_check(context),
        "contacts": contacts_check(context),
    }


async def beginning_of(
    context: RequestContext, new: SubscriptionRequest | ConnectorRequest | ReadRequest
) -> Beginning | None:
    """Where a new subscription begins; None if that is the end of the log. Raises Invalid, also for a customer, who may
    never have been meant to get what was before."""
    asked = [
        name
        for name, value in ((beginning.AFTER, new.starts_after), (beginning.AT, new.starts_at))
        if value is not UNSET
    ]
    if context.portal is not None and asked:
        detail = "Your portal link does not allow you to begin in the past."
        raise Invalid([FieldError(pointer(name), "not_allowed", detail) for name in asked])
    if len(asked) == 2:
        detail = f"Send {beginning.AFTER} or {beginning.AT}, not both."
        raise Invalid([FieldError(pointer(beginning.AT), "not_with_starts_after", detail)])
    log = context.services.store.log
    if new.starts_after is not UNSET:
        return beginning.after(new.starts_after, await log.floor(context.tenant_id))
    if new.starts_at is UNSET:
        return None
    moment = parse_timestamp(new.starts_at)
    if moment > context.services.clock.wall():
        detail = "This is in the future. Leave it out to begin at the end of the log."
        raise Invalid([FieldError(pointer(beginning.AT), "in_the_future", detail)])
    first = await log.sequence_at(context.tenant_id, moment)
    found = await log.after(context.tenant_id, first - 1, 1)
    return beginning.at(moment, first, found.events[0] if found.events else None, found.floor)


def types_check(context: RequestContext) -> Check:
    """The check that refuses types of events that the tenant has none of."""
    has = OF_OPERATIONS if context.tenant_id == OPERATIONS_TENANT else OF_DOCUMENTS

    def check(event_types: tuple[str, ...]) -> tuple[str, ...]:
        if not has.keys() >= {*event_types}:
            raise Bad("not_in_tenant", f"This tenant has events of these types only: {', '.join(sorted(has))}.")
        return event_types

    return check


def contacts_check(context: RequestContext) -> Check:
    """The check that refuses contacts if nothing is told of a tenant, or if a customer may not change them."""

    def check(contacts: tuple[str, ...]) -> tuple[str, ...]:
        if contacts and context.tenant_id == OPERATIONS_TENANT:
            raise Bad("not_in_tenant", "Nothing is told of the subscriptions of this tenant.")
        if contacts and context.portal is not None and Capability.EDIT not in context.portal.can:
            raise Bad("not_allowed", "Your portal link does not allow you to name any.")
        return contacts

    return check


def connection_check(context: RequestContext, kind: Any) -> Check:
    """The check that refuses an unknown connection, one of another kind, and one that was disconnected."""

    def check(connection_id: str) -> str:
        found = named_connection(context, connection_id)
        if found is None or found.kind != kind:
            raise Bad("not_found", "There is no connection of this kind with this id.")
        check_connected(found)
        return connection_id

    return check


def delay_check(context: RequestContext) -> Check:
    """The check that refuses a delay longer than events are kept."""
    days = context.services.directory.retention_days_of(context.tenant_id)

    def check(after: Delay | None) -> Delay | None:
        if after is not None and after.seconds >= days * 24 * 3600:
            detail = f"Events are kept for {days} days: a delivery cannot wait longer."
            raise Bad("too_long", detail, ("seconds",))
        return after

    return check
