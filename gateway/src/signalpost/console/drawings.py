"""Drawings of one document as SVG, made by the server: where it is in its workflow, and its versions.

They carry no style of their own: classes give them their colours, and a sentence says what they show.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from markupsafe import Markup

from signalpost.api.routing.shapes.documents import KeptVersion

_WIDTH: Final = 124
_STEP: Final = 146
_HEIGHT: Final = 36
_ROW: Final = 68
_WAY: Final[Sequence[tuple[str, str]]] = (
    ("created", "Created"),
    ("awaitingReview", "In review"),
    ("reviewApproved", "Reviewed"),
    ("awaitingApproval", "In approval"),
    ("approved", "Approved"),
    ("awaitingSignature", "In signature"),
    ("executed", "Executed"),
)
"""The way of a document that no participant refuses, from left to right."""
_BESIDE: Final[Mapping[str, tuple[int, str]]] = {
    "reviewRejected": (1, "Review rejected"),
    "approvalRejected": (3, "Approval rejected"),
    "signatureRejected": (5, "Signature rejected"),
    "signatureRequestExpired": (6, "Request expired"),
    "signedByClient": (4, "Signed by client"),
    "paused": (2, "Paused"),
    "cancelled": (0, "Cancelled"),
    "other": (0, "Other"),
}
"""The column below the way in which every other status is drawn; the last four only if a document has them."""
_ALWAYS: Final = frozenset({"reviewRejected", "approvalRejected", "signatureRejected", "signatureRequestExpired"})
MAX_VERSIONS: Final = 14


def workflow(passed: Sequence[str], now: str) -> Markup:
    """`passed` are the statuses that a document had, the first one first; `now` is the one that it has."""
    had = {*passed, now}
    boxes = Markup("").join(
        _box(at, 0, word, _look(status, had, now)) for at, (status, word) in enumerate(_WAY)
    ) + Markup("").join(
        _box(at, 1, word, _look(status, had, now))
        for status, (at, word) in _BESIDE.items()
        if status in _ALWAYS or status in had
    )
    arrows = Markup("").join(
        Markup('<path d="M{} {}h{}"/>').format(at * _STEP + _WIDTH + 1, _HEIGHT // 2 + 1, _STEP - _WIDTH - 1)
        for at in range(len(_WAY) - 1)
    )
    return Markup(
        '<svg class="workflow" viewBox="0 0 {} {}" role="img" aria-label="{}"><g class="way">{}</g>{}</svg>'
    ).format(len(_WAY) * _STEP - _STEP + _WIDTH + 2, _ROW + _HEIGHT + 2, said(passed, now), arrows, boxes)


def said(passed: Sequence[str], now: str) -> str:
    """The way of a document in a sentence, for who cannot see the drawing. The arguments are those of `workflow`."""
    before = [status for at, status in enumerate(passed) if at == 0 or status != passed[at - 1]]
    if before and before[-1] == now:
        before.pop()
    was = f"It was {', then '.join(map(words, before))}. " if before else ""
    return f"{was}Now it is {words(now)}."


def words(status: str) -> str:
    """A status as people say it, such as `awaiting review`."""
    return re.sub("[A-Z]", lambda capital: f" {capital[0].lower()}", status)


def _look(status: str, had: set[str], now: str) -> str:
    return "now" if status == now else "passed" if status in had else "ahead"


def _box(column: int, row: int, word: str, look: str) -> Markup:
    x, y = column * _STEP + 1, row * _ROW + 1
    return Markup(
        '<g class="{}"><rect x="{}" y="{}" width="{}" height="{}" rx="6"/>'
        '<text x="{}" y="{}" text-anchor="middle">{}</text></g>'
    ).format(look, x, y, _WIDTH, _HEIGHT, x + _WIDTH // 2, y + _HEIGHT // 2 + 4, word)


def versions(newest_first: Sequence[KeptVersion]) -> Markup:
    """The latest versions along a line, the oldest first: a draft is a ring, what is published is a disc."""
    shown = newest_first[:MAX_VERSIONS][::-1]
    if not shown:
        return Markup("")
    step = 1000 // max(len(shown), 4)
    dots = Markup("").join(
        Markup('<g class="{}"><circle cx="{}" cy="14" r="{}"/><text x="{}" y="40" text-anchor="middle">{}</text></g>')
        .format(*_dot(each, at * step + step // 2))
        for at, each in enumerate(shown)
    )  # fmt: skip
    numbers = ", ".join(f"{each.number}{' (published)' if _is_published(each) else ''}" for each in shown)
    return Markup(
        '<svg class="versions" viewBox="0 0 1000 46" role="img" aria-label="Versions: {}">'
        '<line class="grid" x1="0" x2="1000" y1="14" y2="14"/>{}</svg>'
    ).format(numbers, dots)


def _dot(version: KeptVersion, x: int) -> tuple[str, int, int, int, str]:
    published = _is_published(version)
    return "published" if published else "draft", x, 9 if published else 6, x, version.number


def _is_published(version: KeptVersion) -> bool:
    return version.number.endswith(".0")
