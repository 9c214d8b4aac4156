"""`signalpost replay`: send the events of a span of time again."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn

from signalpost.cli.client import CallRefused, Client, CommandError, Misuse, connect, path
from signalpost.cli.terminal.moments import WAYS, Moment
from signalpost.cli.terminal.options import Limit, Sets, SubscriptionId, flag, given, repeatable
from signalpost.cli.terminal.output import TEXT, Output
from signalpost.cli.terminal.parts import Columns, Facts, table
from signalpost.cli.terminal.progress import progress
from signalpost.cli.terminal.text import remark
from signalpost.domain.timestamps import format_timestamp
from signalpost.runtime.clock import wall_clock

app = App(
    name="replay",
    usage="Usage: signalpost replay [SUBSCRIPTION] --since MOMENT --failed|--waiting|--all [OPTIONS]",
    help_format="markdown",
)

OneOrAll = Annotated[
    str | None, Parameter(name="SUBSCRIPTION", help="The subscription's id; all subscriptions if left out.")
]
ReplayId = Annotated[str, Parameter(name="REPLAY", help="The replay's id.")]
MAX_ALL = 100_000
"""Subscriptions that one command goes through."""
POLL = 0.5

Replay = dict[str, Any]
LeftOut = dict[str, int]


def _count(replay: Replay) -> str:
    return f"{replay['count']:,}" + (" or more" if replay["countIsCapped"] else "")


def _number(member: str) -> Callable[[Replay], str]:
    return lambda replay: f"{replay[member]:,}"


COUNTED: Columns = {"subscription": "subscriptionId", "deliveries": _count}
QUEUED: Columns = {
    "subscription": "subscriptionId", "replay": "id", "state": "state",
    "queued": _number("queued"), "of": _count,
}  # fmt: skip


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """What is to be sent again, as options."""

    since: Annotated[Moment | None, Parameter(help=f"Events from this moment on: {WAYS}."), Sets("/from")] = None
    from_event: Annotated[
        int | None, Parameter(help="Events with this sequence or a higher one."), Sets("/fromSequence")
    ] = None
    until: Annotated[
        Moment | None, Parameter(help="Events before this moment; up to now if left out."), Sets("/to")
    ] = None
    failed: Annotated[bool, flag("Resend what was given up.")] = False
    waiting: Annotated[bool, flag("Send what waits for its retry now.")] = False
    all_: Annotated[bool, flag("Resend what was delivered, too.")] = False
    type_: Annotated[
        list[str] | None, repeatable("Only events of this type; may be repeated.", "--type"), Sets("/eventTypes")
    ] = None
    document: Annotated[
        str | None, Parameter(help="Only events of this document, by its `externalId`."), Sets("/externalId")
    ] = None
    rehearsal: Annotated[
        str | None,
        Parameter(help="What a rehearsal found missing, by its `id`: `signalpost subscriptions rehearse` shows it."),
        Sets("/rehearsal"),
    ] = None

    def request(self, subscription: str | None) -> dict[str, object]:
        """What is asked for. Raises Misuse if that is not said, or said twice."""
        if self.rehearsal is not None:
            if subscription is None or self != ReplayOptions(rehearsal=self.rehearsal):
                raise Misuse("A rehearsal says itself what to send. Name the subscription, and nothing else beside it.")
            return {"rehearsal": self.rehearsal}
        return {
            "status": self._status(),
            **self._begin(),
            "to": self.until or format_timestamp(wall_clock()),
            **given(eventTypes=self.type_, externalId=self.document),
        }

    def _status(self) -> str:
        asked = {"failed": self.failed, "waiting": self.waiting, "all": self.all_}
        chosen = [status for status, is_asked in asked.items() if is_asked]
        if len(chosen) != 1:
            raise Misuse("Choose what to send: --failed, --waiting, or --all for failed and delivered ones.")
        return chosen[0]

    def _begin(self) -> dict[str, object]:
        """The member of the request that says where to begin."""
        if (self.since is None) == (self.from_event is None):
            raise Misuse("Choose where to begin: --since or --from-event.")
        return {"fromSequence": self.from_event} if self.since is None else {"from": self.since}


UNSAID = ReplayOptions()


@app.default
def replay(
    subscription: OneOrAll = None,
    /,
    *,
    options: ReplayOptions = UNSAID,
    dry_run: Annotated[bool, flag("Only count them.")] = False,
    wait: Annotated[bool, flag("Wait until all of it is queued.")] = False,
    out: Output = TEXT,
) -> None:
    """Resend the failed, the waiting, or all deliveries of a period, or from an event on.

    Example: signalpost replay --since 24h --failed --type documentUpdated --dry-run

    Example: signalpost replay 01a20e92-1d5f-76d4-985f-8a63b2c66f94 --from-event 48211 --all
    """
    client, request = connect(), options.request(subscription)
    if subscription is not None:
        made = [_replay(client, subscription, {**request, "dryRun": dry_run})]
        left_out, refused = [made[0]["leftOut"]], list[str]()
    else:
        made, left_out, refused = _replay_all(client, request, dry_run)
    if wait and not dry_run:
        made = _waited(client, made)
    unwanted = 0 if subscription is None else left_out[0]["unwanted"]
    out.show(
        made if subscription is None else made[0],
        table(made, COUNTED if dry_run else QUEUED, "There is nothing to resend."),
        _sentences_on(left_out, is_of_waiting=options.waiting),
        f"Left out: {unwanted:,} that the subscription does not want, or that are older than it." if unwanted else None,
    )
    if refused:
        raise CommandError("Some subscriptions were left out:\n" + "\n".join(refused))


@app.command(name="list")
def list_(
    subscription: OneOrAll = None,
    /,
    *,
    limit: Limit = 50,
    out: Output = TEXT,
) -> None:
    """List replays, newest first.

    Example: signalpost replay list 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    listed = path("replays") if subscription is None else _replays(subscription)
    found = list(connect().pages(listed, {}, limit))
    columns: Columns = {
        **QUEUED, **{count: _number(count) for count in ("delivered", "failed", "waiting")},
        "status": "status", "from": "from", "to": "to", "created": "createdAt",
    }  # fmt: skip
    out.show(found, table(found, columns, "No replays."))


@app.command
def get(subscription: SubscriptionId, replay: ReplayId, /, *, out: Output = TEXT) -> None:
    """Show a replay and its progress.

    Example: signalpost replay get 01a20e92-1d5f-76d4-985f-8a63b2c66f94 01a20e92-1d2e-7800-9367-c582ce4230bd
    """
    found = connect().call("GET", _replays(subscription, replay)).content
    out.show(found, Facts(found))


@app.command
def cancel(subscription: SubscriptionId, replay: ReplayId, /, *, out: Output = TEXT) -> None:
    """Cancel a replay: nothing more is queued, but what is queued is still sent.

    Example: signalpost replay cancel 01a20e92-1d5f-76d4-985f-8a63b2c66f94 01a20e92-1d2e-7800-9367-c582ce4230bd
    """
    found = connect().call("DELETE", _replays(subscription, replay)).content
    out.show(found, f"It is {found['state']}: {found['queued']:,} of {_count(found)} were queued.")


def _replays(subscription: str, *replay: str) -> str:
    return path("subscriptions", subscription, "replays", *replay)


def _replay(client: Client, subscription: str, body: dict[str, object]) -> Replay:
    return {"subscriptionId": subscription, **client.call("POST", _replays(subscription), body=body).content}


def _replay_all(
    client: Client,
    body: dict[str, object],
    dry_run: bool,  # noqa: FBT001 - the command's own option
) -> tuple[list[Replay], list[LeftOut], list[str]]:
    """A replay of every subscription that has anything to send again, what each leaves out, and why others were
    refused."""
    made: list[Replay] = []
    left_out: list[LeftOut] = []
    refused: list[str] = []
    for subscription in client.pages(path("subscriptions"), {}, MAX_ALL):
        identity = subscription["id"]
        try:
            found = _replay(client, identity, {**body, "dryRun": True})
            may_send = found["count"] or found["countIsCapped"]
            if may_send and not dry_run:
                found = _replay(client, identity, body)
        except CallRefused as error:
            if "errors" in error.problem:
                raise
            refused.append(f"  {identity}: {error}")
            continue
        left_out.append(found["leftOut"])
        if may_send:
            made.append(found)
    return made, left_out, refused


def _sentences_on(left_out: list[LeftOut], *, is_of_waiting: bool) -> Iterator[str]:
    """What of the span is not sent, a sentence for each reason that there is."""
    removed, unmet, waiting = (sum(each[name] for each in left_out) for name in ("removed", "unmet", "waiting"))
    if removed:
        yield f"Left out: up to {removed:,} that the retention has removed."
    if unmet:
        yield f"Left out: {unmet:,} that do not meet the subscription's condition, as it is now."
    if waiting:
        sooner = "" if is_of_waiting else " --waiting retries those that wait for a retry now."
        yield f"Left out: {waiting:,} that still wait, and are sent without a replay.{sooner}"


def _waited(client: Client, made: list[Replay]) -> list[Replay]:
    """The replays as they are when none runs any more."""
    replays = {replay["id"]: replay for replay in made}
    with progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()) as bar:
        tasks = {
            replay["id"]: bar.add_task(replay["id"], total=None if replay["countIsCapped"] else replay["count"])
            for replay in made
        }
        running = made
        try:
            while running := [replay for replay in replays.values() if replay["state"] == "running"]:
                for replay in running:
                    found = client.call("GET", _replays(replay["subscriptionId"], replay["id"])).content
                    replays[replay["id"]] = found
                    bar.update(tasks[replay["id"]], completed=found["queued"])
                time.sleep(POLL)
        except KeyboardInterrupt:
            for replay in running:
                remark(f"It goes on. To stop it: signalpost replay cancel {replay['subscriptionId']} {replay['id']}")
            raise
    return list(replays.values())
