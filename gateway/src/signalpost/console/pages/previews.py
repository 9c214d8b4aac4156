"""What a subscription that is not saved yet would make of the last events."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from signalpost.console.calls import refused
from signalpost.console.page import Visit
from signalpost.engine.connectors.preview import Preview

LOOKED_AT: Final = 10
"""How many past events a preview looks at."""


class PastPreview(Struct, frozen=True):
    event: str
    title: str
    """The document's."""
    preview: Preview


class Previews(Struct, frozen=True):
    looked: Sequence[PastPreview]
    """What the subscription would make of the last events of its types, newest first."""
    shown: PastPreview
    """The one of them whose request is shown: the newest that is wanted, if any is."""


async def previews(visit: Visit, kind: str, body: Mapping[str, Any]) -> Previews:
    """What a subscription with this body would make of past events. Raises CallFailed if there are none, or the body is
    bad."""
    asked = {name: body[name] for name in ("connection", "config", "when", "after") if name in body}
    looked = [await _look(visit, kind, asked, each) for each in await _newest(visit, body["eventTypes"])]
    return Previews(looked, next((each for each in looked if each.preview.request is not None), looked[0]))


async def _look(visit: Visit, kind: str, asked: Mapping[str, Any], entry: Mapping[str, Any]) -> PastPreview:
    event = entry["event"]
    answer = await visit.calls.change("preview_destination", {**asked, "eventId": event["id"]}, kind=kind)
    return PastPreview(event["id"], event["data"]["document"]["title"], msgspec.json.decode(answer, type=Preview))


async def _newest(visit: Visit, types: Sequence[str]) -> Sequence[Mapping[str, Any]]:
    """The last events of some types, newest first. Raises CallFailed if none of those that are looked at is."""
    feed = await visit.calls.read("list_events", dict[str, Any], {"before": "latest", "limit": "250"})
    found = [
        entry
        for entry in feed["data"]
        if entry["event"]["type"] in types and entry["event"]["data"].get("document") is not None
    ]
    if found:
        return found[:LOOKED_AT]
    wanted = f"a {' or '.join(types)}" if types else "of the chosen types"
    detail = f"None of the last 250 events is {wanted}. Change a document, then look again."
    raise refused(409, "Nothing to look at yet", detail, "no_event")
