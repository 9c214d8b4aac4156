"""`signalpost subscriptions`: set up subscriptions, rotate their secrets and try their endpoints."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from signalpost.cli.client import Client, Misuse, connect, path
from signalpost.cli.commands.declared.command import apply, export
from signalpost.cli.commands.destinations import kinds
from signalpost.cli.commands.subscription_checks import EventType, SubscriptionId, check_signature, preview, try_
from signalpost.cli.terminal.assignments import assignments, filled, read_json
from signalpost.cli.terminal.output import (
    Json,
    Limit,
    print_facts,
    print_json,
    print_table,
    say,
    warn,
    without_fractions,
)
from signalpost.domain.names import did_you_mean

app = App(name="subscriptions", help_format="markdown")

for command in (apply, export, preview, check_signature):
    app.command(command)
app.command(try_, name="test")

ALL: tuple[EventType, ...] = ("documentCreated", "documentUpdated", "documentDeleted")
Types = Annotated[
    list[EventType] | None, Parameter(name="--event-type", negative="", help="An event type; repeatable.")
]
Name = Annotated[str | None, Parameter(help="A name to show in lists.")]
Secret = Annotated[str | None, Parameter(help="The secret to sign with, 8 to 256 characters; generated if left out.")]
Headers = Annotated[
    list[str] | None,
    Parameter(name="--header", negative="", help="An additional header, 'name: value'; repeatable."),
]
Ordering = Annotated[
    Literal["loose", "strict"] | None,
    Parameter(help="loose: a document's later events may overtake one that waits for its retry; strict: they wait."),
]
RateLimit = Annotated[
    int | None, Parameter(help="Maximum requests in any one second; after a pause, up to this many at once.")
]
RetryDelays = Annotated[
    str | None, Parameter(help="Seconds to wait before each retry, such as 10,60,300; '' means no retries.")
]
Status = Annotated[
    Literal["active", "paused"] | None, Parameter(help="Whether to send. Events of a paused subscription wait.")
]
Connection = Annotated[str | None, Parameter(help="ID of the connection to use.")]
ConfigFile = Annotated[
    Path | None,
    Parameter(allow_leading_hyphen=True, help="A file with the kind's config as JSON; - for standard input."),
]
WhenFile = Annotated[
    str | None,
    Parameter(
        help="The condition that an event must meet, as JSON or @FILE, such as "
        '{"field": "document.status", "changedTo": "executed"}.'
    ),
]
AfterFile = Annotated[
    str | None,
    Parameter(
        help="How long deliveries wait, and what must still hold then, as JSON or @FILE, such as "
        '{"seconds": 3600, "if": {"field": "document.status", "is": "awaitingApproval"}}.'
    ),
]
State = Literal["healthy", "failing", "paused", "disabled"]
FILTERS = {"?name": "--name", "?host": "--host", "?state": "--state"}
OPTIONS = {
    "/url": "URL", "/eventTypes": "--event-type", "/name": "--name", "/secret": "--secret", "/headers": "--header",
    "/ordering": "--ordering", "/rateLimit": "--rate-limit", "/retryDelays": "--retry-delays", "/status": "--status",
    "/kind": "--kind", "/connection": "--connection", "/config": "--config", "/when": "--when", "/after": "--after",
    "/overlapHours": "--overlap-hours", "/skipBacklog": "--skip-backlog",
}  # fmt: skip


@app.command(name="list")
def list_(
    *,
    name: Annotated[str | None, Parameter(help="Only those whose name contains this.")] = None,
    host: Annotated[str | None, Parameter(help="Only those whose URL's host contains this.")] = None,
    state: Annotated[State | None, Parameter(help="Only those with this health.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List subscriptions and their health, newest first.

    Example: signalpost subscriptions list --state failing
    """
    query = {"name": name, "host": host, "state": state}
    found = list(connect(FILTERS).pages(path("subscriptions"), query, limit))
    if as_json:
        print_json(found)
        return
    print_table(
        ("subscription", "status", "health", "lag", "name", "breaker", "last error"),
        [
            (s["id"], s["status"], s["health"]["state"], s["health"]["lag"], s["name"], s["health"]["breaker"],
             s["health"]["lastError"])
            for s in found
        ],
        "No such subscriptions."
        if any(query.values())
        else "No subscriptions yet. Create one: signalpost subscriptions create https://…",
        cut=("name", "last error"),
    )  # fmt: skip
    for subscription in found:
        _warn_if_disabled(subscription)


@app.command
def create(
    url: Annotated[str | None, Parameter(help="The endpoint's https URL, for a webhook.")] = None,
    /,
    *,
    preset: Annotated[
        str | None, Parameter(help="A preset to fill in, as `signalpost destinations list` shows it.")
    ] = None,
    connection: Connection = None,
    set_: Annotated[
        list[str] | None,
        Parameter(name="--set", negative="", help="A value for a blank of the preset, name=value; repeatable."),
    ] = None,
    kind: Annotated[str | None, Parameter(help="The kind of destination, without a URL or a preset.")] = None,
    config: ConfigFile = None,
    when: WhenFile = None,
    after: AfterFile = None,
    event_type: Types = None,
    name: Name = None,
    secret: Secret = None,
    header: Headers = None,
    ordering: Ordering = None,
    rate_limit: RateLimit = None,
    retry_delays: RetryDelays = None,
    status: Status = None,
    dry_run: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Only check whether it would be accepted; create nothing."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Create a subscription: for a webhook by its URL, or for a connection by a preset or a kind.

    A webhook gets every event type unless you name some; its secret is shown only this once.

    Example: signalpost subscriptions create https://example.com/hooks --event-type documentCreated

    Example: signalpost subscriptions create --preset slack-executed --connection 01a20e92-… --set channel=#legal
    """
    asked = {
        "url": url, "eventTypes": event_type, "name": name, "secret": secret, "headers": _headers(header),
        "ordering": ordering, "rateLimit": rate_limit, "retryDelays": _delays(retry_delays), "status": status,
        "kind": kind, "connection": connection, "config": None if config is None else read_json(config),
        "when": _json_or_file(when), "after": _json_or_file(after),
    }  # fmt: skip
    if sum(each is not None for each in (url, preset, kind)) != 1:
        raise Misuse("Name one: the URL of a webhook, --preset, or --kind.")
    recipe, options = ({}, OPTIONS) if preset is None else _filled_preset(preset, assignments(set_ or (), "--set"))
    body = {"eventTypes": list(ALL), **recipe, **_given(asked)}
    if dry_run:
        _check(connect(options), body, as_json)
    else:
        _show(connect(options).call("POST", path("subscriptions"), body=body).content, as_json)


@app.command
def get(subscription: SubscriptionId, /, *, as_json: Json = False) -> None:
    """Show a subscription and its health.

    Example: signalpost subscriptions get 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    _show(connect().call("GET", path("subscriptions", subscription)).content, as_json)


@app.command
def update(
    subscription: SubscriptionId,
    /,
    *,
    url: Annotated[str | None, Parameter(help="The endpoint's new https URL.")] = None,
    event_type: Types = None,
    name: Name = None,
    header: Headers = None,
    no_headers: Annotated[
        bool, Parameter(negative="", show_default=False, help="Remove all additional headers.")
    ] = False,
    ordering: Ordering = None,
    rate_limit: RateLimit = None,
    no_rate_limit: Annotated[bool, Parameter(negative="", show_default=False, help="Remove the rate limit.")] = False,
    retry_delays: RetryDelays = None,
    status: Status = None,
    connection: Connection = None,
    config: ConfigFile = None,
    when: WhenFile = None,
    after: AfterFile = None,
    as_json: Json = False,
) -> None:
    """Change a subscription. Event types apply to future events, all else at once. Headers replace all earlier ones.

    Example: signalpost subscriptions update 01a20e92-1d5f-76d4-985f-8a63b2c66f94 --rate-limit 20
    """
    body = _given(
        {
            "url": url, "eventTypes": event_type, "name": name, "headers": {} if no_headers else _headers(header),
            "ordering": ordering, "rateLimit": rate_limit, "retryDelays": _delays(retry_delays), "status": status,
            "connection": connection, "config": None if config is None else read_json(config),
            "when": _json_or_file(when), "after": _json_or_file(after),
        }
    )  # fmt: skip
    if no_rate_limit:
        body["rateLimit"] = None
    if not body:
        raise Misuse("Nothing to change: add an option, such as --url https://…")
    changed = connect({**OPTIONS, "/url": "--url"}).call("PATCH", path("subscriptions", subscription), body=body)
    _show(changed.content, as_json)


@app.command
def pause(subscription: SubscriptionId, /, *, as_json: Json = False) -> None:
    """Stop sending. Events that are made in the meantime wait.

    Example: signalpost subscriptions pause 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    paused = connect().call("PATCH", path("subscriptions", subscription), body={"status": "paused"})
    if as_json:
        print_json(paused.content)
    else:
        say(f"Paused. Events wait until you resume it: signalpost subscriptions resume {subscription}")


@app.command
def resume(
    subscription: SubscriptionId,
    /,
    *,
    skip_backlog: Annotated[
        bool, Parameter(negative="", show_default=False, help="Skip all waiting events; send only future ones.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Resume sending, from where it stopped or from now on.

    Example: signalpost subscriptions resume 01a20e92-1d5f-76d4-985f-8a63b2c66f94 --skip-backlog
    """
    body: dict[str, object] = {"status": "active"}
    if skip_backlog:
        body["skipBacklog"] = True
    resumed = connect(OPTIONS).call("PATCH", path("subscriptions", subscription), body=body)
    if as_json:
        print_json(resumed.content)
    else:
        say("Resumed with future events only." if skip_backlog else "Resumed. Waiting events are being sent.")


@app.command
def rotate(
    subscription: SubscriptionId,
    /,
    *,
    secret: Secret = None,
    overlap_hours: Annotated[
        int | None, Parameter(help="Hours during which both secrets sign; 0 switches to the new one at once. [24]")
    ] = None,
    as_json: Json = False,
) -> None:
    """Rotate the secret: old and new both sign until the overlap ends. Shows the new one only this once.

    Example: signalpost subscriptions rotate 01a20e92-1d5f-76d4-985f-8a63b2c66f94 --overlap-hours 48
    """
    body = _given({"secret": secret, "overlapHours": overlap_hours})
    rotated = connect(OPTIONS).call("POST", path("subscriptions", subscription, "secret", "rotate"), body=body)
    _show(rotated.content, as_json)


@app.command
def promote(subscription: SubscriptionId, /, *, as_json: Json = False) -> None:
    """End a rotation's overlap now, so that only the new secret signs.

    Example: signalpost subscriptions promote 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    promoted = connect().call("POST", path("subscriptions", subscription, "secret", "promote"))
    if as_json:
        print_json(promoted.content)
    else:
        say("Promoted. From now on only the new secret signs.")


@app.command
def delete(subscription: SubscriptionId, /) -> None:
    """Delete a subscription. Nothing more is sent.

    Example: signalpost subscriptions delete 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    connect().call("DELETE", path("subscriptions", subscription))
    say(f"Deleted {subscription}.")


def _filled_preset(name: str, given: dict[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The members that a preset makes, and which option sets which of them."""
    installed = {preset["name"]: (kind["kind"], preset) for kind in kinds() for preset in kind["presets"]}
    if name not in installed:
        hint = did_you_mean(name, installed)
        raise Misuse(f"There is no preset {name}{hint} List them: signalpost destinations list")
    kind, preset = installed[name]
    blanks = {each["pointer"]: f"--set {each['name']}" for each in preset["inputs"]}
    return {"kind": kind, **filled(preset, given)}, {**OPTIONS, **blanks}


def _json_or_file(text: str | None) -> Any:
    if text is None:
        return None
    if text.startswith("@"):
        return read_json(Path(text[1:]))
    try:
        return json.loads(text)
    except ValueError as error:
        raise Misuse(f"This is not JSON: {text} ({error})") from None


def _given(body: dict[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in body.items() if value is not None}


def _headers(pairs: list[str] | None) -> dict[str, str] | None:
    if pairs is None:
        return None
    headers = {}
    for pair in pairs:
        name, separator, value = pair.partition(":")
        if not separator:
            raise Misuse(f"Write --header 'name: value', not {pair}")
        headers[name.strip()] = value.strip()
    return headers


def _delays(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")] if text.strip() else []
    except ValueError:
        raise Misuse(f"Write --retry-delays as seconds with commas, such as 10,60,300, not {text}") from None


def _check(client: Client, body: dict[str, Any], as_json: bool) -> None:  # noqa: FBT001 - the command's own option
    client.call("POST", path("subscriptions", "check"), body=body)
    if as_json:
        print_json({"valid": True})
    else:
        say("It would be accepted. Nothing was created.")


def _show(subscription: dict[str, Any], as_json: bool) -> None:  # noqa: FBT001 - the command's own option
    if as_json:
        print_json(subscription)
        return
    print_facts({**subscription, "headers": list(subscription["headers"])})
    if "secret" in subscription:
        say("The secret is shown only this once. Give it to the receiver now.")
    _warn_if_disabled(subscription)


def _warn_if_disabled(subscription: dict[str, Any]) -> None:
    if subscription["status"] == "disabled":
        name = subscription["name"] or subscription["id"]
        why = f"Disabled because its endpoint failed for days: {name}. Waiting events are sent when it is resumed."
        if "kind" in subscription:
            why = f"Disabled: {name}. {subscription['health']['disabledReason']}"
        kept = subscription["health"]["keptUntil"]
        until = "" if kept is None else f"The oldest is kept until {without_fractions(kept)}.\n"
        warn(
            f"{why}\n{until}"
            f"Test the endpoint: signalpost subscriptions test {subscription['id']}\n"
            f"Resume it: signalpost subscriptions resume {subscription['id']}"
        )
