"""What leads to each page. The index is a page like any other: headings, and below them lists with a link and a line
for each page. The side of every page shows the same lists.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Final, NamedTuple

INDEX: Final = "index"

_HEADING: Final = re.compile(r"#{2,} (.+)")
_ENTRY: Final = re.compile(r"- \[([^\]]+)\]\(([^)#:]+)\.md\)")


class Entry(NamedTuple):
    title: str
    page: str


def listed(index: str) -> dict[str, list[Entry]]:
    """The pages that the index lists, by the heading above them."""
    found: dict[str, list[Entry]] = {}
    heading = ""
    for line in index.splitlines():
        if match := _HEADING.fullmatch(line):
            heading = match[1]
        elif match := _ENTRY.match(line):
            found.setdefault(heading, []).append(Entry(match[1], match[2]))
    return found


def listed_pages(index: str) -> set[str]:
    return {entry.page for entries in listed(index).values() for entry in entries}


def of_index(index: str) -> str:
    """What the index is given so that the side of each page shows its lists."""
    return "".join(
        _tree([f":caption: {heading}"], (f"{entry.title} <{entry.page}>" for entry in entries))
        for heading, entries in listed(index).items()
    )


def of_folder(page: str, names: Iterable[str], index: str) -> str:
    """What the README of a folder is given so that it leads to the pages there that the index does not list."""
    folder = PurePosixPath(page).parent
    known = {page, *listed_pages(index)}
    others = (name for name in sorted(names) if PurePosixPath(name).parent == folder and name not in known)
    return _tree([], (PurePosixPath(name).name for name in others))


def in_order(names: Iterable[str], index: str) -> Iterator[str]:
    """All pages in the order in which the index lists them; those that a folder's README leads to come last."""
    first = [INDEX, *(entry.page for entries in listed(index).values() for entry in entries)]
    yield from first
    yield from sorted(set(names) - {*first})


def _tree(options: Iterable[str], entries: Iterable[str]) -> str:
    return "\n".join(["", "", "```{toctree}", ":hidden:", *options, "", *entries, "```", ""])
