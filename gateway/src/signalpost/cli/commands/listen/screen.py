"""Shows what `listen` does: two lines for each request, or a JSON object, and details of one on request."""

import json
import shutil
import sys
from collections import deque
from datetime import datetime

from rich.text import Text

from signalpost.cli.commands.listen.feed import FeedEntry
from signalpost.cli.commands.listen.forwarder import ForwardedRequest, Heading
from signalpost.cli.terminal.plain import print_json, say
from signalpost.cli.terminal.text import cell, console, warn
from signalpost.domain.delivery.outcome import Outcome
from signalpost.local.chaos import PlannedRequest
from signalpost.local.poster import why_not

KEPT = 200
"""How many requests can be chosen again by key."""
HELP = "Keys: r resend, d details, k and j choose an earlier or a later request, q quit"


class Screen:
    """What a person sees."""

    def __init__(self, url: str | None) -> None:
        """`url` is where events are forwarded to; None if they are only shown."""
        self._url = url
        self._kept: deque[ForwardedRequest] = deque(maxlen=KEPT)
        self._chosen = 0
        """How far the chosen request is from the newest."""

    def sending(self, planned: PlannedRequest[FeedEntry], heading: Heading) -> None:
        """Show that a request is made."""
        self._event("-->", planned, heading)

    def dropped(self, planned: PlannedRequest[FeedEntry], heading: Heading) -> None:
        """Show that an event is not sent, as `--chaos` asked for."""
        self._event("--x", planned, heading)

    def _event(self, arrow: str, planned: PlannedRequest[FeedEntry], heading: Heading) -> None:
        document = heading.document
        line = Text.assemble(
            (_now(), "dim"), f" {arrow} ", (heading.type, "bold"), f" #{planned.entry.sequence} ",
            cell(document.get("status", "")), (f" ({planned.note}) " if planned.note else " ", "yellow"),
            cell(document.get("title", "")),
        )  # fmt: skip
        if sys.stdout.isatty():
            line.truncate(shutil.get_terminal_size().columns, overflow="ellipsis")
        console.print(line)

    def sent(self, forwarded: ForwardedRequest) -> None:
        """Show what happened to a request."""
        self._kept.append(forwarded)
        self._chosen = 0
        outcome = forwarded.outcome
        style = "green" if forwarded.is_right else "bold red"
        line = Text.assemble(
            (_now(), "dim"), " <-- ", (str(outcome.status or outcome.failure), style),
            f" POST {self._url} {outcome.elapsed_us / 1000:.0f} ms #{forwarded.planned.entry.sequence}",
        )  # fmt: skip
        console.print(line)
        if not forwarded.is_right:
            why = why_not(outcome) if outcome.failure else "A forged request was accepted."
            console.print(Text(f"             {why}", style="red"))

    def lost(self, reason: str) -> None:
        """Show that the gateway does not answer."""
        warn(f"{reason}\nTrying again; events are not lost.")

    def found(self) -> None:
        """Show that the gateway answers again."""
        say("The gateway answers again.")

    def missed(self, first: int, last: int) -> None:
        """Show that events were not forwarded."""
        warn(f"The gateway no longer has the events {first} to {last}; they were not forwarded.")

    def began_anew(self) -> None:
        """Show that another log is read."""
        warn("The gateway's log begins anew; its events follow from the first one on.")

    def choose(self, step: int) -> None:
        """Choose an earlier (1) or a later (-1) request, and show which one it is."""
        if self._kept:
            self._chosen = min(max(0, self._chosen + step), len(self._kept) - 1)
            chosen = self._kept[-1 - self._chosen]
            say(f"Chosen: {chosen.heading.type} #{chosen.planned.entry.sequence} {chosen.heading.id}")

    def chosen(self) -> ForwardedRequest | None:
        """The chosen request; the newest one unless another was chosen."""
        return self._kept[-1 - self._chosen] if self._kept else None

    def details(self) -> None:
        """Show the chosen request and its answer in full."""
        chosen = self.chosen()
        if chosen is None:
            say("Nothing was forwarded yet.")
            return
        say("")
        for line in chosen.request.head.decode().strip().splitlines():
            say(f"> {line}")
        say(json.dumps(json.loads(chosen.planned.entry.body), indent=2, ensure_ascii=False))
        say(f"< {chosen.outcome.status or chosen.outcome.failure} {chosen.outcome.detail}".rstrip())
        say(f"{chosen.outcome.answer.decode('utf-8', 'replace')}\n")


class JsonScreen(Screen):
    """What a script reads: a line for each request."""

    def sending(self, planned: PlannedRequest[FeedEntry], heading: Heading) -> None:
        """Print the event, if it goes nowhere."""
        if self._url is None:
            print_json({"sequence": planned.entry.sequence, "event": json.loads(planned.entry.body)})

    def dropped(self, planned: PlannedRequest[FeedEntry], heading: Heading) -> None:
        """Print what was not sent, as `--chaos` asked for."""
        _print_request(planned, heading, None, is_right=True)

    def sent(self, forwarded: ForwardedRequest) -> None:
        _print_request(forwarded.planned, forwarded.heading, forwarded.outcome, is_right=forwarded.is_right)

    def found(self) -> None:
        """Print nothing: the next event says it."""


def _print_request(
    planned: PlannedRequest[FeedEntry], heading: Heading, outcome: Outcome | None, *, is_right: bool
) -> None:
    """All lines have the same members; what happened to a request that was not made is null."""
    print_json(
        {
            "sequence": planned.entry.sequence,
            "eventId": heading.id,
            "eventType": heading.type,
            "externalId": heading.document.get("externalId"),
            "statusCode": outcome and outcome.status,
            "durationMs": outcome and round(outcome.elapsed_us / 1000, 3),
            "error": outcome and outcome.failure,
            "detail": (outcome and outcome.detail) or None,
            "attempt": planned.attempt,
            "note": planned.note or None,
            "asExpected": is_right,
        }
    )


def _now() -> str:
    return datetime.now().astimezone().strftime("%H:%M:%S")
