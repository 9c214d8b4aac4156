"""`signalpost overview`: what needs somebody now, in words, the worst first."""

from typing import Any

from signalpost.cli.client import connect, path
from signalpost.cli.terminal.output import Json, print_json, print_line, say, without_fractions


def overview(*, as_json: Json = False) -> None:
    """Show what needs attention now, worst first."""
    found = connect().call("GET", path("overview")).content
    if as_json:
        print_json(found)
        return
    _print_needs(found)
    _print_numbers(found)
    for each in found["replays"]:
        far = f"{each['queued']:,} of {each['count']:,}{_ends(each)}"
        say(f"A replay to {each['subscription']['name']} has queued {far}.")
    for each in found["soon"]:
        ends = "The old secret of" if each["what"] == "rotation" else "The certificate of"
        say(f"{ends} {each['subscription']['name']} ends at {without_fractions(each['at'])}.")


def _ends(replay: dict[str, Any]) -> str:
    if replay["waiting"] is None:
        return ""
    return f": {replay['delivered']:,} delivered, {replay['failed']:,} failed again, {replay['waiting']:,} waiting"


def _print_needs(found: dict[str, Any]) -> None:
    if not found["attention"]:
        say("Nothing needs you." if sum(found["subscriptions"].values()) else "There are no subscriptions.")
    for each in found["attention"]:
        named = each["subscription"]
        print_line(named["id"], each["need"].replace("_", " "), named["name"])
        say(f"  {without_fractions(each['detail'])}")
        if each["oldestDueAt"] is not None:
            say(f"  The oldest delivery that awaits a retry: due at {without_fractions(each['oldestDueAt'])}.")
        if (diagnosis := each["diagnosis"]) is not None:
            say(f"  {diagnosis['title']} {without_fractions(diagnosis['forUs'])}")
        if each["eventId"] is not None:
            say(f"  See: signalpost why {each['eventId']} {named['id']}")
    if found["more"]:
        say(f"{found['more']:,} more need attention: signalpost status")


def _print_numbers(found: dict[str, Any]) -> None:
    hour = found["lastHour"]
    say("")
    say(f"Last hour: {hour['delivered']:,} delivered, {hour['retried']:,} to be retried, {hour['failed']:,} failed.")
    if hour["medianMs"] is not None:
        say(f"Endpoints answered within {hour['medianMs']:g} ms (median), {hour['p99Ms']:g} ms (p99).")
    say(f"Now: {found['waiting']:,} waiting, {found['failed']:,} given up, {found['lost']:,} lost.")
