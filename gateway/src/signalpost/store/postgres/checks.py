"""Checks of what must be true in every database."""

from typing import Final

from signalpost.store.checks import INVARIANTS
from signalpost.store.postgres.asking import ask_one
from signalpost.store.postgres.nouns.audit import verify

_OWN_INVARIANTS: Final = {
    "a log with a gap": (
        "SELECT t.name FROM tenant t WHERE t.deleted_at IS NULL AND"
        " (SELECT count(*) FROM event e WHERE e.tenant_id = t.id AND e.sequence >= t.floor)"
        " <> t.last_sequence - t.floor + 1 LIMIT 1"
    ),
    "a sequence that was given twice": (
        "SELECT tenant_id || ' ' || sequence FROM event GROUP BY tenant_id, sequence HAVING count(*) > 1 LIMIT 1"
    ),
    "a log whose times do not rise": (
        "SELECT sequence FROM (SELECT sequence, at, lead(at) OVER (PARTITION BY tenant_id ORDER BY sequence)"
        " AS following FROM event) e WHERE following <= at LIMIT 1"
    ),
    "a lane beyond its log": (
        "SELECT l.subscription_number FROM lane l JOIN tenant t ON t.id = l.tenant_id"
        " WHERE l.head > t.last_sequence LIMIT 1"
    ),
    "a lane whose exception rows are miscounted": (
        "SELECT l.subscription_number FROM lane l LEFT JOIN (SELECT subscription_number,"
        " count(*) FILTER (WHERE state = 1) AS awaiting_retry, count(*) FILTER (WHERE state = 2) AS blocked,"
        " count(*) FILTER (WHERE state = 3) AS failed FROM delivery GROUP BY subscription_number) d"
        " USING (subscription_number) WHERE (l.awaiting_retry, l.blocked, l.failed) <>"
        " (coalesce(d.awaiting_retry, 0), coalesce(d.blocked, 0), coalesce(d.failed, 0)) LIMIT 1"
    ),
}


async def check() -> list[str]:
    """What is wrong with what is in a database, a sentence for each fault; all as of one moment."""
    found = []
    for fault, statement in {**_OWN_INVARIANTS, **INVARIANTS}.items():
        found += [f"There is {fault}: {example}." for (example,) in await ask_one(statement)]
    misfit = (await verify(None)).fault
    if misfit is not None:
        found.append(f"Entry {misfit.number} of tenant {misfit.tenant_id} in the audit: {misfit.reason}")
    return found
