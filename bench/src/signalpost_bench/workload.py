"""What the parts of a benchmark agree on: how much of what is sent where, and when."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Literal

from msgspec import Struct

SECRET = "whsec_" + "c2lnbmFscG9zdCBiZW5jaG1hcmsgc2VjcmV0ISEhISE="
"""The secret of every subscription of a run: the sink verifies with it."""
MASTER_KEY = bytes(32)
"""The master key of every database of a run."""
OPERATOR_KEY = "sp_" + "bench" * 8 + "key"
"""The operator's key of every gateway on PostgreSQL."""
PUBLIC_URL = "https://signalpost.example.com"
MIN_PAYLOAD = 700
"""Bytes of the smallest event that the workload makes."""


class Workload(Struct, frozen=True, kw_only=True):
    endpoints: int = 1
    """Subscriptions in all, spread evenly over the tenants."""
    tenants: int = 1
    fan_out: int = 1
    """How many of a tenant's subscriptions want the events that are made; the others want another type."""
    payload: int = 1_300
    """Approximate size of an event in bytes."""
    documents: int = 5_000
    """How many documents all tenants have together; each change is of the one that was changed longest ago."""
    ordering: str = "loose"
    versions: Literal["none", "imported", "own"] = "none"
    """Who keeps the latest and the published version of each document: another system, or the gateway."""

    def wants(self, number: int) -> str:
        """What the subscription of a tenant with this number, from 0, wants."""
        return "documentUpdated" if number < self.fan_out else "documentDeleted"

    def new_document(self) -> dict[str, Any]:
        """A document's fields, of a size that makes events of the payload's size."""
        return {
            "type": "Service Agreement",
            "title": "Service Agreement for Company A",
            "ownerEmail": "owner@example.com",
            "authorEmail": "author@example.com",
            "startDate": "2021-11-25",
            "contractValue": 0.0,
            "counterpartyName": "Company A",
            "additionalFacts": {"note": "x" * min(4_096, max(0, self.payload - MIN_PAYLOAD)), "currency": "AUD"},
        }


def tenant_name(number: int) -> str:
    """The tenants of a run are `default`, t1, t2 and so on; their numbers begin with 1."""
    return "default" if number == 1 else f"t{number - 1}"


async def at_rate(rate: int, seconds: float) -> AsyncIterator[tuple[str, int]]:
    """Yields changes at a rate for a time, each when it is due: its name, and when it was due.

    What is measured counts from the moment a change was due: one that stalls must not make the load wait for it unseen.
    """
    began = time.monotonic_ns()
    for number in range(int(rate * seconds)):
        due = began + number * 1_000_000_000 // rate
        await asyncio.sleep(max(0.0, (due - time.monotonic_ns()) / 1e9))
        yield f"change {number}", due
