"""The page of the gateway: whether it is healthy, and its settings."""

from collections.abc import Sequence

from msgspec import Struct

from signalpost.api.routing.shapes.access import MasterKeyShown
from signalpost.api.routing.shapes.service import GatewayShown, Nodes, SettingShown
from signalpost.console.page import Page, Visit


class GatewayView(Struct, frozen=True):
    gateway: GatewayShown
    nodes: Nodes
    master_key: MasterKeyShown

    @property
    def headline(self) -> str:
        health = self.gateway.health
        if health.trouble is not None:
            return "The gateway is not ready"
        return "The gateway is ready, with a warning" if health.warnings else "The gateway is ready"

    @property
    def versions(self) -> Sequence[str]:
        """The versions at work: more than one while nodes are upgraded."""
        return sorted({node.version for node in self.nodes.data} | {self.gateway.version})

    @property
    def given(self) -> Sequence[SettingShown]:
        return [each for each in self.gateway.settings if not each.is_default]

    @property
    def defaults(self) -> Sequence[SettingShown]:
        return [each for each in self.gateway.settings if each.is_default]


async def view(visit: Visit) -> GatewayView:
    gateway = await visit.calls.read("read_gateway", GatewayShown)
    nodes = await visit.calls.read("list_nodes", Nodes)
    master_key = await visit.calls.read("read_master_key", MasterKeyShown)
    return GatewayView(gateway, nodes, master_key)


PAGES = (Page(path="/gateway", section="Gateway", title="Gateway", template="gateway.html", view=view),)
