"""A change and its entry in the audit: both or neither, wherever the process ended. What the entries say of a
subscription, one after the other, is what it is; and no entry is missing, changed or there twice."""

import json
from typing import TYPE_CHECKING, Any

from gateway.tests.simulation.checkers import Checker

from signalpost.commands.audit import described
from signalpost.store.sqlite.connect import rows
from signalpost.store.sqlite.nouns import audit
from signalpost.store.sqlite.tables import codec_with
from signalpost.store.tables.subscriptions import SUBSCRIPTION

if TYPE_CHECKING:
    from gateway.tests.simulation.process import SimulatedProcess


class Audit(Checker):
    def started(self, process: "SimulatedProcess") -> None:
        self._check(process)

    def finished(self, process: "SimulatedProcess") -> None:
        self._check(process)

    def _check(self, process: "SimulatedProcess") -> None:
        found = audit.verify(process.connection, process.store.notary)
        if found.fault is not None:
            self.fail(f"entry {found.fault.number} of tenant {found.fault.tenant_id}: {found.fault.reason}")
        told = self._told(process)
        for columns in rows(process.connection, f"SELECT {SUBSCRIPTION.listed} FROM subscription"):
            subscription = SUBSCRIPTION.unpack(columns, codec_with(process.store._vault))
            is_so, said = json.loads(json.dumps(described(subscription))), told.get(subscription.id)
            if said != is_so:
                self.fail(f"{subscription} is {is_so}, and its entries come to {said}")

    def _told(self, process: "SimulatedProcess") -> dict[str, dict[str, Any]]:
        """What the entries of each subscription come to."""
        told: dict[str, dict[str, Any]] = {}
        for (content,) in rows(process.connection, "SELECT content FROM audit ORDER BY position"):
            entry = json.loads(content)
            if entry["object"]["kind"] != "subscription" or entry["action"] == "subscription.retry-delivery":
                continue
            came_to = told.setdefault(entry["object"]["id"], {})
            for name, changed in entry["changes"].items():
                if changed["old"] != came_to.get(name):
                    self.fail(f"entry {entry['number']} says that {name} was {changed['old']}, not {came_to.get(name)}")
                came_to[name] = changed["new"]
                if changed["new"] is None:
                    del came_to[name]
        return told
