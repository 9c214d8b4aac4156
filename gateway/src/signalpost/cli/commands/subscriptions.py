"""`signalpost subscriptions`: set up subscriptions, rotate their secrets and try their endpoints."""

from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from signalpost.cli.client import CallRefused, Misuse, connect, path
from signalpost.cli.commands.declared.command import apply, export
from signalpost.cli.commands.declared.rehearse import rehearse
from signalpost.cli.commands.destinations import kinds
from signalpost.cli.commands.shadows import compare, promote_shadow
from signalpost.cli.commands.subscription_checks import check_signature, preview, run_cases, try_
from signalpost.cli.commands.subscription_options import UNSAID, SubscriptionOptions, headers_of
from signalpost.cli.meant import meant
from signalpost.cli.terminal.assignments import assignments, filled
from signalpost.cli.terminal.moments import WAYS, Moment
from signalpost.cli.terminal.options import (
    EVERY_TYPE,
    Limit,
    Sets,
    SubscriptionId,
    flag,
    given,
    options_of,
    parts_of,
    repeatable,
)
from signalpost.cli.terminal.output import TEXT, Output, Parts
from signalpost.cli.terminal.parts import Facts, Warn, table
from signalpost.cli.terminal.plain import say, without_fractions
from signalpost.domain.language.names import did_you_mean

_IMPORT = """Write the endpoints of another system as a file that `subscriptions apply` takes, and say what is lost.

It changes nothing, neither there nor here. Every subscription in the file is paused.

Example: signalpost subscriptions import svix https://api.eu.svix.com moved
"""
app = App(name="subscriptions", help_format="markdown")

for command in (apply, export, rehearse, preview, check_signature, compare, promote_shadow):
    app.command(command)
app.command("signalpost.cli.commands.imported.command:app", name="import", help=_IMPORT)  # loaded if it is called
app.command(try_, name="test")
app.command(run_cases, name="test-run")

State = Literal["healthy", "failing", "paused", "disabled"]
Secret = Annotated[
    str | None,
    Parameter(help="The secret to sign with, 8 to 256 characters; generated if left out."),
    Sets("/secret"),
]


StartsAfter = Annotated[
    int | None,
    Parameter(help="Begin in the past: after the event with this sequence."),
    Sets("/startsAfter"),
]
StartsAt = Annotated[
    Moment | None,
    Parameter(help=f"Begin in the past: with the first event from this moment on: {WAYS}."),
    Sets("/startsAt"),
]


@app.command(name="list")
def list_(
    *,
    name: Annotated[str | None, Parameter(help="Only those whose name contains this."), Sets("?name")] = None,
    host: Annotated[str | None, Parameter(help="Only those whose URL's host contains this."), Sets("?host")] = None,
    state: Annotated[State | None, Parameter(help="Only those with this health."), Sets("?state")] = None,
    limit: Limit = 50,
    out: Output = TEXT,
) -> None:
    """List subscriptions and their health, newest first.

    Example: signalpost subscriptions list --state failing
    """
    found = list(connect().pages(path("subscriptions"), {"name": name, "host": host, "state": state}, limit))
    columns = {
        "subscription": "id", "status": "status", "health": "health.state", "lag": "health.lag", "name": "name",
        "breaker": "health.breaker", "last error": "health.lastError",
    }  # fmt: skip
    none_yet = "No subscriptions yet. Create one: signalpost subscriptions create https://…"
    out.show(
        found,
        table(
            found,
            columns,
            "No such subscriptions." if name or host or state else none_yet,
            cut=("name", "last error"),
        ),
        *(_disabled(each) for each in found if each["status"] == "disabled"),
    )


@app.command
def create(
    url: Annotated[str | None, Parameter(help="The endpoint's https URL, for a webhook."), Sets("/url")] = None,
    /,
    *,
    preset: Annotated[
        str | None, Parameter(help="A preset to fill in, as `signalpost destinations list` shows it.")
    ] = None,
    set_: Annotated[
        list[str] | None, repeatable("A value for a blank of the preset, name=value; repeatable.", "--set")
    ] = None,
    kind: Annotated[
        str | None, Parameter(help="The kind of destination, without a URL or a preset."), Sets("/kind")
    ] = None,
    options: SubscriptionOptions = UNSAID,
    secret: Secret = None,
    starts_after: StartsAfter = None,
    starts_at: StartsAt = None,
    dry_run: Annotated[bool, flag("Only check whether it would be accepted; create nothing.")] = False,
    out: Output = TEXT,
) -> None:
    """Create a subscription: for a webhook by its URL, or for a connection by a preset or a kind.

    A webhook gets every event type unless you name some; its secret is shown only this once. It gets the events from
    now on, unless you say where in the past it begins.

    Example: signalpost subscriptions create https://example.com/hooks --event-type documentCreated

    Example: signalpost subscriptions create --preset slack-executed --connection 01a20e92-… --set channel=#legal
    """
    said = given(url=url, kind=kind, secret=secret, startsAfter=starts_after, startsAt=starts_at) | parts_of(options)
    if sum(each is not None for each in (url, preset, kind)) != 1:
        raise Misuse("Name one: the URL of a webhook, --preset, or --kind.")
    recipe, blanks = ({}, {}) if preset is None else _filled_preset(preset, assignments(set_ or (), "--set"))
    body = {"eventTypes": EVERY_TYPE, **recipe, **said}
    try:
        if dry_run:
            connect().call("POST", path("subscriptions", "check"), body=body)
            out.show({"valid": True}, "It would be accepted. Nothing was created.")
        else:
            made = connect().call("POST", path("subscriptions"), body=body).content
            out.show(made, _told(made))
    except CallRefused as refused:
        raise refused.naming({**options_of(create), **blanks}) from None


@app.command
def shadow(
    original: SubscriptionId,
    url: Annotated[str, Parameter(help="The https URL of the new endpoint."), Sets("/url")],
    /,
    *,
    name: Annotated[str | None, Parameter(help="A name to show in lists."), Sets("/name")] = None,
    header: Annotated[
        list[str] | None,
        repeatable("An additional header for another origin than the original's, 'name: value'; repeatable."),
        Sets("/headers", headers_of),
    ] = None,
    no_headers: Annotated[bool, flag("At another origin, send no additional headers.")] = False,
    secret: Secret = None,
    out: Output = TEXT,
) -> None:
    """Try a new endpoint beside the old one: it gets the same events from now on, once each, and its answers count for
    nothing.

    Its secret is shown only this once. Compare the answers with `subscriptions compare`.

    Example: signalpost subscriptions shadow 01a20e92-1d5f-76d4-985f-8a63b2c66f94 https://new.example.com/hooks
    """
    body = given(shadowOf=original, url=url, name=name, secret=secret)
    if header or no_headers:
        body["headers"] = headers_of(header or [])
    try:
        made = connect().call("POST", path("subscriptions"), body=body).content
    except CallRefused as refused:
        raise refused.naming(options_of(shadow)) from None
    out.show(made, _told(made))


@app.command
def get(
    subscription: Annotated[
        str, Parameter(name="SUBSCRIPTION", help="The subscription's id, its beginning, or a part of its name or URL.")
    ],
    /,
    *,
    out: Output = TEXT,
) -> None:
    """Show a subscription and its health.

    Example: signalpost subscriptions get 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    client = connect()
    found = client.call("GET", path("subscriptions", meant(client, "subscription", subscription))).content
    out.show(found, _told(found))


@app.command
def update(
    subscription: SubscriptionId,
    /,
    *,
    url: Annotated[str | None, Parameter(help="The endpoint's new https URL."), Sets("/url")] = None,
    options: SubscriptionOptions = UNSAID,
    no_headers: Annotated[bool, flag("Remove all additional headers.")] = False,
    no_rate_limit: Annotated[bool, flag("Remove the rate limit.")] = False,
    no_contacts: Annotated[bool, flag("Remove all contacts.")] = False,
    out: Output = TEXT,
) -> None:
    """Change a subscription. Event types apply to future events, all else at once. Headers, and contacts, replace all
    earlier ones.

    Example: signalpost subscriptions update 01a20e92-1d5f-76d4-985f-8a63b2c66f94 --rate-limit 20
    """
    body = given(url=url) | parts_of(options)
    if no_headers:
        body["headers"] = {}
    if no_rate_limit:
        body["rateLimit"] = None
    if no_contacts:
        body["contacts"] = []
    if not body:
        raise Misuse("Nothing to change: add an option, such as --url https://…")
    changed = connect().call("PATCH", path("subscriptions", subscription), body=body).content
    out.show(changed, _told(changed))


@app.command
def pause(subscription: SubscriptionId, /, *, out: Output = TEXT) -> None:
    """Stop sending. Events that are made in the meantime wait.

    Example: signalpost subscriptions pause 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    paused = connect().call("PATCH", path("subscriptions", subscription), body={"status": "paused"})
    out.show(paused.content, f"Paused. Events wait until you resume it: signalpost subscriptions resume {subscription}")


@app.command
def resume(
    subscription: SubscriptionId,
    /,
    *,
    skip_backlog: Annotated[
        bool, flag("Skip all waiting events, cancel replays, and send only future events."), Sets("/skipBacklog")
    ] = False,
    out: Output = TEXT,
) -> None:
    """Resume sending, from where it stopped or from now on.

    Example: signalpost subscriptions resume 01a20e92-1d5f-76d4-985f-8a63b2c66f94 --skip-backlog
    """
    body: dict[str, object] = {"status": "active"}
    if skip_backlog:
        body["skipBacklog"] = True
    resumed = connect().call("PATCH", path("subscriptions", subscription), body=body)
    out.show(
        resumed.content,
        "Resumed with future events only." if skip_backlog else "Resumed. Waiting events are being sent.",
    )


@app.command
def rotate(
    subscription: SubscriptionId,
    /,
    *,
    secret: Secret = None,
    overlap_hours: Annotated[
        int | None,
        Parameter(help="Hours during which both secrets sign; 0 switches to the new one at once. [24]"),
        Sets("/overlapHours"),
    ] = None,
    out: Output = TEXT,
) -> None:
    """Rotate the secret: old and new both sign until the overlap ends. Shows the new one only this once.

    Example: signalpost subscriptions rotate 01a20e92-1d5f-76d4-985f-8a63b2c66f94 --overlap-hours 48
    """
    body = given(secret=secret, overlapHours=overlap_hours)
    rotated = connect().call("POST", path("subscriptions", subscription, "secret", "rotate"), body=body).content
    out.show(rotated, _told(rotated))


@app.command
def promote(subscription: SubscriptionId, /, *, out: Output = TEXT) -> None:
    """End a rotation's overlap now, so that only the new secret signs.

    Example: signalpost subscriptions promote 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    promoted = connect().call("POST", path("subscriptions", subscription, "secret", "promote"))
    out.show(promoted.content, "Promoted. From now on only the new secret signs.")


@app.command
def delete(subscription: SubscriptionId, /) -> None:
    """Delete a subscription. Nothing more is sent.

    Example: signalpost subscriptions delete 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    connect().call("DELETE", path("subscriptions", subscription))
    say(f"Deleted {subscription}.")


def _filled_preset(name: str, inputs: dict[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The members that a preset makes, and which blank sets which of them."""
    installed = {preset["name"]: (kind["kind"], preset) for kind in kinds() for preset in kind["presets"]}
    if name not in installed:
        hint = did_you_mean(name, installed)
        raise Misuse(f"There is no preset {name}{hint} List them: signalpost destinations list")
    kind, preset = installed[name]
    blanks = {each["pointer"]: f"--set {each['name']}" for each in preset["inputs"]}
    return {"kind": kind, **filled(preset, inputs)}, blanks


def _told(subscription: dict[str, Any]) -> Parts:
    yield Facts({**subscription, "headers": list(subscription["headers"])})
    if "secret" in subscription:
        yield "The secret is shown only this once. Give it to the receiver now."
    if subscription["status"] == "disabled":
        yield _disabled(subscription)


def _disabled(subscription: dict[str, Any]) -> Warn:
    name = subscription["name"] or subscription["id"]
    why = f"Disabled because its endpoint failed for days: {name}. Waiting events are sent when it is resumed."
    if "kind" in subscription:
        why = f"Disabled: {name}. {subscription['health']['disabledReason']}"
    kept = subscription["health"]["keptUntil"]
    until = "" if kept is None else f"The oldest is kept until {without_fractions(kept)}.\n"
    return Warn(
        f"{why}\n{until}"
        f"Test the endpoint: signalpost subscriptions test {subscription['id']}\n"
        f"Resume it: signalpost subscriptions resume {subscription['id']}"
    )
