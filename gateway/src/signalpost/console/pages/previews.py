"""What a subscription that is not saved yet would make of the last events."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from signalpost.console.page import Visit
from signalpost.engine.connectors.preview import Preview

LOOKED_AT: Final = 10
"""How many past events a preview looks at."""


class PastPreview(Struct, frozen=True):
    event: str
    """Empty for a sample."""
    title: str
    """The document's."""
    preview: Preview


class Previews(Struct, frozen=True):
    looked: Sequence[PastPreview]
    """What the subscription would make of the last events of its types, newest first."""
    shown: PastPreview
    """The newest of them that is wanted, whose request is shown; if none is, a sample that fits."""


async def previews(visit: Visit, kind: str, body: Mapping[str, Any]) -> Previews:
    """What a subscription with this body would make of past events, or of a sample. Raises CallFailed if the body is
    bad."""
    asked = {name: body[name] for name in ("connection", "config", "when", "after") if name in body}
    looked = []
    for each in await _newest(visit, body["eventTypes"]):
        event = each["event"]
        preview = await _look(visit, kind, {**asked, "eventId": event["id"]})
        looked.append(PastPreview(event["id"], event["data"]["document"]["title"], preview))
    shown = next((each for each in looked if each.preview.request is not None), None)
    if shown is None:
        shown = PastPreview("", "a sample", await _look(visit, kind, {**asked, "sample": body["eventTypes"]}))
    return Previews(looked, shown)


async def _look(visit: Visit, kind: str, asked: Mapping[str, Any]) -> Preview:
    return msgspec.json.decode(await visit.calls.change("preview_destination", asked, kind=kind), type=Preview)


async def _newest(visit: Visit, types: Sequence[str]) -> Sequence[Mapping[str, Any]]:
    """The last events of some types, newest first."""
    feed = await visit.calls.read("list_events", dict[str, Any], {"before": "latest", "limit": "250"})
    found = [
        entry
        for entry in feed["data"]
        if entry["event"]["type"] in types and entry["event"]["data"].get("document") is not None
    ]
    return found[:LOOKED_AT]
