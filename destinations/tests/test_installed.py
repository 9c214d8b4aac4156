"""A gateway finds these kinds where the distribution is installed."""

from typing import Any

import pytest

from signalpost.destinations import Destination
from signalpost.destinations.registry import Destinations
from signalpost_destinations.eventbridge import EventBridge
from signalpost_destinations.hubspot import HubSpot
from signalpost_destinations.pubsub import PubSub
from signalpost_destinations.s3 import S3
from signalpost_destinations.sns import Sns
from signalpost_destinations.sqs import Sqs
from signalpost_destinations.teams import Teams


@pytest.mark.parametrize("kind", [EventBridge, HubSpot, PubSub, S3, Sns, Sqs, Teams])
def test_the_kinds_are_there_without_a_setting(kind: type[Destination[Any, Any]]) -> None:
    found = Destinations.installed().kinds[kind.kind]
    assert found.connection is kind.connection
    assert found.config is kind.config
