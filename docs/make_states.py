"""Writes docs/states.md from the tables in the code: `python docs/make_states.py`. A test keeps it so."""

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TypeVar

from signalpost.domain import delivery, replay
from signalpost.domain.delivery import State

States = TypeVar("States", bound=Enum)
Inputs = TypeVar("Inputs", bound=Enum)

HEAD = """# States

Made from the tables in the code by `python docs/make_states.py`; do not edit.
"""


def page() -> str:
    stored = ", ".join(f"{state.name} ({int(state)})" for state in (State.PARKED, State.BLOCKED, State.FAILED))
    return (
        HEAD
        + _section("A delivery", delivery.TRANSITIONS)
        + f"\nStored as exception rows: {stored}. OPEN and FLYING are numbers in the lane's `open` list.\n"
        + _section("A replay", replay.TRANSITIONS)
    )


def _section(title: str, transitions: Mapping[States, Mapping[Inputs, States]]) -> str:
    """A table of transitions, of which the first state is where it begins, as a diagram and as a table."""
    steps = [
        (state.name, event.name.lower(), after.name)
        for state, inputs in transitions.items()
        for event, after in inputs.items()
    ]
    arrows = "\n".join(f"    {state} --> {after}: {event}" for state, event, after in steps)
    table = "\n".join(f"| {state} | {event} | {after} |" for state, event, after in steps)
    return (
        f"\n## {title}\n\n```mermaid\nstateDiagram-v2\n    [*] --> {steps[0][0]}\n{arrows}\n```\n"
        f"\n| state | input | becomes |\n| --- | --- | --- |\n{table}\n"
    )


if __name__ == "__main__":
    Path(__file__).with_name("states.md").write_text(page(), encoding="utf-8")
