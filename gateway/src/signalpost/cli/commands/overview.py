"""`signalpost overview`: what needs attention now, in words, the worst first."""

from typing import Any, Final

from signalpost.cli.client import connect, path
from signalpost.cli.terminal.output import TEXT, Output, Parts
from signalpost.cli.terminal.parts import Line
from signalpost.cli.terminal.plain import without_fractions

ENDING: Final = {
    "rotation": "The old secret of",
    "certificate": "The certificate of",
    "clientCertificate": "The client certificate of",
}


def overview(*, out: Output = TEXT) -> None:
    found = connect().call("GET", path("overview")).content
    out.show(found, _needs(found), _sources(found), _numbers(found), _later(found))


def _ends(replay: dict[str, Any]) -> str:
    if replay["waiting"] is None:
        return ""
    return f": {replay['delivered']:,} delivered, {replay['failed']:,} failed again, {replay['waiting']:,} waiting"


def _needs(found: dict[str, Any]) -> Parts:
    if not found["attention"]:
        yield "Nothing needs you." if sum(found["subscriptions"].values()) else "There are no subscriptions."
    for each in found["attention"]:
        named = each["subscription"]
        yield Line(named["id"], each["need"].replace("_", " "), named["name"])
        yield f"  {without_fractions(each['detail'])}"
        if each["oldestDueAt"] is not None:
            yield f"  The oldest delivery that awaits a retry: due at {without_fractions(each['oldestDueAt'])}."
        if (diagnosis := each["diagnosis"]) is not None:
            yield f"  {diagnosis['title']} {without_fractions(diagnosis['forUs'])}"
        if each["eventId"] is not None:
            yield f"  See: signalpost why {each['eventId']} {named['id']}"
    if found["more"]:
        yield f"{found['more']:,} more need attention: signalpost status"


def _sources(found: dict[str, Any]) -> Parts:
    for each in found["sources"]:
        if each["state"] != "healthy" or each["dead"]:
            heard = f"last heard at {without_fractions(each['heardAt'])}"
            oldest = f"its oldest change waited for {each['oldestSeconds']:,} s"
            yield Line(each["name"], each["state"], f"a source: {heard}; {oldest}; {each['dead']:,} given up")


def _numbers(found: dict[str, Any]) -> Parts:
    hour = found["lastHour"]
    yield ""
    yield f"Last hour: {hour['delivered']:,} delivered, {hour['retried']:,} to be retried, {hour['failed']:,} failed."
    if hour["medianMs"] is not None:
        yield f"Endpoints answered within {hour['medianMs']:g} ms (median), {hour['p99Ms']:g} ms (p99)."
    yield f"Now: {found['waiting']:,} waiting, {found['failed']:,} given up, {found['lost']:,} lost."


def _later(found: dict[str, Any]) -> Parts:
    for each in found["replays"]:
        far = f"{each['queued']:,} of {each['count']:,}{_ends(each)}"
        yield f"A replay to {each['subscription']['name']} has queued {far}."
    for each in found["soon"]:
        ends = ENDING[each["what"]]
        yield f"{ends} {each['subscription']['name']} ends at {without_fractions(each['at'])}."
