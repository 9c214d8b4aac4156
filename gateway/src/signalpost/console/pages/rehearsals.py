"""What a subscription that is being changed or made would have sent of the last days, as its form shows it."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from signalpost.api.routing.shapes.rehearsals import Rehearsal
from signalpost.console.calls import CallFailed
from signalpost.console.page import Visit


async def of_change(visit: Visit, change: Mapping[str, Any], subscription_id: str) -> Rehearsal:
    """Raises CallFailed, which names fields as saving would."""
    return await _rehearsed(visit, "rehearse_subscription", "change", change, id=subscription_id)


async def of_new(visit: Visit, body: Mapping[str, Any]) -> Rehearsal:
    """Raises CallFailed, which names fields as saving would."""
    return await _rehearsed(visit, "rehearse_new_subscription", "subscription", body)


async def _rehearsed(visit: Visit, call: str, member: str, said: Mapping[str, Any], **path: str) -> Rehearsal:
    try:
        answer = await visit.calls.change(call, {member: said}, query=None, **path)
    except CallFailed as refusal:
        problem = refusal.problem
        errors = [replace(each, pointer=each.pointer.removeprefix(f"/{member}")) for each in problem.errors or ()]
        raise CallFailed(replace(problem, errors=errors or UNSET)) from None
    return msgspec.json.decode(answer, type=Rehearsal)
