"""What conditions and placeholders cost for each event, in µs of CPU: the best of nine runs each.

    .venv/bin/python benchmarks/language.py

The event itself is decoded once, whatever the number of subscriptions that look at it.
"""

import time
import timeit
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.table import Table

from signalpost.destinations.fields import Filling
from signalpost.destinations.slack import Slack, SlackConfig
from signalpost.domain.language.condition_reader import read_condition
from signalpost.domain.language.names import Subject

NUMBER: Final = 20_000
DOCUMENT: Final = {
    "type": "Service Agreement", "title": "Service Agreement for Company A", "status": "approved",
    "createdAt": "2026-01-15T09:30:00.250174+00:00", "sourceApp": "Approve and eSign", "startDate": "2026-02-01",
    "executedAt": None, "expiryDate": "2027-01-31T13:00:00+00:00", "externalId": "d24c0644-1d31-47fa-960e-b0cc8b4f136c",
    "ownerEmail": "owner@example.com", "authorEmail": "author@example.com", "referenceId": None,
    "contractValue": 12500.5,
    "latestVersion": {"number": "7.1", "downloadUrl": "https://example.com/7.1"},
    "additionalFacts": {"cost centre": "42", "currency": "AUD"}, "counterpartyName": "Company A",
    "publishedVersion": None,
}  # fmt: skip
EVENT: Final = {
    "id": "8cfa669c-41cc-412c-858d-0374e2c007fc",
    "type": "documentUpdated",
    "createdAt": "2026-01-15T10:00:00.000000+00:00",
    "data": {"document": DOCUMENT},
}
SUBJECT: Final = Subject(event=EVENT, before={"title": "Draft"})
CHANGED_TO: Final = {"field": "document.status", "changedTo": "executed"}
CONDITIONS: Final[dict[str, Any]] = {
    "changedTo, not met": CHANGED_TO,
    "a number, not met": {"field": "document.contractValue", "atLeast": 20_000},
    "a date, not met": {"field": "document.expiryDate", "below": "2026-12-31"},
    "a fact, not met": {"field": 'document.additionalFacts["cost centre"]', "is": 7},
    "four of four, met": {
        "all": [
            {"field": "document.status", "is": "approved"},
            {"field": "document.contractValue", "atLeast": 10_000},
            {"field": "document.title", "contains": "Company A"},
            {"not": CHANGED_TO},
        ]
    },
}
TEXTS: Final = {
    "three placeholders": "*{{ document.title }}* with {{ document.counterpartyName }} is now {{ document.status }}.",
    "three, with filters": "{{ document.title | upper }}, {{ document.contractValue | money: 'AUD' }}, "
    "{{ document.referenceId | default: 'none' }}",
    "a date 30 days earlier": '{{ document.expiryDate | days: -30 | date: "%d.%m.%Y" }}',
}


def main() -> None:
    table = Table("", "µs")
    body = msgspec.json.encode(EVENT)
    table.add_row("the event, decoded", _microseconds(partial(msgspec.json.decode, body)))
    for name, condition in CONDITIONS.items():
        why_not = read_condition(condition).why_not
        table.add_row(f"condition: {name}", _microseconds(partial(why_not, SUBJECT)))
    escape = Slack().escape
    for name, text in TEXTS.items():
        filled = Filling(SlackConfig(text=text)).filled
        table.add_row(f"config: {name}", _microseconds(partial(filled, SUBJECT, escape)))
    Console().print(table)


def _microseconds(run: Callable[[], object]) -> str:
    return f"{min(timeit.repeat(run, timer=time.process_time, number=NUMBER, repeat=9)) / NUMBER * 1e6:.1f}"


if __name__ == "__main__":
    main()
