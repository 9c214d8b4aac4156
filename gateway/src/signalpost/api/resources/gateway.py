"""The gateway itself, as the node that answers knows it: whether it is well, what it runs on, and its settings."""

import platform

from signalpost import VERSION
from signalpost.api.resources.health import readiness
from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.route import OPERATOR, Example, Reply, Route
from signalpost.api.routing.shapes.service import DatabaseShown, DiskShown, GatewayShown
from signalpost.domain.timestamps import format_timestamp


async def read(context: RequestContext) -> GatewayShown:
    context.query()
    services = context.services
    engine, size = services.engine, await services.store.size()
    backed_up = None if size.backed_up_at is None else format_timestamp(size.backed_up_at)
    return GatewayShown(
        version=VERSION,
        python=platform.python_version(),
        health=readiness(services),
        node=services.store.fleet.node_id,
        public_url=services.installation.public_url,
        database=DatabaseShown(
            kind=services.installation.database, bytes=size.database, wal_bytes=size.wal, backed_up_at=backed_up
        ),
        disk=DiskShown(free_bytes=engine.disk.free, reserve_bytes=engine.disk.reserve, is_enough=engine.disk.is_kept),
        in_flight=services.engine.lanes.in_flight,
        unrecorded=services.engine.lanes.unrecorded,
        waiting=engine.waiting,
        viewers=services.limits.viewers.taken,
        settings=list(services.installation.settings),
    )


ROUTES = (
    Route(
        name="read_gateway",
        method="GET",
        path="/v1/gateway",
        summary="Read the gateway's state, its platform and its settings",
        roles=OPERATOR,
        handler=read,
        replies={200: Reply("The node that answers. Nothing secret is shown.", GatewayShown)},
        example=Example(),
    ),
)
