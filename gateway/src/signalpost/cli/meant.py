"""What a person means who gives a name, a URL, a title or the beginning of an id in the place of an id."""

from typing import Any, Literal

from signalpost.cli.client import Client, CommandError, path
from signalpost.domain import fields
from signalpost.domain.checks import Bad

Kind = Literal["event", "document", "subscription"]


def meant(client: Client, kind: Kind, text: str) -> str:
    """The id that a text is, or that a search for it finds. Raises CommandError if it finds none or several."""
    if _is_id(text):
        return text
    found = [each for each in _found(client, text) if each["kind"] == kind]
    if not found:
        raise CommandError(f"No {kind} is found by {text}. List them: signalpost {kind}s list")
    return str(_only(found, text)["id"])


def event_meant(client: Client, text: str) -> str:
    """The same for an event, of which the newest of a document is one."""
    if _is_id(text):
        return text
    found = _found(client, text)
    if not found:
        raise CommandError(f"Nothing is found by {text}. List events: signalpost events list")
    only = _only(found, text)
    if only["kind"] == "subscription":
        raise CommandError(
            f"{text} is a subscription. List what went there: signalpost deliveries list --subscription {only['id']}"
        )
    if only["kind"] == "event":
        return str(only["id"])
    events = client.call("GET", path("events"), {"externalId": only["id"], "before": "latest", "limit": 1}).content
    if not events["data"]:
        raise CommandError(f"No event of the document {only['id']} is kept.")
    return str(events["data"][0]["event"]["id"])


def _is_id(text: str) -> bool:
    try:
        fields.uuid(text)
    except Bad:
        return False
    return True


def _found(client: Client, text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.call("GET", path("search"), {"q": text}).content["data"]
    return found


def _only(found: list[dict[str, Any]], text: str) -> dict[str, Any]:
    if len(found) == 1:
        return found[0]
    lines = (f"  {each['kind']} {each['id']}  {each['title']}  {each['detail']}" for each in found)
    raise CommandError("\n".join([f"{text} may mean several. Give the id of one:", *lines]))
