"""`signalpost subscriptions`: who wants which events where."""

from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from signalpost.cli.client import CommandError, connect
from signalpost.cli.output import Json, print_facts, print_json, print_table, say

app = App(name="subscriptions", help="Set up subscriptions and see how their endpoints do.")

EventType = Literal["documentCreated", "documentUpdated", "documentDeleted"]
Types = Annotated[list[EventType] | None, Parameter(name="--event", help="An event type; as often as needed.")]
Headers = Annotated[list[str] | None, Parameter(name="--header", help="'name: value', as often as needed.")]
ALL: tuple[EventType, ...] = ("documentCreated", "documentUpdated", "documentDeleted")


@app.command(name="list")
def list_(*, limit: int = 50, as_json: Json = False) -> None:
    """List subscriptions, newest first, with how they do.

    Example: signalpost subscriptions list
    """
    found = list(connect().pages("/v1/subscriptions", {}, limit))
    if as_json:
        print_json(found)
        return
    print_table(
        ("id", "name", "status", "health", "breaker", "lag", "last error"),
        [
            (s["id"], s["name"], s["status"], s["health"]["state"], s["health"]["breaker"], s["health"]["lag"],
             s["health"]["lastError"])
            for s in found
        ],
        "No subscriptions yet. Make one with: signalpost subscriptions create https://…",
    )  # fmt: skip


@app.command
def create(
    url: str,
    /,
    *,
    event: Types = None,
    name: str | None = None,
    secret: Annotated[str | None, Parameter(help="8 to 256 characters; made if left out.")] = None,
    header: Headers = None,
    ordering: Literal["loose", "strict"] | None = None,
    rate_limit: Annotated[int | None, Parameter(help="Most requests in a second.")] = None,
    as_json: Json = False,
) -> None:
    """Subscribe an endpoint, to every event type unless some are named. Shows the secret, this once.

    Example: signalpost subscriptions create https://example.com/hooks --event documentCreated
    """
    body = {
        "url": url, "eventTypes": event or list(ALL), "name": name, "secret": secret,
        "headers": _headers(header), "ordering": ordering, "rateLimit": rate_limit,
    }  # fmt: skip
    given = {field: value for field, value in body.items() if value is not None}
    _show(connect().call("POST", "/v1/subscriptions", body=given).content, as_json)


@app.command
def get(subscription_id: str, /, *, as_json: Json = False) -> None:
    """Show a subscription and its health.

    Example: signalpost subscriptions get 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    _show(connect().call("GET", f"/v1/subscriptions/{subscription_id}").content, as_json)


@app.command
def update(
    subscription_id: str,
    /,
    *,
    url: str | None = None,
    event: Types = None,
    name: str | None = None,
    header: Headers = None,
    ordering: Literal["loose", "strict"] | None = None,
    as_json: Json = False,
) -> None:
    """Change a subscription. Event types count for events to come, all else at once.

    Example: signalpost subscriptions update 01a20e92-1d5f-76d4-985f-8a63b2c66f94 --url https://example.com/new
    """
    body = {"url": url, "eventTypes": event, "name": name, "headers": _headers(header), "ordering": ordering}
    given = {field: value for field, value in body.items() if value is not None}
    if not given:
        raise CommandError("Say what to change, such as --url https://…")
    _show(connect().call("PATCH", f"/v1/subscriptions/{subscription_id}", body=given).content, as_json)


@app.command
def pause(subscription_id: str, /) -> None:
    """Stop sending; what comes meanwhile waits.

    Example: signalpost subscriptions pause 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    connect().call("PATCH", f"/v1/subscriptions/{subscription_id}", body={"status": "paused"})
    say("Paused. What comes meanwhile waits for `signalpost subscriptions resume`.")


@app.command
def resume(subscription_id: str, /, *, skip_backlog: bool = False) -> None:
    """Send again, from where it stopped, or from now on.

    Example: signalpost subscriptions resume 01a20e92-1d5f-76d4-985f-8a63b2c66f94 --skip-backlog
    """
    body: dict[str, object] = {"status": "active"}
    if skip_backlog:
        body["skipBacklog"] = True
    connect().call("PATCH", f"/v1/subscriptions/{subscription_id}", body=body)
    say("Resumed from now on." if skip_backlog else "Resumed: it catches up.")


@app.command
def delete(subscription_id: str, /) -> None:
    """Delete a subscription; nothing more is sent.

    Example: signalpost subscriptions delete 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    connect().call("DELETE", f"/v1/subscriptions/{subscription_id}")
    say(f"Deleted {subscription_id}.")


def _headers(pairs: list[str] | None) -> dict[str, str] | None:
    if pairs is None:
        return None
    headers = {}
    for pair in pairs:
        name, separator, value = pair.partition(":")
        if not separator:
            raise CommandError(f"Write --header 'name: value', not {pair}.")
        headers[name.strip()] = value.strip()
    return headers


def _show(subscription: dict[str, Any], as_json: bool) -> None:  # noqa: FBT001 - the command's own option
    if as_json:
        print_json(subscription)
        return
    health = subscription.pop("health") or {}
    headers = list(subscription.pop("headers"))
    print_facts({**subscription, "headers": headers, **{f"health.{name}": value for name, value in health.items()}})
    if "secret" in subscription:
        say("The secret is shown this once: keep it where the receiver can read it.")
