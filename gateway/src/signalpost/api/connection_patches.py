"""Applies a patch to the config of a connection.

It is a merge patch (RFC 7396): members that it leaves out stay as they are, and null takes a member away. A secret is
shown as null, and what may be one in a URL as ***, so a client that sends back what it read keeps them. Where `with`
chooses another way to sign in, nothing of the former one stays.

A secret that stays goes where it went before. If the patch leads calls to another origin, it has to be given again:
else a person who may change a connection could have its secrets sent to themselves.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from signalpost.api.configs import VettedConnection, connection_config_check, shown_config
from signalpost.api.routing.services import Services
from signalpost.domain.body import Body
from signalpost.domain.checks import Bad, Check, Several
from signalpost.domain.connection import Connection
from signalpost.domain.errors import Invalid
from signalpost.domain.shown_url import is_url, meant_url

Config = Mapping[str, Any]
_CHOICE = "with"


def patch_check(services: Services, connection: Connection) -> Check:
    """The check of the config that a patch gives, which becomes the `VettedConnection` of all that it leads to."""
    check = connection_config_check(services, connection.kind)
    shown = shown_config(services, connection)

    def check_patch(given: Config) -> VettedConnection:
        if connection.kind not in services.destinations.kinds:
            raise Bad("unknown_kind", f"The kind {connection.kind} is not installed here, so this cannot be checked.")
        vetted: VettedConnection = check(_merged(given, connection.config, shown))
        elsewhere = _new_origins(services, connection, vetted)
        if elsewhere and connection.granted is not None:
            detail = f"What the vendor granted would go to {elsewhere[0]}. Disconnect the connection first."
            raise Bad("granted_elsewhere", detail)
        kept = list(_kept_secrets(given, vetted.config, shown)) if elsewhere else []
        if kept:
            detail = f"This secret would now go to {elsewhere[0]}. Enter it again."
            raise Several([Bad("give_again", detail, path) for path in kept])
        return vetted

    return check_patch


def _merged(given: Config, kept: Config, shown: Config) -> dict[str, Any]:
    """The stored config with a patch applied; in `shown`, each secret is null."""
    if given.get(_CHOICE, kept.get(_CHOICE)) != kept.get(_CHOICE):
        return _without_nulls(given)
    merged = dict(kept)
    for name, value in given.items():
        was, below = kept.get(name), shown.get(name)
        if isinstance(value, dict) and isinstance(was, dict) and isinstance(below, dict):
            try:
                merged[name] = _merged(value, was, below)
            except Several as several:
                raise Several(several.under(name)) from None
        elif isinstance(value, str) and is_url(value) and below is not None:
            merged[name] = _meant(value, was, name)
        elif value is not None:
            merged[name] = _without_nulls(value) if isinstance(value, dict) else value
        elif was is None or below is not None:  # it is no secret, or one that is not there
            merged.pop(name, None)
    return merged


def _meant(url: str, was: Any, name: str) -> str:
    """The URL that a client means who may have read it with something struck out. Raises Several."""
    try:
        return meant_url(url, was if isinstance(was, str) else None)
    except Bad as bad:
        raise Several(bad.under(name)) from None


def _without_nulls(given: Config) -> dict[str, Any]:
    return {
        name: _without_nulls(value) if isinstance(value, dict) else value
        for name, value in given.items()
        if value is not None
    }


def _kept_secrets(given: Config, merged: Config, shown: Config) -> Iterator[tuple[str, ...]]:
    """The paths of the secrets that stay as they were."""
    if merged.get(_CHOICE) != shown.get(_CHOICE):
        return
    for name, value in merged.items():
        below, said = shown.get(name), given.get(name)
        if isinstance(value, dict) and isinstance(below, dict):
            for path in _kept_secrets(said if isinstance(said, dict) else {}, value, below):
                yield (name, *path)
        elif name in shown and below is None and value is not None and said is None:
            yield (name,)


def _new_origins(services: Services, connection: Connection, vetted: VettedConnection) -> list[str]:
    """Where calls go with the new config and did not go with the old one."""
    kind = services.destinations.kinds[connection.kind]

    def origins(config: Config) -> tuple[str, ...]:
        struct: Body = services.destinations.read_connection(connection.kind, config)
        return kind.origins(struct)

    try:
        before = origins(connection.config)
    except Invalid:  # it has forgotten its secrets, or was kept by another version of its kind
        before = ()
    return [each for each in origins(vetted.config) if each not in before]
