"""Draws counted stacks as a flame graph: each function as wide as it was often under way, above what called it.

    .venv/bin/python benchmarks/flame_graph.py profile.collapsed profile.svg

Takes the collapsed form that profile_scene.py writes. A pointer on a function tells its whole name and its share.
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import NamedTuple

WIDTH, ROW, CHARACTER = 1200.0, 16, 6.2
"""Pixels: of the whole, of a function's height, and of a character in it."""
NARROWEST = 0.5
"""What would be narrower is left out, with all above it."""
COLOURS = {
    "signalpost/domain": "#8ecae6", "signalpost/engine": "#ffb703", "signalpost/store": "#90be6d",
    "signalpost/api": "#f4978e", "signalpost/destinations": "#cdb4db", "signalpost_receiver": "#cdb4db",
}  # fmt: skip
OTHER = "#d9d9d9"
Stack = tuple[str, ...]


class Box(NamedTuple):
    name: str
    depth: int
    begin: int
    looks: int


def boxes(counted: Counter[Stack]) -> Iterator[Box]:
    """Each function above its caller, in the order of names."""
    open_: list[tuple[str, int]] = []
    at = 0
    for stack, count in [*sorted(counted.items()), ((), 0)]:
        same = next((n for n, (one, (name, _)) in enumerate(zip(stack, open_, strict=False)) if one != name), None)
        same = min(len(stack), len(open_)) if same is None else same
        while len(open_) > same:
            name, begin = open_.pop()
            yield Box(name, len(open_), begin, at - begin)
        open_ += [(name, at) for name in stack[same:]]
        at += count


def draw(counted: Counter[Stack]) -> str:
    total = sum(counted.values())
    shown = [box for box in boxes(counted) if box.looks / total * WIDTH >= NARROWEST]
    height = (max(box.depth for box in shown) + 1) * ROW
    parts = "\n".join(_box(box, total, height) for box in shown)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:.0f}" height="{height}"'
    return f'{head} font-family="monospace" font-size="10">\n{parts}\n</svg>\n'


def _box(box: Box, total: int, height: int) -> str:
    x, width = box.begin / total * WIDTH, box.looks / total * WIDTH
    y = height - (box.depth + 1) * ROW
    colour = next((colour for part, colour in COLOURS.items() if part in box.name), OTHER)
    rect = f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 1}" fill="{colour}"/>'
    room = int((width - 4) / CHARACTER)
    text = f'<text x="{x + 2:.1f}" y="{y + 11}">{escape(box.name[:room])}</text>' if room >= 3 else ""
    return f"<g><title>{escape(box.name)} {box.looks / total:.1%}</title>{rect}{text}</g>"


def read(collapsed: Path) -> Counter[Stack]:
    counted = Counter[Stack]()
    for line in collapsed.read_text(encoding="utf-8").splitlines():
        stack, _, count = line.rpartition(" ")
        counted[tuple(stack.split(";"))] += int(count)
    return counted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collapsed", type=Path)
    parser.add_argument("svg", type=Path)
    asked = parser.parse_args()
    asked.svg.write_text(draw(read(asked.collapsed)), encoding="utf-8")


if __name__ == "__main__":
    main()
