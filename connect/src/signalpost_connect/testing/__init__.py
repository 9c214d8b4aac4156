"""For authors of sources and sinks: the promises that each of them keeps, as tests that they inherit.

A connector that runs uses nothing of this.
"""

from signalpost_connect.testing.conformance import Change, Conformance, Killable, RunningGateway
from signalpost_connect.testing.gateway import ServedGateway, served_gateway
from signalpost_connect.testing.sinks import KillableGateway, SinkConformance, SinkMessage

__all__ = [
    "Change",
    "Conformance",
    "Killable",
    "KillableGateway",
    "RunningGateway",
    "ServedGateway",
    "SinkConformance",
    "SinkMessage",
    "served_gateway",
]
