"""Writes docs/states.md from the tables in the code: `.venv/bin/python docs/make_states.py`. A test keeps it so."""

from collections.abc import Sequence
from pathlib import Path

from signalpost.domain import transitions as tables
from signalpost.domain.delivery import delivery, replay
from signalpost.domain.delivery.delivery import State
from signalpost.domain.documents.actions import TAKES
from signalpost.domain.documents.workflow import (
    ASKED_FOR,
    STATUSES,
    TABLE,
    Action,
    ActionRule,
    RuleKind,
    Workflow,
    allowed,
)
from signalpost.engine.connectors import token_state
from signalpost.engine.lanes import lane_state
from signalpost.listener import connection_state, request_state, tls_state

HEAD = """# States

Generated from the tables in the code by `.venv/bin/python docs/make_states.py`; do not edit.
"""


def page() -> str:
    stored = ", ".join(f"{state.name} ({int(state)})" for state in (State.AWAITING_RETRY, State.BLOCKED, State.FAILED))
    return (
        HEAD
        + _section("A delivery", delivery.TRANSITIONS)
        + f"\nStored as exception rows: {stored}; RETRY_READY, and IN_FLIGHT as a retry, as AWAITING_RETRY.\n"
        "OPEN, and IN_FLIGHT in a first attempt, are numbers in the lane's `open` list.\n"
        + _section("A replay", replay.TRANSITIONS)
        + _lane()
        + _tokens()
        + _connection()
        + _document()
    )


def _section(
    title: str,
    transitions: tables.Transitions[tables.State, tables.Input],
    level: int = 2,
    begins: Sequence[tables.State] = (),
) -> str:
    """A table of transitions as a diagram and as a table. It begins in its first state, unless it says where."""
    steps = [
        (state.name, event.name.lower(), after.name)
        for state, inputs in transitions.items()
        for event, after in inputs.items()
    ]
    beginnings = "\n".join(f"    [*] --> {state.name}" for state in begins or [next(iter(transitions))])
    arrows = "\n".join(f"    {state} --> {after}: {event}" for state, event, after in steps)
    table = "\n".join(f"| {state} | {event} | {after} |" for state, event, after in steps)
    return (
        f"\n{'#' * level} {title}\n\n```mermaid\nstateDiagram-v2\n{beginnings}\n{arrows}\n```\n"
        f"\n| state | input | becomes |\n| --- | --- | --- |\n{table}\n"
    )


# --- A lane at work ---------------------------------------------------------------------------------------------------


def _lane() -> str:
    """Four tables that do not depend on one another."""
    return (
        "\n## A lane at work\n\nA lane has a state of each of these tables. They are only in memory: a restart finds "
        "every lane in the first state of each.\n"
        + _section("Its turn", lane_state.TURNS, level=3)
        + _section("Its progress in the log", lane_state.PROGRESS, level=3)
        + _section("What it did and has recorded", lane_state.RECORDING, level=3)
        + _section("Why it may do nothing", lane_state.HOLDS, level=3)
    )


# --- The tokens of a connection ---------------------------------------------------------------------------------------


def _tokens() -> str:
    """Two tables that do not depend on one another."""
    return (
        "\n## The tokens of a connection to a vendor\n\nThey have a state of each of these tables, in memory only.\n"
        + _section("Whether one is asked for", token_state.ASKINGS, level=3)
        + _section("Why no call may go", token_state.TOKEN_HOLDS, level=3)
    )


# --- A client's connection --------------------------------------------------------------------------------------------


def _connection() -> str:
    """Three tables of the connection, two of its request, and one of TLS. None depends on another."""
    return (
        "\n## A connection of a client\n\nA connection has a state of each of the first three tables, and the request "
        "on it one of each of the next two. A body begins as ARRIVING unless its client waits to be asked for it. "
        "Under TLS there is one more state.\n"
        + _section("Its request", connection_state.STAGES, level=3)
        + _section("Whether another request may follow", connection_state.PERSISTENCE, level=3)
        + _section("What the client sends", connection_state.INTAKES, level=3)
        + _section("The body of a request", request_state.BODIES, level=3, begins=request_state.BODIES_BEGIN)
        + _section("The answer to a request", request_state.ANSWERS, level=3)
        + _section("TLS", tls_state.TLS_STAGES, level=3)
    )


# --- A document -------------------------------------------------------------------------------------------------------

WORDS = {
    RuleKind.AGREE: "{to}, once everybody has agreed",
    RuleKind.RESUME: "the previous status; {to} if it was imported paused",
    RuleKind.EXPIRE: "{to}, when `expiresAt` has passed; a paused one shows it once resumed",
}
"""How the page describes the outcome of some kinds of actions; for the others it names only the status."""


def _document() -> str:
    actions = "\n".join(
        f"| {_said(action)} | {_sources(rule)} | {WORDS.get(rule.kind, '{to}').format(to=rule.to)} |"
        for action, rule in TABLE.items()
    )
    statuses = "\n".join(
        f"| {status} | {', '.join(f'`{action}`' for action in allowed(Workflow(status), 0)) or 'none'} |"
        for status in STATUSES
    )
    return (
        f"\n## A document\n\n```mermaid\n{_diagram()}\n```\n"
        f"\n| action | from | becomes |\n| --- | --- | --- |\n{actions}\n"
        f"\n| status | actions that fit |\n| --- | --- |\n{statuses}\n"
    )


def _diagram() -> str:
    """What leads out of nearly every status leaves the whole of them, `alive`. Pictures lay two arrows between the same
    two boxes upon each other where one of them has others within: so `resume` is told beside `pause`."""
    pause, resume, cancel = TABLE[Action.PAUSE], TABLE[Action.RESUME], TABLE[Action.CANCEL]
    steps = [
        (source, rule.to, action)
        for action, rule in TABLE.items()
        if rule not in (pause, resume, cancel)
        for source in rule.sources
    ]
    within = [_arrow(*step) for step in steps if step[1] in pause.sources]
    reached = {status for step in steps for status in step}
    lines = [
        "direction LR",
        "[*] --> alive",
        "state alive {",
        "    [*] --> created",
        *(f"    {line}" for line in [*within, *(status for status in pause.sources if status not in reached)]),
        "}",
        *(_arrow(*step) for step in steps if step[1] not in pause.sources),
        _arrow("alive", pause.to, f"{Action.PAUSE}, back by {Action.RESUME}"),
        _arrow("alive", cancel.to, Action.CANCEL),
        _arrow(pause.to, cancel.to, Action.CANCEL),
    ]
    return "\n".join(["stateDiagram-v2", *(f"    {line}" for line in lines)])


def _arrow(source: str, to: str, by: str) -> str:
    return f"{source} --> {to}: {by}"


def _said(action: Action) -> str:
    takes = f" {{{', '.join(TAKES[action])}}}" if TAKES.get(action) else ""
    return f"`{action}{takes}`" if action in ASKED_FOR else f"({action})"


def _sources(rule: ActionRule) -> str:
    others = [status for status in STATUSES if status not in rule.sources]
    return f"any but {', '.join(others)}" if len(others) < len(rule.sources) else ", ".join(rule.sources)


if __name__ == "__main__":
    Path(__file__).with_name("states.md").write_text(page(), encoding="utf-8")
