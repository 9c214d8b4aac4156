"""`signalpost trigger`: makes an event happen, through a gateway or straight to a URL."""

import asyncio
import secrets
import sys
from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import Parameter

from signalpost.cli.client import CallRefused, Client, CommandError, Misuse, connect, path
from signalpost.cli.terminal.assignments import assignments, value_of
from signalpost.cli.terminal.given_secret import GivenSecret, the_secret
from signalpost.cli.terminal.options import EventType, flag, put, repeatable
from signalpost.cli.terminal.output import TEXT, Output
from signalpost.cli.terminal.parts import Facts
from signalpost.cli.terminal.text import remarks
from signalpost.destinations.webhook import RequestKind, Webhook
from signalpost.domain.checks import Bad
from signalpost.domain.delivery.outcome import Outcome
from signalpost.domain.errors import Invalid
from signalpost.domain.event import event_id
from signalpost.domain.request import OutgoingRequest
from signalpost.local import scenario
from signalpost.local.direct_delivery import endpoint
from signalpost.local.poster import Poster, why_not
from signalpost.runtime.clock import wall_clock


def trigger(
    event_type: Annotated[EventType, Parameter(name="EVENT_TYPE", help="The type of the event.")],
    /,
    *,
    set_: Annotated[
        list[str] | None,
        repeatable("An attribute of the document, name=value; repeatable.", "--set"),
    ] = None,
    to: Annotated[str | None, Parameter(help="Send it straight to this URL, signed with --secret.")] = None,
    secret: GivenSecret = None,
    allow_external: Annotated[bool, flag("With --to: the URL may be on another machine.")] = False,
    yes: Annotated[
        bool,
        flag("Do not ask before creating events in a gateway that is not an emulator."),
    ] = False,
    out: Output = TEXT,
) -> None:
    changes = _changes(set_ or [])
    if to is not None:
        _send(event_type, changes, to, the_secret(secret), out, external=allow_external)
    elif secret is not None or allow_external:
        raise Misuse(
            "Use --secret and --allow-external with --to only: a gateway signs with each subscription's secret."
        )
    else:
        _happen(event_type, changes, out, yes=yes)


def _changes(pairs: list[str]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for name, text in assignments(pairs, "--set").items():
        put(changes, name.split("."), value_of(text))
    return changes


def _send(event_type: str, changes: Mapping[str, Any], url: str, secret: str, out: Output, *, external: bool) -> None:
    now = wall_clock()
    try:
        event = scenario.event(event_type, changes, now, secrets.randbits)
        request = Webhook(endpoint(url, secret)).prepare(event, 1, RequestKind.DELIVERY, now)
        outcome = asyncio.run(_posted(url, request, external=external))
    except Invalid as invalid:
        raise _unusable(invalid) from None
    except Bad as bad:
        raise Misuse(f"--to: {bad}") from None
    result = {
        "eventId": event.id, "externalId": event.document_id, "statusCode": outcome.status,
        "durationMs": round(outcome.elapsed_us / 1000, 3), "error": outcome.failure, "detail": outcome.detail or None,
        "answer": outcome.answer.decode("utf-8", "replace"),
    }  # fmt: skip
    out.show(result, Facts({"result": "not delivered" if outcome.failure else "delivered", **result}))
    if outcome.failure is not None:
        raise CommandError(f"{url} did not accept the event: {why_not(outcome)}")


async def _posted(url: str, request: OutgoingRequest, *, external: bool) -> Outcome:
    async with Poster(external=external) as poster:
        await poster.check(url)
        return await poster.post(request)


def _happen(event_type: str, changes: Mapping[str, Any], out: Output, *, yes: bool) -> None:
    now = wall_clock()
    try:
        steps = scenario.scenario(event_type, changes, now)
    except Invalid as invalid:
        raise _unusable(invalid) from None
    client = connect()
    if not (yes or _is_emulator(client)):
        _ask(client)
    external_id = event_id(now, secrets.randbits(62))
    headers: Mapping[str, str] = {}
    for step in steps:
        headers = client.call(step.method, path("documents", external_id), body=step.snapshot).headers
    result = {"eventId": headers["signalpost-event"], "eventType": event_type, "externalId": external_id}
    out.show(result, Facts(result), f"See what happens to it: signalpost why {result['eventId']}")


def _unusable(invalid: Invalid) -> Misuse:
    return Misuse("\n".join(f"--set {error.pointer[1:].replace('/', '.')}: {error.detail}" for error in invalid.errors))


def _is_emulator(client: Client) -> bool:
    try:
        client.call("GET", "/emulator")
    except CallRefused as refused:
        if refused.problem.get("status") == 404:
            return False
        raise
    return True


def _ask(client: Client) -> None:
    """Raises CommandError unless the person at the terminal agrees."""
    what = f"This creates a sample document in {client.url}, and every subscription there gets its events."
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise CommandError(f"{what} Add --yes if you mean it, or start `signalpost emulator`.")
    remarks.print(f"{what} Go on? [y/N] ", end="", markup=False)
    if input().strip().lower() not in ("y", "yes"):
        raise CommandError("No event was created.")
