"""`signalpost subscriptions test`, `test-run`, `preview` and `check-signature`: what an endpoint answers, what it would
be sent, and whether a signature is the subscription's."""

import json
import sys
from itertools import chain
from typing import Annotated, Any

from cyclopts import Parameter

from signalpost.cli.client import Client, CommandError, Misuse, connect, path
from signalpost.cli.terminal.options import EventType, Sets, SubscriptionId, flag, given
from signalpost.cli.terminal.output import TEXT, Output, Parts
from signalpost.cli.terminal.parts import Facts, Line
from signalpost.cli.terminal.verdicts import FAULT, UNKNOWN, WELL, verdict
from signalpost.domain.delivery.receiver_cases import CASES, Verdict
from signalpost_receiver.sign import PAGE_SIGNATURE, STANDARD_SIGNATURE, STANDARD_TIMESTAMP


def try_(
    subscription: SubscriptionId,
    /,
    *,
    event_type: Annotated[
        EventType | None, Parameter(help="Event type of the sample; the first subscribed one if left out.")
    ] = None,
    new_secret: Annotated[
        bool,
        flag("During a rotation: sign only with the new secret, as after a promotion."),
    ] = False,
    out: Output = TEXT,
) -> None:
    """Send a sample event now, outside the log, and show the endpoint's answer. Exit code 1 if it was not delivered.

    Through a connection goes the newest event that the subscription wants, or a sample if there is none.

    Example: signalpost subscriptions test 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    body = given(eventType=event_type, secret="next" if new_secret else None)
    result = connect().call("POST", path("subscriptions", subscription, "test"), body=body).content
    out.show(result, _tested(result))
    if result["error"] is not None:
        what = "Nothing was sent" if result["error"] == "skipped" else "The event was not delivered"
        raise CommandError(f"{what}: {result['detail'] or result['error']}")


def _tested(result: dict[str, Any]) -> Facts:
    apart = ("delivered", "exchange", "diagnosis")  # what went over the wire is for --json, and for the console
    facts = {name: value for name, value in result.items() if name not in apart}
    if (diagnosis := result["diagnosis"]) is not None:
        facts["diagnosis"] = f"{diagnosis['title']} {diagnosis['forUs']}"
    return Facts({"result": "delivered" if result["delivered"] else "not delivered", **facts})


_MARKS = {Verdict.PASSED: WELL, Verdict.MEND: FAULT, Verdict.NOT_SENT: UNKNOWN}


def run_cases(subscription: SubscriptionId, /, *, out: Output = TEXT) -> None:
    """Send the ten cases that a receiver must stand, outside the log, and say what to mend. Exit code 1 if any of them
    was not answered as it should be.

    Among them are a repeated, a late and a large event, and one that another secret signed. They are samples
    (signalpost-test: true).

    Example: signalpost subscriptions test-run 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    run = connect().call("POST", path("subscriptions", subscription, "test-run")).content
    out.show(run, *chain.from_iterable(map(_case, run["cases"])))
    if not run["passed"]:
        passed = sum(case["verdict"] == Verdict.PASSED for case in run["cases"])
        raise CommandError(f"{passed} of {len(run['cases'])} cases passed.")


def _case(result: dict[str, Any]) -> Parts:
    if result["eventId"] is None:
        answered = ""
    elif result["statusCode"] is None:
        answered = f" It was not answered: {result['detail'] or result['error']}"
    else:
        answered = f" It was answered {result['statusCode']} after {result['durationMs']:.1f} ms."
    said = "" if result["verdict"] == Verdict.PASSED else result["sent"] + answered
    width = max(len(case.name) for case in CASES)
    return verdict(
        _MARKS[Verdict(result["verdict"])], result["name"], width, result["title"], said, result["advice"] or ""
    )


def preview(
    subscription: SubscriptionId,
    event: Annotated[str, Parameter(name="EVENT", help="ID of a past event.")],
    /,
    *,
    out: Output = TEXT,
) -> None:
    """Show the exact request that a past event would become, or why there is none. Nothing is sent.

    Example: signalpost subscriptions preview 01a20e92-1d5f-76d4-985f-8a63b2c66f94 01a20e92-2b1c-7f00-8a63-b2c66f94aaaa
    """
    made = connect().call("POST", path("subscriptions", subscription, "preview"), body={"eventId": event}).content
    out.show(made, _previewed(made))


def _previewed(made: dict[str, Any]) -> Parts:
    if made["request"] is None:
        yield made["why"]
        return
    waits = {} if made["waits"] is None else {"waits": f"{made['waits']} s after the event"}
    yield Facts({**waits, **_shown(made["request"])})
    for following in made["then"]:
        yield "\nIf the vendor has nothing for this document yet:\n"
        yield Facts(_shown(following))


def _shown(request: dict[str, Any]) -> dict[str, Any]:
    return {**request, "body": json.dumps(request["body"], ensure_ascii=False)}


def check_signature(
    subscription: SubscriptionId,
    /,
    *,
    signature: Annotated[
        str,
        Parameter(help=f"The value of {PAGE_SIGNATURE} or {STANDARD_SIGNATURE}, as it arrived or as you computed it."),
        Sets("/signature"),
    ],
    timestamp: Annotated[
        str | None,
        Parameter(help=f"The value of {STANDARD_TIMESTAMP}, which {STANDARD_SIGNATURE} covers."),
        Sets("/timestamp"),
    ] = None,
    event: Annotated[
        str | None, Parameter(help="ID of the event that was signed, instead of its body on standard input.")
    ] = None,
    out: Output = TEXT,
) -> None:
    """Say whether a signature fits a body on standard input, and why it may not. The gateway has the secret, you need
    none. Exit code 1 if it does not fit.

    Example: signalpost subscriptions check-signature 01a20e92-1d5f-76d4-985f-8a63b2c66f94 --signature 0496… < body.json
    """
    client = connect()
    sent = sys.stdin.buffer.read() if event is None else _body_of(client, subscription, event)
    try:
        body = given(signature=signature, body=sent.decode(), timestamp=timestamp)
    except UnicodeDecodeError:
        raise Misuse("The body must be UTF-8, like everything that the gateway sends.") from None
    said = client.call("POST", path("subscriptions", subscription, "secret", "check"), body=body).content
    out.show(
        said,
        Line("fits" if said["fits"] else "does not fit", PAGE_SIGNATURE if timestamp is None else STANDARD_SIGNATURE),
        f"  {said['detail']}",
    )
    if not said["fits"]:
        raise CommandError("The signature does not match the body and the subscription's secret.")


def _body_of(client: Client, subscription: str, event: str) -> bytes:
    """The bytes of an event, as they are sent."""
    with client.open(path("subscriptions", subscription, "deliveries", event, "event")) as (_, parts):
        return b"".join(parts)
