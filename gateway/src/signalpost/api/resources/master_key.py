"""The master key: which one is in use, and its change. Only operators may see or change it."""

from typing import Final

from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.route import OPERATOR, Example, Reply, Route
from signalpost.api.routing.shapes.access import MasterKeyShown, MasterKeyUse
from signalpost.domain.access.api_key import FIRST_TENANT
from signalpost.domain.audit import Actor, EntryDraft, Object
from signalpost.domain.errors import Conflict, StartError
from signalpost.engine.audited import tell
from signalpost.engine.maintenance.master_key_change import MasterKeyState

_PATH: Final = "/v1/master-key"


async def show(context: RequestContext) -> MasterKeyShown:
    context.query()
    return _shown(await context.services.master_key.state())


async def rotate(context: RequestContext) -> MasterKeyShown:
    context.query()
    services = context.services
    former = (await services.master_key.state()).current
    try:
        state = await services.master_key.begin()
    except StartError as error:
        raise Conflict("master_key_unusable", str(error)) from None
    if state.current != former:
        await tell(services.store.audit, [_told(context.actor, services.clock.wall(), former, state.current)])
    return _shown(state)


def _told(actor: Actor, now: int, former: str, current: str) -> EntryDraft:
    """The entry of a change in the audit."""
    return EntryDraft(
        tenant_id=FIRST_TENANT,
        at=now,
        actor=actor,
        action="master-key.rotate",
        object=Object("master-key", current),
        changes={"current": {"old": former, "new": current}},
    )


def _shown(state: MasterKeyState) -> MasterKeyShown:
    keys = [MasterKeyUse(id=name, data_keys=count) for name, count in state.data_keys.items()]
    return MasterKeyShown(current=state.current, state="changing" if state.is_changing else "settled", keys=keys)


ROUTES = (
    Route(
        name="read_master_key",
        method="GET",
        path=_PATH,
        summary="See which master key is in use",
        roles=OPERATOR,
        handler=show,
        replies={200: Reply("The master keys that the gateway has, by their ids.", MasterKeyShown)},
        example=Example(),
    ),
    Route(
        name="rotate_master_key",
        method="POST",
        path=f"{_PATH}/rotate",
        summary="Change the master key while the gateway runs",
        roles=OPERATOR,
        handler=rotate,
        replies={202: Reply("The change has started, or continues.", MasterKeyShown)},
        errors=(Conflict,),
        example=Example(),
    ),
)
