"""Writes docs/states.md from the tables in the code: `python docs/make_states.py`. A test keeps it so."""

from pathlib import Path

from signalpost.domain.delivery import TRANSITIONS, State

HEAD = """# States

Made from the tables in the code by `python docs/make_states.py`; do not edit.

## A delivery

```mermaid
stateDiagram-v2
    [*] --> UNREAD
"""


def page() -> str:
    arrows = [
        f"    {state.name} --> {after.name}: {event.name.lower()}"
        for state, inputs in TRANSITIONS.items()
        for event, after in inputs.items()
    ]
    table = ["| state | input | becomes |", "| --- | --- | --- |"] + [
        f"| {state.name} | {event.name.lower()} | {after.name} |"
        for state, inputs in TRANSITIONS.items()
        for event, after in inputs.items()
    ]
    stored = ", ".join(f"{state.name} ({int(state)})" for state in (State.PARKED, State.BLOCKED, State.FAILED))
    return (
        HEAD
        + "\n".join(arrows)
        + "\n```\n\n"
        + "\n".join(table)
        + f"\n\nStored as exception rows: {stored}. OPEN and FLYING are numbers in the lane's `open` list.\n"
    )


if __name__ == "__main__":
    Path(__file__).with_name("states.md").write_text(page(), encoding="utf-8")
