"""Checks the configs that clients send for connections and their subscriptions, with the help of their kinds.

A kind is code that an operator installed: what it raises is an answer to the client, and no defect of the call.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from signalpost.api.routing.services import Services
from signalpost.destinations.access import Access, Consent
from signalpost.destinations.fields import without_secrets
from signalpost.destinations.members import origin_of
from signalpost.domain import endpoint
from signalpost.domain.access.api_key import Role
from signalpost.domain.body import Body
from signalpost.domain.checks import Bad, Check, Several
from signalpost.domain.connection import Connection
from signalpost.domain.errors import FieldError, Invalid
from signalpost.domain.shown_url import is_url, shown_url
from signalpost.domain.subscription import Subscription
from signalpost.runtime.logger import log
from signalpost.sender.addresses import Guard, target_refusal

_NOT_LISTED: Final = (
    "This connection does not list what may be sent through it, so only operators can choose. Ask an operator to list "
    "it in the connection: its `calls`, or the `recipients` of mail."
)


class VettedConnection(Struct, frozen=True):
    """A connection's config that its kind accepted."""

    config: Mapping[str, Any]
    """The config as it is stored, with its secrets."""
    url: str
    """The first origin that it leads to."""
    needs_consent: bool
    """Whether a person has to give consent at the vendor."""


def vetted_connection(services: Services, kind: str, config: Any) -> VettedConnection:
    """Raises Invalid with every bad field's pointer, and if an origin may not be called."""
    struct = services.destinations.read_connection(kind, config)
    destination = services.destinations.kinds[kind]
    try:
        origins = destination.origins(struct)
        needs_consent = isinstance(destination.access(struct), Consent)
    except Exception:
        log.exception("a kind of destination failed", kind=kind, method="origins")
        detail = f"The destination {kind} failed to check this; the gateway's log says why."
        raise Invalid([FieldError("/config", "destination_failed", detail)]) from None
    refused = _refusals(config, origins, services.guard)
    if refused or not origins:
        raise Invalid(refused or [FieldError("/config", "address_refused", "This config names no address to call.")])
    return VettedConnection(msgspec.to_builtins(struct), origins[0], needs_consent)


def _refusals(config: Any, origins: Iterable[str], guard: Guard) -> list[FieldError]:
    refused = []
    for origin in origins:
        try:
            refusal = target_refusal(endpoint.parse_url(origin, endpoint.WEB | endpoint.MAIL).target, guard)
        except Bad as bad:
            refusal = bad.detail
        if refusal is not None:
            detail = f"Calls would go to {origin}. {refusal}"
            refused += [
                FieldError(pointer, "address_refused", detail)
                for pointer in list(_pointers_to(origin, config, "/config")) or ["/config"]
            ]
    return refused


def _pointers_to(origin: str, value: Any, pointer: str) -> Iterator[str]:
    """The members of a config that lead to an origin."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from _pointers_to(origin, member, f"{pointer}/{name}")
    elif isinstance(value, str):
        try:
            leads_there = origin_of(value) == origin
        except Bad:
            return
        if leads_there:
            yield pointer


def opened_access(services: Services, connection: Connection) -> Access:
    """The credentials for a connection's calls. Raises Invalid as `vetted_connection` does."""
    vetted_connection(services, connection.kind, connection.config)
    struct = services.destinations.read_connection(connection.kind, connection.config)
    return services.destinations.kinds[connection.kind].access(struct)


def url_of(services: Services, connection: Connection) -> str:
    """The first origin of a connection that is kept. Raises Invalid as `vetted_connection` does."""
    return vetted_connection(services, connection.kind, connection.config).url


def shown_config(services: Services, connection: Connection) -> Mapping[str, Any]:
    """A connection's config with null in place of secrets, and what may be one in a URL struck out; if its kind is
    not installed, with null in place of everything."""
    shown: Mapping[str, Any] = _struck(_without_secrets(services, connection))
    return shown


def _struck(value: Any) -> Any:
    match value:
        case str():
            return shown_url(value) if is_url(value) else value
        case Mapping():
            return {name: _struck(member) for name, member in value.items()}
    return value


def _without_secrets(services: Services, connection: Connection) -> Mapping[str, Any]:
    if connection.is_disconnected:
        return connection.config
    try:
        struct: Body = services.destinations.read_connection(connection.kind, connection.config)
    except Invalid:
        return dict.fromkeys(connection.config)
    return without_secrets(struct)


def left_of(services: Services, connection: Connection) -> tuple[Mapping[str, Any], bool]:
    """The config of a connection without what lets the gateway in, and whether a person can let it in again. Where the
    kind is not installed, it is unknown which of its members are secret, and none stays unless a person let it in."""
    try:
        access = opened_access(services, connection)
    except Invalid:
        access = None
    if isinstance(access, Consent) or (access is None and connection.granted is not None):
        return connection.config, True
    return _without_secrets(services, connection), False


# --- Checks of members of a body --------------------------------------------------------------------------------------


def kind_check(services: Services) -> Check:
    """Refuses a kind that is not installed."""

    def check(kind: str) -> str:
        if services.destinations.kind(kind) is None:
            known = ", ".join(services.destinations.kinds)
            raise Bad("unknown_kind", f"No kind of this name is installed here. Known: {known}.")
        return kind

    return check


def connection_config_check(services: Services, kind: Any) -> Check:
    """Checks the config of a connection, which becomes a `VettedConnection`. Where its kind is not known, that is
    refused and not the config."""

    def check(config: Any) -> Any:
        return _within(lambda: vetted_connection(services, kind, config)) if _is_known(services, kind) else config

    return check


def check_connected(connection: Connection) -> None:
    """Raises Bad if what lets the gateway in was forgotten: without it, no kind can read the connection."""
    if connection.is_disconnected:
        raise Bad("disconnected", "The connection was disconnected. Give it its secrets again first.")


def config_check(
    services: Services, kind: Any, connection: Connection | None, role: Role | None, kept: Subscription | None = None
) -> Check:
    """Checks the config of a subscription, which becomes JSON as it is kept. If its kind or its connection is not
    known, or it would come to a connection that was disconnected, that is refused and not the config. `role` is that of
    the caller; `kept` is the subscription that they change."""

    def check(config: Any) -> Any:
        if connection is None or connection.kind != kind or not _is_known(services, kind):
            return config
        is_kept = kept is not None and kept.connection_id == connection.id
        if connection.is_disconnected and not is_kept:
            return config
        check_connected(connection)
        vetted, is_open = _within(lambda: _vetted_config(services, connection, config))
        stays = kept is not None and is_kept and kept.config == vetted
        if not is_open and role is not Role.OPERATOR and not stays:
            raise Bad("calls_not_listed", _NOT_LISTED)
        return vetted

    return check


def _vetted_config(services: Services, connection: Connection, config: Any) -> tuple[Any, bool]:
    """The config as it is kept, and whether anyone may choose it."""
    kinds = services.destinations
    struct = kinds.read_connection(connection.kind, connection.config)
    vetted = msgspec.to_builtins(kinds.read_config(connection.kind, config, struct))
    try:
        return vetted, kinds.kinds[connection.kind].is_open(struct)
    except Exception:
        log.exception("a kind of destination failed", kind=connection.kind, method="is_open")
        return vetted, False


def _is_known(services: Services, kind: Any) -> bool:
    return isinstance(kind, str) and services.destinations.kind(kind) is not None


def _within(read: Any) -> Any:
    """What is read, with errors as seen from the config itself. Raises Several."""
    try:
        return read()
    except Invalid as invalid:
        raise Several([Bad(error.code, error.detail, _below(error.pointer)) for error in invalid.errors]) from None


def _below(pointer: str) -> tuple[str, ...]:
    """The tokens of a pointer below its first."""
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[2:])
