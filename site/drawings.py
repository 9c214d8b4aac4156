"""Draws a state diagram, written in Mermaid, as an SVG that needs no script and follows the page's colours.

Every state is a box, and the boxes stand below one another. In a box is a line for each input that leads out of it. All
lines to one state end in a track of its own on the right, which leads into that state's box from above. So no arrow
crosses a word, however many there are, and nothing has to be placed by hand.

It reads what `docs/make_states.py` writes: `A --> B: input`, `[*] --> A`, and `state A {` … `}` for a state that has
others within.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import count
from typing import Final, NamedTuple

LINE: Final = 20
"""The height of a line of text."""
PADDING: Final = 10
GAP: Final = 18
"""The room between two boxes, in which lines go to a box below."""
TRACK: Final = 16
"""The room between two tracks."""
CHARACTER: Final = 7.6
"""The width of a character: 13 pixels of a font in which all are equally wide."""
BEGINNING: Final = "[*]"

_ARROW: Final = re.compile(r"(\S+) --> (\S+?)(?:: (.+))?")
_WHOLE: Final = re.compile(r"state (\S+) \{")


class UnknownLineError(ValueError):
    """A line of a diagram that is not understood."""


class Step(NamedTuple):
    source: str
    by: str
    to: str


class Diagram(NamedTuple):
    """What a diagram says."""

    states: tuple[str, ...]
    """In the order in which they are drawn. A state that has others within stands before them."""
    within: Mapping[str, str]
    """The state that each is in, of those that are in another."""
    begins: frozenset[str]
    steps: tuple[Step, ...]


class Box(NamedTuple):
    """Where a state is drawn."""

    top: int
    left: int
    height: int
    """With all that are within."""
    lines: tuple[Step, ...]

    def line(self, place: int) -> int:
        """The middle of one of its lines; the first is its name."""
        return self.top + PADDING + LINE * place + LINE // 2


def read(text: str) -> Diagram:
    """The diagram that a text describes. Raises UnknownLineError."""
    states: dict[str, str | None] = {}
    begins, steps = set(), []
    whole: str | None = None
    for line in filter(None, map(str.strip, text.splitlines())):
        if line == "stateDiagram-v2" or line.startswith("direction "):
            continue
        if opened := _WHOLE.fullmatch(line):
            whole = opened[1]
            states.setdefault(whole, None)
        elif line == "}":
            whole = None
        elif arrow := _ARROW.fullmatch(line):
            source, to, by = arrow.groups()
            for state in (source, to):
                if state != BEGINNING:
                    states.setdefault(state, whole if state != whole else None)
            if source == BEGINNING:
                begins.add(to)
            else:
                steps.append(Step(source, by or "", to))
        elif re.fullmatch(r"\S+", line):
            states.setdefault(line, whole)
        else:
            raise UnknownLineError(f"the diagram has a line that is not understood: {line}")
    return Diagram(tuple(states), {s: w for s, w in states.items() if w is not None}, frozenset(begins), tuple(steps))


def draw(diagram: Diagram, name: str) -> str:
    """The diagram as an SVG, which a reader that sees no pictures is told the name of."""
    boxes = _placed(diagram)
    bottom = max(box.top + box.height for box in boxes.values())
    width = {
        state: box.left + 2 * PADDING + CHARACTER * max(map(len, (state, *(step.by for step in box.lines))))
        for state, box in boxes.items()
    }
    right = max(width.values()) + PADDING
    tracks = _tracks(diagram, boxes)
    full = right + TRACK * (max(tracks.values(), default=0) + 2)
    size = f'viewBox="0 0 {full:.0f} {bottom + GAP}" width="{full:.0f}" height="{bottom + GAP}"'
    parts = [f'<svg role="img" aria-label="{escape(name)}" {size} xmlns="http://www.w3.org/2000/svg">']
    for state, box in boxes.items():
        end = right + (PADDING if state in diagram.within.values() else 0)
        parts += _box(state, box, end, begins=state in diagram.begins)
    for state, track in tracks.items():
        parts += _arrows(diagram, boxes, state, right, right + TRACK * (track + 1.5))
    return "".join([*parts, "</svg>"])


def _placed(diagram: Diagram) -> dict[str, Box]:
    """The boxes from top to bottom. A state that has others within is as high as all of them."""
    boxes: dict[str, Box] = {}
    top = GAP
    for state in diagram.states:
        lines = tuple(step for step in diagram.steps if step.source == state)
        whole = diagram.within.get(state)
        if whole is None and boxes and next(reversed(boxes)) in diagram.within:
            top += PADDING  # the end of the box that the last one is in
        height = 2 * PADDING + LINE * (1 + len(lines))
        boxes[state] = Box(top, GAP + (GAP if whole else 0), height, lines)
        top += height + GAP
        if whole:
            outer = boxes[whole]
            boxes[whole] = outer._replace(height=top - GAP + PADDING - outer.top)
    return boxes


def _tracks(diagram: Diagram, boxes: Mapping[str, Box]) -> dict[str, int]:
    """The track of each state that a line leads to. Short ones are nearest to the boxes, and two that do not meet share
    one."""
    spans: dict[str, tuple[int, int]] = {}
    for state, box in boxes.items():
        ends = [_from(boxes[step.source], step) for step in diagram.steps if step.to == state]
        if ends:
            spans[state] = min([box.top, *ends]), max([box.top, *ends])
    taken: list[list[tuple[int, int]]] = []
    tracks = {}
    for state, (low, high) in sorted(spans.items(), key=lambda item: item[1][1] - item[1][0]):
        track = next(n for n in count() if n == len(taken) or all(high < a or b < low for a, b in taken[n]))
        if track == len(taken):
            taken.append([])
        taken[track].append((low, high))
        tracks[state] = track
    return tracks


def _from(box: Box, step: Step) -> int:
    return box.line(1 + box.lines.index(step))


def _box(state: str, box: Box, right: float, *, begins: bool) -> Iterator[str]:
    yield (
        f'<rect x="{box.left}" y="{box.top}" width="{right - box.left:.0f}" height="{box.height}" rx="6" '
        'fill="none" stroke="currentColor"/>'
    )
    if begins:
        yield f'<circle cx="{box.left}" cy="{box.line(0)}" r="5" fill="currentColor"/>'
    x = box.left + PADDING
    yield f'<text x="{x}" y="{box.line(0) + 5}" class="state">{escape(state)}</text>'
    for place, step in enumerate(box.lines, start=1):
        yield f'<text x="{x}" y="{box.line(place) + 5}">{escape(step.by)}</text>'


def _arrows(diagram: Diagram, boxes: Mapping[str, Box], state: str, right: float, x: float) -> Iterator[str]:
    """All that lead into one state."""
    box = boxes[state]
    steps: Sequence[Step] = [step for step in diagram.steps if step.to == state]
    ends = [_from(boxes[step.source], step) for step in steps]
    into = box.top - GAP // 3
    low, high = min([into, *ends]), max([into, *ends])
    path = [f"M{x} {low}V{high}", f"M{x} {into}H{right - GAP}V{box.top}"]
    for step, y in zip(steps, ends, strict=True):
        start = boxes[step.source].left + PADDING * 2 + CHARACTER * len(step.by)
        path.append(f"M{start:.0f} {y}H{x}")
        yield f'<circle cx="{x}" cy="{y}" r="2.5" fill="currentColor"/>'
    yield f'<path d="{"".join(path)}" fill="none" stroke="currentColor" class="way"/>'
    yield f'<path d="M{right - GAP - 4} {box.top - 7}h8l-4 7z" fill="currentColor"/>'
