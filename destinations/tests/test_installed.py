"""A gateway finds these kinds where the distribution is installed."""

from signalpost.destinations.registry import Destinations
from signalpost_destinations.hubspot import HubSpot
from signalpost_destinations.teams import Teams


def test_the_kinds_are_there_without_a_setting() -> None:
    found = Destinations.installed().kinds
    assert found["teams"].connection is Teams.connection
    assert found["hubspot"].connection is HubSpot.connection
