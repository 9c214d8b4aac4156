"""Does it bite? Faults planted into rehearsals, one at a time. The two lives of a seed must differ from what was
foretold of them. `make planted-rehearsals` tells after how many seeds each was found, and by what."""

import sys
from itertools import islice
from typing import Any

from gateway.tests.joints.foretold.comparison import simulate
from gateway.tests.simulation.planting import Faults
from msgspec.structs import replace

from signalpost.api.resources import rehearsals as resource
from signalpost.domain.delivery import rehearsal
from signalpost.domain.delivery.rehearsal import SENT, LaterEvents
from signalpost.domain.language.conditions import AllOf, Change, Comparison
from signalpost.engine.rehearsing import log_walks, side
from signalpost.engine.rehearsing.side import Side

FAULTS = Faults(simulate, most=100)
fault = FAULTS.fault


# --- Which events -----------------------------------------------------------------------------------------------------


@fault("judges every event by the types that count now", rehearsal, "wanted")
def _(_right: Any) -> Any:
    return lambda filters, _sequence: filters[-1][1]


@fault("says of a change what is so without it", resource, "as_patched")
def _(_right: Any) -> Any:
    return lambda found, _change: found


@fault("takes a new subscription for one that begins now", resource, "_draft")
def _(right: Any) -> Any:
    return lambda context, new: replace(right(context, new), starts_after=2)


# --- Conditions -------------------------------------------------------------------------------------------------------


@fault("reads what conditions look at, and nothing of what was before", log_walks, "reader_of")
def _(right: Any) -> Any:
    return lambda names: right([each for each in names if each.path[0] != "before"])


@fault("reads for one condition alone", log_walks, "reader_of")
def _(right: Any) -> Any:
    return lambda names: right(islice(names, 1))


@fault("lets the last condition of several decide", AllOf, "is_met")
def _(_right: Any) -> Any:
    return lambda self, subject: self.parts[-1].is_met(subject)


@fault("never excludes what a comparison excludes", Comparison, "is_met")
def _(_right: Any) -> Any:
    return lambda self, subject: self.holds(self.name.read(subject))


@fault("takes every change for one that is wanted", Change, "is_met")
def _(_right: Any) -> Any:
    return lambda self, subject: self._why_unmet(subject) is None


# --- Delays -----------------------------------------------------------------------------------------------------------


@fault("asks of the event itself what must still be so", LaterEvents, "why_no_longer")
def _(_right: Any) -> Any:
    return lambda self, event: self._runs[event.document][-1][1]


@fault("asks at the end of the log what must still be so", LaterEvents, "_forget_after")
def _(_right: Any) -> Any:
    return lambda self, runs, ends_at: None


# --- Requests ---------------------------------------------------------------------------------------------------------


FAULTS.answers("takes what a kind makes nothing of for sent", side, "_made", SENT)


@fault("shows as a request what the vendor would get of another event", Side, "requests")
def _(right: Any) -> Any:
    seen: list[Any] = []

    def requests(self: Side, looked_at: Any, event: Any, now: int) -> Any:
        seen.append((looked_at, event))
        return right(self, *seen[0], now)

    return requests


if __name__ == "__main__":
    sys.exit(FAULTS.main(__doc__))
