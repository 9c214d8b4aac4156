"""The pages about these kinds tell the truth: their examples are taken, and name what there is."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from signalpost.destinations import Destination
from signalpost.testing import Rehearsal
from signalpost_destinations.hubspot import HubSpot
from signalpost_destinations.teams import Teams

PAGES = Path(__file__).parents[2] / "docs" / "destinations"


@pytest.mark.parametrize("kind", [Teams, HubSpot])
def test_the_connection_and_the_subscription_of_a_page_are_taken(kind: type[Destination[Any, Any]]) -> None:
    text = (PAGES / f"{kind.kind}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    connection, subscription = (json.loads(block.replace("…", "x")) for block in blocks)
    assert connection["kind"] == subscription["kind"] == kind.kind
    Rehearsal(kind, connection["config"], subscription["config"])
    assert all(preset.name in text for preset in kind.presets)
