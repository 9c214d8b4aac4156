"""For authors of sources: the promises that every source keeps, as tests that they inherit.

A connector that runs uses nothing of this.
"""

from signalpost_connect.testing.conformance import Change, Conformance, RunningGateway
from signalpost_connect.testing.gateway import ServedGateway, served_gateway

__all__ = ["Change", "Conformance", "RunningGateway", "ServedGateway", "served_gateway"]
