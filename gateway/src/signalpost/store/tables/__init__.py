"""Tables, described once for both databases: one file a noun."""

from collections.abc import Mapping
from typing import Any, Final

from signalpost.store.tables.api_keys import API_KEY
from signalpost.store.tables.conditions import CONDITION
from signalpost.store.tables.connections import CONNECTION
from signalpost.store.tables.correspondence import CORRESPONDENCE
from signalpost.store.tables.members import MEMBER
from signalpost.store.tables.portal_links import PORTAL_LINK
from signalpost.store.tables.replays import REPLAY
from signalpost.store.tables.sources import SOURCE
from signalpost.store.tables.subscriptions import SUBSCRIPTION
from signalpost.store.tables.table import Table

TABLES: Final[Mapping[type[Any], Table[Any]]] = {
    table.row: table
    for table in (
        SUBSCRIPTION,
        CONNECTION,
        API_KEY,
        MEMBER,
        PORTAL_LINK,
        CONDITION,
        CORRESPONDENCE,
        SOURCE,
        REPLAY,
    )
}
"""The table of each kind of row that commands read and change, in the order in which a batch writes them."""


def numbered_with(name: str) -> list[str]:
    """The tables that share a sequence of numbers, so that a number says whose row it is."""
    return [table.name for table in TABLES.values() if table.numbered_with == name]
