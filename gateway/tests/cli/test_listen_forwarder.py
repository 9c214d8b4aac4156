"""What `listen` says of events that it does not forward."""

import asyncio
import json

import msgspec
import pytest

from signalpost.cli.commands.listen.feed import FeedEntry
from signalpost.cli.commands.listen.forwarder import Forwarder
from signalpost.cli.commands.listen.screen import JsonScreen, Screen
from signalpost.local.chaos import Chaos, ChaosFault
from signalpost.local.poster import Poster

URL = "http://127.0.0.1:9/"
EVENT = {
    "id": "an-id",
    "type": "documentUpdated",
    "createdAt": "2026-05-28T20:26:38.250174+00:00",
    "data": {"document": {"externalId": "a-document", "status": "executed", "title": "Mine"}},
}


async def forward_with_everything_dropped(screen: Screen) -> None:
    async with Poster(external=False) as poster:
        chaos: Chaos[FeedEntry] = Chaos([ChaosFault.DROP], lambda: 0.0)
        forwarder = Forwarder(poster, URL, "a secret of mine", chaos, screen.sending, screen.sent, screen.dropped)
        await forwarder.forward(FeedEntry(7, msgspec.Raw(json.dumps(EVENT).encode())))
        await forwarder.close()


@pytest.mark.parametrize("screen_of", [Screen, JsonScreen])
def test_an_event_that_is_dropped_on_purpose_is_told(
    screen_of: type[Screen], capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(forward_with_everything_dropped(screen_of(URL)))
    (line,) = capsys.readouterr().out.splitlines()
    if screen_of is JsonScreen:
        told = json.loads(line)
        assert (told["sequence"], told["eventId"], told["note"], told["statusCode"]) == (7, "an-id", "dropped", None)
        assert told["asExpected"]
    else:
        assert line.endswith("--x documentUpdated #7 executed (dropped) Mine")
