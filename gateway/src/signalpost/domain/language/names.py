"""The names that conditions and placeholders use, and where their values come from.

    document.status     document.latestVersion.number     document.additionalFacts["cost centre"]
    before.status       event.createdAt                   made.url     notice.kind

A name is a root and steps. A step is a word after a point, or any text in brackets and quotes. Every attribute has a
type, so that what makes no sense is refused when it is saved: comparing a title with a number, or adding days to it.
Only facts have no type before they are there, because people write them (C11).

`before.status` is what `document.status` was until the event. That is the same value if the event did not change it,
and nothing for a creation.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, Final

from msgspec import Struct

Reader = Callable[["Subject"], Any]


class Subject(Struct, frozen=True, kw_only=True):
    """What conditions and placeholders look at: an event, and what else is known about it."""

    event: Mapping[str, Any]
    """The event as webhooks receive it: `id`, `type`, `createdAt`, `data` (C1)."""
    before: Mapping[str, Any] = {}
    """The former values of the attributes that the event changed; empty for a creation."""
    made: Mapping[str, str] = {}
    """What the last delivery for this document to this subscription said it made; empty if there was none."""

    @property
    def document(self) -> Mapping[str, Any]:
        """The document as it was at the event (C7); empty for a notice."""
        document: Mapping[str, Any] = self.event["data"].get("document", {})
        return document

    @property
    def is_erased(self) -> bool:
        """Whether the document of the event was erased."""
        return self.event["data"].get("document", self) is None

    @property
    def notice(self) -> Mapping[str, Any]:
        """The notice that the event is; empty for an event of a document."""
        notice: Mapping[str, Any] = self.event["data"].get("notice", {})
        return notice

    @property
    def is_creation(self) -> bool:
        return bool(self.event["type"] == "documentCreated")


class Type(Enum):
    """What a value is; the value of a member is how a sentence calls it."""

    TEXT = "a text"
    NUMBER = "a number"
    MOMENT = "a date"
    """A date, or a timestamp (C4)."""
    STATUS = "a status"
    EVENT_TYPE = "a type of event"
    NOTICE_KIND = "a kind of notice"
    SEVERITY = "a severity"
    LINK = "a link"
    ANY = "a fact"
    """A text, a number, or true or false. Which of them is known only once there is a value."""
    OBJECT = "an object"


class Name(Struct, frozen=True):
    """A name that there is."""

    path: tuple[str, ...]
    type: Type
    read: Reader
    """The name's value in a subject, or None."""
    text: str
    """The name as people write it, for sentences."""

    @property
    def can_change(self) -> bool:
        return self.path[0] == "document" and len(self.path) > 1 and self.type is not Type.LINK


class NoSuchName(ValueError):
    """There is nothing of a name. `at` is the index of the character at which it goes wrong."""

    def __init__(self, at: int, detail: str) -> None:
        super().__init__(detail)
        self.at = at
        self.detail = detail


# --- Which there are --------------------------------------------------------------------------------------------------

FACTS: Final = "additionalFacts"
_ATTRIBUTES: Final[Mapping[str, Type]] = {
    "type": Type.TEXT,
    "title": Type.TEXT,
    "status": Type.STATUS,
    "createdAt": Type.MOMENT,
    "sourceApp": Type.TEXT,
    "startDate": Type.MOMENT,
    "executedAt": Type.MOMENT,
    "expiryDate": Type.MOMENT,
    "externalId": Type.TEXT,
    "ownerEmail": Type.TEXT,
    "authorEmail": Type.TEXT,
    "referenceId": Type.TEXT,
    "contractValue": Type.NUMBER,
    "latestVersion": Type.OBJECT,
    FACTS: Type.OBJECT,
    "counterpartyName": Type.TEXT,
    "publishedVersion": Type.OBJECT,
}
"""The attributes of C7."""
_VERSION: Final[Mapping[str, Type]] = {"number": Type.TEXT, "downloadUrl": Type.LINK}
_FORMER_VERSION: Final[Mapping[str, Type]] = {"number": Type.TEXT}
"""A former version has no link, because it would have expired long ago (C10)."""
_EVENT: Final[Mapping[str, Type]] = {"id": Type.TEXT, "type": Type.EVENT_TYPE, "createdAt": Type.MOMENT}
_NOTICE: Final[Mapping[str, Type]] = {
    "sentence": Type.TEXT,
    "what": Type.TEXT,
    "kind": Type.NOTICE_KIND,
    "severity": Type.SEVERITY,
    "action": Type.TEXT,
    "tenant": Type.TEXT,
    "count": Type.NUMBER,
    "since": Type.MOMENT,
    "url": Type.TEXT,
}
"""What a notice of the tenant `operations` says; other events have nothing of it."""
ROOTS: Final = ("document", "before", "event", "made", "notice")


_FOR_EXAMPLE: Final = {"before": "status", "made": "url", "notice": "kind"}


def former(name: Name) -> Name:
    """What a document's attribute was until the event."""
    return find(("before", *name.path[1:]))


def find(path: tuple[str, ...]) -> Name:
    """The name of a path, which begins with its root. Raises NoSuchName, whose `at` is the index of the step."""
    found, read = _found(path)
    return Name(path, found, read, written_path(path))


def all_names(a_fact: str) -> Iterator[Name]:
    """Every name below the document, before, event and notice. There is no end of facts: `a_fact` stands for them."""
    for root, version in (("document", _VERSION), ("before", _FORMER_VERSION)):
        for attribute, kind in _ATTRIBUTES.items():
            yield find((root, attribute))
            if kind is Type.OBJECT:
                for member in (a_fact,) if attribute == FACTS else version:
                    yield find((root, attribute, member))
    for root, members in (("event", _EVENT), ("notice", _NOTICE)):
        for member in members:
            yield find((root, member))


def _found(path: tuple[str, ...]) -> tuple[Type, Reader]:
    match path:
        case ("document",):
            return Type.OBJECT, lambda subject: subject.document
        case ("event",):
            return Type.OBJECT, lambda subject: subject.event
        case ("event", member):
            return _known(path, 1, _EVENT), lambda subject: subject.event[member]
        case ("notice", member):
            return _known(path, 1, _NOTICE), lambda subject: subject.notice.get(member)
        case ("made", member):
            return Type.TEXT, lambda subject: subject.made.get(member)
        case ("document" | "before" as root, attribute):
            return _known(path, 1, _ATTRIBUTES), _attribute(root, attribute)
        case ("document" | "before" as root, attribute, member):
            return _member_type(path), _member(_attribute(root, attribute), member)
        case ("before" | "made" | "notice" as root,):
            raise NoSuchName(0, f"Say which one after {root}, as in {root}.{_FOR_EXAMPLE[root]}.")
        case (root, *_) if root in ROOTS:
            raise NoSuchName(len(path) - 1, f"There is nothing below {written_path(path[:-1])}.")
    raise NoSuchName(0, f"There is no {shortened(path[0])}{_meant_below_document(path[0])}")


def _member_type(path: tuple[str, ...]) -> Type:
    root, attribute, _ = path
    if attribute == FACTS:
        return Type.ANY
    if _known(path[:2], 1, _ATTRIBUTES) is not Type.OBJECT:
        raise NoSuchName(2, f"There is nothing below {written_path(path[:2])}.")
    return _known(path, 2, _VERSION if root == "document" else _FORMER_VERSION)


def _known(path: tuple[str, ...], step: int, known: Mapping[str, Type]) -> Type:
    found = known.get(path[step])
    if found is None:
        raise NoSuchName(step, f"There is no {written_path(path)}{did_you_mean(path[step], known)}")
    return found


def _meant_below_document(word: str) -> str:
    if word in _ATTRIBUTES:
        return f"; did you mean document.{word}?"
    return did_you_mean(word, ROOTS)


# --- Where their values are -------------------------------------------------------------------------------------------


_NO_DOCUMENT: Final[Mapping[str, Any]] = {}


def _attribute(root: str, attribute: str) -> Reader:
    if root == "document":  # what conditions ask of nearly every event, so it does without `subject.document`
        return lambda subject: subject.event["data"].get("document", _NO_DOCUMENT).get(attribute)

    def read_former(subject: Subject) -> Any:
        if attribute in subject.before:
            return subject.before[attribute]
        return None if subject.is_creation else subject.document.get(attribute)

    return read_former


def _member(read_whole: Reader, member: str) -> Reader:
    def read(subject: Subject) -> Any:
        whole = read_whole(subject)
        return whole.get(member) if isinstance(whole, dict) else None

    return read


# --- How they are written ---------------------------------------------------------------------------------------------

QUOTED: Final = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
"""A text in quotes of either kind; a backslash takes the next character as it is."""
WORD: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_is_word = re.compile(WORD).fullmatch
_ROOT = re.compile(WORD)
_STEP = re.compile(rf"\.({WORD})|\[({QUOTED})\]", re.DOTALL)
_escaped = re.compile(r"\\(.)", re.DOTALL)
MAX_STEPS: Final = 8


def unquoted(text: str) -> str:
    """The text that stands in quotes."""
    return _escaped.sub(r"\1", text[1:-1])


def written_path(path: tuple[str, ...]) -> str:
    """A path as people write it, which `scan` reads."""
    root, *steps = path
    return shortened(root) + "".join(_written_step(step) for step in steps)


def _written_step(step: str) -> str:
    if _is_word(step):
        return f".{shortened(step)}"
    quoted = shortened(step).replace("\\", "\\\\").replace('"', '\\"')
    return f'["{quoted}"]'


def scan(text: str, start: int) -> tuple[Name, int]:
    """The name that begins at an index, and the index after it. Raises NoSuchName, whose `at` is an index too."""
    root = _ROOT.match(text, start)
    if root is None:
        raise NoSuchName(start, "A name is missing, such as document.title.")
    path, starts, end = [root[0]], [start], root.end()
    while step := _STEP.match(text, end):
        if len(path) >= MAX_STEPS:
            raise NoSuchName(end, "No name has so many steps.")
        starts.append(end if step[1] is None else step.start(1))
        path.append(step[1] if step[1] is not None else unquoted(step[2]))
        end = step.end()
    if text[end : end + 1] in ("[", "."):
        raise NoSuchName(end, 'Write .word or ["any text"] here.')
    try:
        return find(tuple(path)), end
    except NoSuchName as error:
        raise NoSuchName(starts[error.at], error.detail) from None


# --- Help -------------------------------------------------------------------------------------------------------------

_MAX_SHOWN: Final = 60


def shortened(text: str) -> str:
    """A text as a sentence shows it: not all of it if it is long, and on one line."""
    cut = text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"
    if cut.isprintable():  # as nearly all are
        return cut
    return "".join(character if character.isprintable() else "�" for character in cut)


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """The end of a sentence: it asks for the candidate that a word resembles ("; did you mean title?"), or is "."."""
    found = nearest(word, candidates)
    return "." if found is None else f"; did you mean {found}?"


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that a word resembles most, if it resembles one."""
    if len(word) > _MAX_SHOWN:
        return None
    from difflib import SequenceMatcher  # which only a mistake needs

    plain = _plain(word)
    matcher = SequenceMatcher(b=plain, autojunk=False)
    best, found = 0.7, None
    for candidate in candidates:
        matcher.set_seq1(_plain(candidate))
        if matcher.quick_ratio() >= best and (ratio := matcher.ratio()) >= best:
            best, found = ratio, candidate
    return found


def _plain(word: str) -> str:
    """A word without what people leave out, add or mix up: capitals, underscores, spaces."""
    return word.lower().replace("_", "").replace(" ", "").replace("-", "")
