"""What a browser sends of a form on a page where a person touched nothing, or only one field.

It follows what the HTML standard says of values and of sending them: a line break in a field of one line is dropped,
one in a field of several becomes CRLF, the first one in a textarea is not part of it, and a box without a tick is not
sent. `test_law_in_browser.py` holds it against Chromium.
"""

import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Any, NamedTuple

_BREAK = re.compile(r"\r\n|\r|\n")
_ASCII_SPACE = "\t\n\f\r "
_ONE_LINE = ("text", "search", "password", "hidden", "email", "url")


class SentForm(NamedTuple):
    action: str
    """Empty for the page's own address."""
    method: str
    fields: list[tuple[str, str]]
    """What is sent, in its order; without the button."""
    types: Mapping[str, str]
    """What kind of a field each is, such as `textarea`."""
    buttons: list[str]
    """The values of its buttons named `do`."""

    def pressed(self, do: str, typed: Mapping[str, list[str]] | None = None) -> list[tuple[str, str]]:
        """What is sent when one of its buttons is pressed, after this was typed into some of its fields."""
        typed = typed or {}
        kept = [(name, value) for name, value in self.fields if name not in typed]
        return [*kept, *((name, value) for name, values in typed.items() for value in values), ("do", do)]


def forms_of(page: str) -> list[SentForm]:
    reader = _Reader()
    reader.feed(_BREAK.sub("\n", page))
    return reader.forms


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[SentForm] = []
        self._text: list[str] | None = None
        self._of: Mapping[str, Any] = {}
        self._options: list[tuple[str, bool]] = []
        self._option: Mapping[str, Any] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given: dict[str, Any] = dict(reversed(attrs))
        if tag == "form":
            self.forms.append(SentForm(given.get("action") or "", given.get("method") or "get", [], {}, []))
        elif tag == "button" and given.get("name") == "do" and self.forms:
            self.forms[-1].buttons.append(given["value"])
        elif tag == "input" and "disabled" not in given:
            self._put(given, list(_of_input(given)))
        elif tag == "textarea":
            self._of, self._text = given, []
        elif tag == "select":
            self._of, self._options = given, []
        elif tag == "option" and self._of:
            self._option, self._text = given, []

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._text is not None:
            self._put({**self._of, "type": tag}, [_sent("".join(self._text).removeprefix("\n"))])
            self._text = None
        elif tag == "option" and self._option is not None:
            text = " ".join("".join(self._text or ()).split(None))
            self._options.append((self._option.get("value", text) or "", "selected" in self._option))
            self._option = self._text = None
        elif tag == "select":
            chosen = [value for value, is_chosen in self._options if is_chosen]
            first = [value for value, _ in self._options][:1]
            self._put({**self._of, "type": tag}, [_sent(value) for value in chosen[-1:] or first])
            self._of = {}

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def _put(self, given: Mapping[str, Any], values: list[str]) -> None:
        name = given.get("name")
        if name and self.forms:
            form = self.forms[-1]
            form.fields.extend((name, value) for value in values)
            kind = given.get("type") or "text"
            if kind != "hidden":
                form.types[name] = kind  # type: ignore[index]


def _of_input(given: Mapping[str, Any]) -> Iterator[str]:
    kind, value = given.get("type") or "text", given.get("value") or ""
    if kind in ("checkbox", "radio"):
        if "checked" in given:
            yield given.get("value", "on")
    elif kind in ("submit", "button"):
        return
    elif kind == "hidden":
        yield _sent(value)
    else:
        value = value.replace("\n", "").replace("\r", "")
        yield value.strip(_ASCII_SPACE) if kind in ("email", "url") else value


def _sent(value: str) -> str:
    return _BREAK.sub("\r\n", value)
