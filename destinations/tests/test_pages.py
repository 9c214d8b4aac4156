"""The pages about these kinds tell the truth: their examples are taken, and name what there is."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from gateway.tests.destinations.kinds import PEM

from signalpost.destinations import Destination
from signalpost.testing import Rehearsal
from signalpost_destinations.eventbridge import EventBridge
from signalpost_destinations.hubspot import HubSpot
from signalpost_destinations.pubsub import PubSub
from signalpost_destinations.s3 import S3
from signalpost_destinations.sns import Sns
from signalpost_destinations.sqs import Sqs
from signalpost_destinations.teams import Teams

PAGES = Path(__file__).parents[2] / "docs" / "destinations"
A_KEY_FILE = json.dumps({"client_email": "signalpost@contracts-4711.iam.gserviceaccount.com", "private_key": PEM})
"""What stands for the key file of which a page shows only the beginning."""


@pytest.mark.parametrize("kind", [Teams, HubSpot, Sqs, Sns, EventBridge, S3, PubSub])
def test_the_connection_and_the_subscription_of_a_page_are_taken(kind: type[Destination[Any, Any]]) -> None:
    text = (PAGES / f"{kind.kind}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    connection, subscription = (json.loads(block.replace("…", "x")) for block in blocks)
    assert connection["kind"] == subscription["kind"] == kind.kind
    if "keyFile" in connection["config"]:
        connection["config"]["keyFile"] = A_KEY_FILE
    Rehearsal(kind, connection["config"], subscription["config"])
    assert all(preset.name in text for preset in kind.presets)
    assert set(re.findall(r"--preset (\S+)", text)) <= {preset.name for preset in kind.presets}


@pytest.mark.parametrize("kind", [Sqs, Sns, EventBridge, S3])
def test_a_page_names_what_a_key_has_to_be_allowed(kind: Any) -> None:
    text = (PAGES / f"{kind.kind}.md").read_text(encoding="utf-8")
    assert all(right in text for right in re.findall(r"[a-z0-9]+:[A-Z]\w+", kind.needs))
