"""Pages as HTML: the templates, and how moments, sizes and states are written in them."""

import re
import secrets
from datetime import UTC, datetime
from types import CodeType
from typing import Any

import msgspec
from jinja2 import BytecodeCache, Environment, PackageLoader, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup, escape

from signalpost.api.routing.shapes.deliveries import DeliveryWithAttempts, RetryAsked
from signalpost.api.routing.shapes.service import Problem
from signalpost.console.charts import busiest, chart, sparkline, timings
from signalpost.console.coloured_json import coloured, folding
from signalpost.console.condition_form import VALUES, fields, operators, sentences
from signalpost.console.delay_form import UNITS, duration_of
from signalpost.console.drawings import said, versions, words, workflow
from signalpost.console.objective_form import IN_PERCENT
from signalpost.console.outcome_words import answered
from signalpost.console.verifiers import verifiers
from signalpost.domain.delivery.diagnosis_rules import EASED_BY_LIMIT
from signalpost.domain.language.names import all_names
from signalpost.domain.timestamps import SECOND, format_timestamp, parse_timestamp
from signalpost.store.nouns.deliveries import MAX_FAILED

_TIMESTAMP = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|\+00:00)"
    r"|(?P<date>\d{4}-\d\d-\d\d) (?P<minute>\d\d:\d\d) UTC",
    re.ASCII,
)
"""Moments as the API writes them, and as diagnoses do."""
STATES = {
    "delivered": ("Delivered", "tick"),
    "healthy": ("Healthy", "tick"),
    "active": ("Active", "tick"),
    "retrying": ("Retrying", "arrows"),
    "failed": ("Failed", "diamond"),
    "failing": ("Failing", "diamond"),
    "pending": ("Pending", "dashes"),
    "skipped": ("Skipped", "dashes"),
    "ready": ("Ready", "tick"),
    "needs_consent": ("Needs consent", "arrows"),
    "broken": ("Broken", "diamond"),
    "paused": ("Paused", "bars"),
    "disabled": ("Disabled", "barred"),
    "unknown": ("Unknown", "dashes"),
    "working": ("Working", "tick"),
    "draining": ("Ending", "bars"),
    "silent": ("Silent", "diamond"),
    "behind": ("Behind", "arrows"),
    "running": ("Running", "arrows"),
    "finished": ("Finished", "tick"),
    "cancelled": ("Stopped", "barred"),
    "new": ("Not opened yet", "dashes"),
    "open": ("Open", "tick"),
    "ended": ("Ended", "barred"),
}
"""The word and the icon of each state, so that no state is told by its colour only."""
TONES = {
    "healthy": "delivered",
    "active": "delivered",
    "ready": "delivered",
    "needs_consent": "retrying",
    "broken": "failed",
    "failing": "failed",
    "skipped": "pending",
    "working": "delivered",
    "draining": "paused",
    "silent": "failed",
    "behind": "retrying",
    "unknown": "pending",
    "running": "retrying",
    "finished": "delivered",
    "cancelled": "pending",
    "new": "pending",
    "open": "delivered",
    "ended": "pending",
}
"""The states that look like another one."""

REPLAYED = {
    "failed": "what was given up",
    "waiting": "what awaits a retry",
    "all": "everything",
    "unsent": "what was never sent",
}
"""The words for what a replay sends again."""
ORDERS = {"loose": "loosely, as events come", "strict": "strictly, one after the other for each document"}
"""The words for the order in which events are sent."""


class _CompiledTemplates(BytecodeCache):
    """What templates were compiled to, which takes longer than to draw a page: shared by all gateways of a process."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._kept.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._kept[bucket.key, bucket.checksum] = bucket.code


_COMPILED = _CompiledTemplates()


def environment() -> Environment:
    """Templates in which everything is escaped, and an unknown name is an error."""
    made = Environment(
        loader=PackageLoader("signalpost.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=_COMPILED,
    )
    made.filters |= {
        "moment": moment,
        "clock": clock,
        "at": at,
        "timestamp": format_timestamp,
        "day": day,
        "number": number,
        "size": size,
        "state": state,
        "prose": prose,
        "pretty": pretty,
        "folding": folding,
        "duration": duration_of,
        "answered": answered,
        "text": text,
        "sentences": sentences,
        "lasting": lasting,
        "deed": deed,
    }
    made.filters["words"] = words
    made.globals |= {"ago": ago, "form_key": form_key, "sparkline": sparkline, "chart": chart, "busiest": busiest}
    made.globals |= {"apart": apart, "coming": coming, "span": span, "timings": timings}
    made.globals |= {"due": due, "asked_before": asked_before, "eased_by_limit": EASED_BY_LIMIT}
    made.globals["max_failed"] = MAX_FAILED
    made.globals |= {"label": label, "workflow": workflow, "said": said, "versions": versions}
    made.globals |= {"condition_fields": fields(), "condition_operators": list(operators())}
    made.globals |= {"replayed": REPLAYED, "orders": ORDERS, "verifiers": verifiers()}
    made.globals["placeholder_names"] = [each.text for each in all_names("a fact") if each.path[0] != "notice"]
    made.globals |= {"condition_values": VALUES, "condition_units": UNITS}
    return made


def form_key() -> str:
    """The `Idempotency-Key` of a form: pressed twice, its button does its work once."""
    return secrets.token_urlsafe(16)


def moment(timestamp: str | None) -> str:
    """A moment as people read it, such as `25 Nov 2026, 10:47:46 UTC`."""
    return "" if timestamp is None else f"{_time(timestamp):%d %b %Y, %H:%M:%S} UTC".lstrip("0")


def clock(now: int) -> str:
    """The time of day of a moment in µs, such as `10:47:58 UTC`."""
    return f"{datetime.fromtimestamp(now / SECOND, UTC):%H:%M:%S} UTC"


def at(timestamp: str, now: int) -> str:
    """The time of day of a moment, with the day unless it is today's: `10:47:58 UTC`, `24 Nov, 10:47:58 UTC`."""
    time, today = _time(timestamp), datetime.fromtimestamp(now / SECOND, UTC)
    return f"{time:%H:%M:%S} UTC" if time.date() == today.date() else f"{time:%d %b, %H:%M:%S} UTC".lstrip("0")


def day(timestamp: str | None) -> str:
    return "" if timestamp is None else f"{_time(timestamp):%d %b %Y}".lstrip("0")


def ago(timestamp: str | None, now: int) -> Markup | str:
    """How far away a moment is, with the moment itself to be read by pointing at it."""
    if timestamp is None:
        return ""
    seconds = (now - parse_timestamp(timestamp)) / SECOND
    said = _span(abs(seconds))
    words = "now" if said == "now" else f"{said} ago" if seconds > 0 else f"in {said}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(timestamp, moment(timestamp), words)


def due(timestamp: str, now: int) -> Markup:
    """When something was or is due, such as `was due 3 min ago`."""
    verb = "was" if now - parse_timestamp(timestamp) >= SECOND else "is"
    return Markup("{} due {}").format(verb, ago(timestamp, now))


def span(since: str, now: int) -> str:
    """How long something lasts, such as `42 min`."""
    return lasting((now - parse_timestamp(since)) / SECOND)


def apart(earlier: str, later: str) -> str:
    """How long after one moment another is, such as `1 min later`."""
    said = _span((parse_timestamp(later) - parse_timestamp(earlier)) / SECOND)
    return "at once" if said == "now" else f"{said} later"


def coming(delivery: DeliveryWithAttempts) -> int | None:
    """The number of the attempt that follows; None if none does by itself."""
    if delivery.status != "retrying":
        return None
    last = delivery.attempts[-1] if delivery.attempts else None
    return 1 if last is None else last.number + last.counted


def asked_before(delivery: DeliveryWithAttempts, place: int) -> list[RetryAsked]:
    """Who asked for an attempt by hand after the attempt before a place in the list of attempts, and before the one
    there."""
    starts = [each.started_at for each in delivery.attempts]
    since = starts[place - 1] if place else ""
    return [
        each
        for each in delivery.retries_asked
        if since < each.at and (place == len(starts) or each.at <= starts[place])
    ]


def deed(action: str) -> str:
    """An action of the audit as people say it, such as `subscription changed` or `secret of a subscription rotated`."""
    noun, _, verb = action.partition(".")
    what, noun = verb.replace("-", " ").partition(" "), noun.replace("-", " ")
    done = _DONE.get(what[0], f"{what[0]}d" if what[0].endswith("e") else f"{what[0]}ed")
    return f"{what[2]} of a {noun} {done}" if what[2] else f"{noun} {done}"


_DONE = {
    "begin": "began",
    "break": "broken",
    "cancel": "cancelled",
    "hold": "held",
    "promote": "made the only one",
    "reset": "reset",
    "retry": "sent again",
}
"""Verbs of actions that do not end with -ed in the past."""


def lasting(seconds: float) -> str:
    """A number of seconds as people say it, such as `5 min`."""
    return "less than a second" if seconds < 1 else _span(seconds)


def _span(seconds: float) -> str:
    if seconds < 1:
        return "now"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            whole, rest = divmod(int(seconds), size)
            finer = {"d": (3_600, "h"), "h": (60, "min"), "min": (1, "s")}[unit]
            more = f" {rest // finer[0]} {finer[1]}" if whole < 10 and rest // finer[0] else ""
            return f"{whole} {unit}{more}"
    return f"{int(seconds)} s"


def pretty(value: Any) -> str:
    """A text as it is, and anything else as indented JSON, in colours."""
    if isinstance(value, str):
        return value
    return coloured(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


_LABELS = {
    "/url": "URL",
    "/eventTypes": "Events",
    "/ordering": "Order",
    "/rateLimit": "Requests a second, at most",
    "/objective/share": "Events promised in time, in percent",
    "/objective/within": "In time means within, in seconds",
    "/after/seconds": "Wait first",
    "/after/if": "And then, only if",
    "/when": "Only if",
    "/trace": "Tell the endpoint of traces",
    "/headers": "Additional headers",
    "/contacts": "Contacts",
    "/email": "E-mail address",
    "/expiresAt": "Expires on",
    "/can": "Allows",
    "/expiresIn": "Ends",
    "/fromSequence": "Or from event",
    "/from": "Events from",
    "/startsAt": "With events from",
    "/startsAfter": "Or after event",
    "/subscriptionIds": "Subscription",
    "/retentionDays": "Days that events are kept",
    "?confirm": "The name, to confirm",
}
"""What the forms call the fields that problems point at, also for what is below them."""


def label(pointer: str, view: Any) -> str:
    """What the form of a page calls the field that a problem points at."""
    form = getattr(view, "form", None)
    asked = [*getattr(form, "fields", ()), *getattr(view, "blanks", ()), *getattr(view, "limits", ())]
    own = {each.pointer: each.title for each in asked} | _LABELS | getattr(view, "labels", {})
    found = [each for each in own if pointer == each or pointer.startswith(f"{each}/")]
    return own[max(found, key=len)] if found else field(pointer)


def field(pointer: str) -> str:
    """A name for the field that a problem points at, such as `Share` for `/share`, if no form has one."""
    said = " ".join(words(each) for each in pointer.strip("/?").split("/"))
    return said.upper() if said == "url" else said.capitalize()


def wrong_fields(problem: Problem | None) -> dict[str, str]:
    """What is wrong with the fields of a form, as it asks for them, by the pointers to them."""
    found = () if problem is None else problem.errors or ()
    return {each.pointer: IN_PERCENT.get((each.pointer, each.code), each.detail) for each in found}


def refusal(problem: Problem) -> str:
    """Why a page cannot be shown: what is wrong with each part of its address, or else what the problem says."""
    return " ".join(f"{field(each.pointer)}: {each.detail}" for each in problem.errors or ()) or problem.detail


def text(value: Any) -> str:
    """A value of the audit as people read it."""
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, list):
        return ", ".join(map(text, value))
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def prose(sentence: str) -> Markup:
    """A sentence in which each timestamp reads as people write it. What cannot be one stays as it is: sentences quote
    what others wrote."""
    text, at = Markup(), 0
    for found in _TIMESTAMP.finditer(sentence):
        text += escape(sentence[at : found.start()]) + _read_as_people_do(found)
        at = found.end()
    return text + escape(sentence[at:])


def _read_as_people_do(found: re.Match[str]) -> Markup:
    written, date, minute = found.group(), found["date"], found["minute"]
    try:
        if date is not None:
            return escape(f"{day(f'{date}T{minute}:00Z')}, {minute} UTC")
        return Markup('<time datetime="{}">{}</time>').format(written, moment(written))
    except (ValueError, OverflowError):
        return escape(written)


def number(value: float) -> str:
    return f"{value:,.0f}"


def size(count: int) -> str:
    """A number of bytes as people read it, such as `1.4 GB`."""
    for bytes_of, unit in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= bytes_of:
            return f"{count / bytes_of:.3g} {unit}" if count < 1000 * bytes_of else f"{count // bytes_of:,} {unit}"
    return f"{count} bytes"


def state(name: str | None) -> Any:
    """What a state looks like: its word, its icon and its tone."""
    word, icon = STATES.get(name or "unknown", (str(name).capitalize(), "dashes"))
    return {"word": word, "icon": icon, "tone": TONES.get(name or "unknown", name or "pending")}


def _time(timestamp: str) -> datetime:
    return datetime.fromtimestamp(parse_timestamp(timestamp) / SECOND, UTC)
