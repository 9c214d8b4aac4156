"""What is shared between tenants, callers and requests, and how: the rows of docs/sharing.md (`make_sharing.py`)."""

from collections.abc import Mapping

from shared_resources.clients import CLIENTS, SIGN_IN
from shared_resources.deliveries import DELIVERIES
from shared_resources.process import CHANGES, LOOP_AND_THREADS, MEMORY_AND_DISK
from shared_resources.row import Rows

GROUPS: Mapping[str, Rows] = {
    "Clients": CLIENTS,
    "Changes on their way to the store": CHANGES,
    "The event loop and the threads": LOOP_AND_THREADS,
    "People who sign in": SIGN_IN,
    "Deliveries": DELIVERIES,
    "Memory and disk": MEMORY_AND_DISK,
}
"""The tables of the page, by their headings."""
