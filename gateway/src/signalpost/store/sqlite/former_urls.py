"""Seals the URLs of subscriptions that were kept in plain, as they were before migration 17.

Every start looks for some, because an older backup may have been restored. All are sealed in one transaction, so a
start that is killed leaves them as they were, and the next one seals them. What a deleted tenant left has no key to be
sealed with; its erasure removes it.
"""

import apsw
from msgspec.structs import replace

from signalpost.domain.checks import MAX_TEXT_CHARACTERS
from signalpost.domain.errors import StartError
from signalpost.domain.subscription import Subscription, name_of_unnamed
from signalpost.store.packing.subscriptions import (
    SUBSCRIPTION_COLUMNS,
    keeps_url_in_plain,
    pack_subscription,
    unpack_subscription,
)
from signalpost.store.sqlite import data_keys
from signalpost.store.sqlite.codec import pack_uuid, unpack_uuid
from signalpost.store.sqlite.connect import reason, rows
from signalpost.store.vault import SEALS_AT_ONCE, Vault

_CONFIG = SUBSCRIPTION_COLUMNS.split(", ").index("config")


def seal(connection: apsw.Connection, vault: Vault, now: int) -> None:
    """Seal every URL that is in plain. Raises StartError where the database cannot be written."""
    found = _find(connection, vault)
    if not found:
        return
    try:
        with connection:
            keys = data_keys.set_aside(connection, vault.masters, sorted({each.tenant_id for each in found}), now)
        for key in keys:
            vault.seal_with(key, SEALS_AT_ONCE)
        with connection:
            for each in found:
                *_, config, sealed = pack_subscription(each, vault, pack_uuid)
                changed = "UPDATE subscription SET config = ?, sealed = ? WHERE number = ?"
                connection.execute(changed, (config, sealed, each.number))
    except apsw.Error as error:
        raise StartError(f"The database {connection.filename} cannot be written: {reason(error)}.") from None


def _find(connection: apsw.Connection, vault: Vault) -> list[Subscription]:
    statement = (
        f"SELECT {SUBSCRIPTION_COLUMNS} FROM subscription WHERE instr(config, ?)"  # noqa: S608
        " AND tenant_id IN (SELECT id FROM tenant WHERE deleted_at IS NULL)"
    )
    return [
        _named_after_host(unpack_subscription(columns, vault, unpack_uuid))
        for columns in rows(connection, statement, (b'"url":',))
        if keeps_url_in_plain(columns[_CONFIG])
    ]


def _named_after_host(found: Subscription) -> Subscription:
    """The subscription, without its URL in its name: one that was given no name had the URL for one."""
    is_url = found.name == found.url[:MAX_TEXT_CHARACTERS]
    return replace(found, name=name_of_unnamed(found.url)) if is_url else found
