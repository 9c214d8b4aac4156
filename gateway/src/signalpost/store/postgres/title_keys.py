"""Gives documents the keys by which their titles are found, where a node of an earlier version did not.

Such a node writes a new document without a key, and leaves the key of a title that it changes: nothing tells that row
from others. So once no such node is there, every document is looked at, a part of a tenant's at a time under that
tenant's lock, as everything is that changes documents. `fleet.titles_have_keys` says that this was done since.
"""

import asyncio
from typing import Final

from signalpost.store.documents import SEARCHED_CHARACTERS
from signalpost.store.packing.documents import title_key_of
from signalpost.store.postgres.asking import ask_one, steps_of
from signalpost.store.postgres.columns import texts, uuids
from signalpost.store.postgres.sessions import EVERY_TENANT, ReadSessions, Writers

AT_ONCE: Final = 200
PAUSE: Final = 0.05
"""Seconds between parts, so that writers always get their turn."""
_AN_EARLIER_NODE: Final = "EXISTS (SELECT FROM node WHERE schema < 8)"
_DOUBT: Final = f"UPDATE fleet SET titles_have_keys = false WHERE titles_have_keys AND {_AN_EARLIER_NODE}"
_MAY_BEGIN: Final = f"SELECT NOT titles_have_keys AND NOT {_AN_EARLIER_NODE} FROM fleet"
_DONE: Final = f"UPDATE fleet SET titles_have_keys = true WHERE NOT {_AN_EARLIER_NODE}"
_TENANTS: Final = "SELECT id FROM tenant WHERE deleted_at IS NULL ORDER BY id"
_LOCK: Final = "SELECT FROM tenant WHERE id = $1 FOR NO KEY UPDATE"
_PART: Final = (
    f"SELECT number, external_id, left(convert_from(body, 'UTF8')::json ->> 'title', {SEARCHED_CHARACTERS}), title_key"
    " FROM document WHERE tenant_id = $1 AND number > $2 AND deleted_at IS NULL ORDER BY number LIMIT $3"
)
_SET: Final = (
    "UPDATE document d SET title_key = k.key FROM unnest($2, $3) AS k (id, key)"
    " WHERE d.tenant_id = $1 AND d.external_id = k.id"
)


async def key_titles(readers: ReadSessions, writers: Writers) -> None:
    """See `DocumentStore.key_titles`."""
    await writers.rows(EVERY_TENANT, _DOUBT)
    [(may_begin,)] = await readers.rows(EVERY_TENANT, _MAY_BEGIN)
    if not may_begin:
        return
    for (tenant_id,) in await readers.rows(EVERY_TENANT, _TENANTS):
        after: int | None = 0
        while after is not None:
            after = await writers.run(tenant_id, steps_of(_key_part(tenant_id, after)))
            await asyncio.sleep(PAUSE)
    await writers.rows(EVERY_TENANT, _DONE)


async def _key_part(tenant_id: int, after: int) -> int | None:
    """Returns the number of the last document that was looked at; None if there are no more."""
    await ask_one(_LOCK, tenant_id)
    found = await ask_one(_PART, tenant_id, after, AT_ONCE)
    wrong = {id_: title_key_of(title) for _, id_, title, key in found if key != title_key_of(title)}
    if wrong:
        await ask_one(_SET, tenant_id, uuids(map(str, wrong)), texts(wrong.values()))
    return found[-1][0] if len(found) == AT_ONCE else None
