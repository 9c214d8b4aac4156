"""The nodes at work on the database, as their rows say: the answer is the same whichever of them is asked."""

from math import inf
from typing import Final, Literal

from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.route import OPERATOR, Example, Reply, Route
from signalpost.api.routing.shapes.service import Node, Nodes
from signalpost.domain.timestamps import SECOND, format_timestamp
from signalpost.store.nouns.fleet import NodeShown, Terms

_DIGITS: Final = 1


async def list_all(context: RequestContext) -> Nodes:
    context.query()
    fleet, engine = context.services.store.fleet, context.services.engine
    found = await fleet.nodes()
    nodes = [_shown(each, fleet.terms, fleet.node_id, engine.lanes.here.count) for each in found]
    subscriptions = context.services.directory.lane_count
    unowned = max(0, subscriptions - sum(node.lanes for node in nodes))
    return Nodes(data=nodes, next=None, subscriptions=subscriptions, unowned=unowned)


def _shown(node: NodeShown, terms: Terms, me: int | None, my_lanes: int) -> Node:
    beats = terms.beat_every < inf
    return Node(
        id=node.id,
        host=node.process.host,
        process=node.process.number,
        role=node.role.value,
        version=node.program,
        state=_state(node, terms),
        lanes=my_lanes if node.id == me else node.lanes,
        joined_at=format_timestamp(node.joined_at),
        last_beat_at=format_timestamp(node.beat_at) if beats else None,
        seconds_since_beat=round(node.silent_for / SECOND, _DIGITS) if beats else None,
        answers=node.id == me,
    )


def _state(node: NodeShown, terms: Terms) -> Literal["working", "draining", "silent"]:
    if node.silent_for > terms.lease * SECOND:
        return "silent"
    return "draining" if node.is_draining else "working"


ROUTES = (
    Route(
        name="list_nodes",
        method="GET",
        path="/v1/nodes",
        summary="List the nodes that share the database",
        roles=OPERATOR,
        handler=list_all,
        replies={200: Reply("Every node. On SQLite there is one.", Nodes)},
        example=Example(),
    ),
)
