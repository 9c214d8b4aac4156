"""JSON in colours: names, texts, numbers, and the words `true`, `false` and `null`."""

import re
from collections.abc import Iterator
from typing import Final

from markupsafe import Markup, escape

_TOKEN: Final = re.compile(
    r'(?P<name>"(?:[^"\\]|\\.)*")(?=:)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<word>true|false|null)|(?P<number>-?\d[\d.eE+-]*)'
)
_LINE: Final = re.compile(r"[^\n]*\n|[^\n]+")
_OPENS: Final = re.compile(r"[\[{]\n\Z")
_CLOSES: Final = re.compile(r" *[\]}]")
_FOLD: Final = Markup("<details open><summary>")
_FOLDED: Final = Markup("</summary>")
_END: Final = Markup("</details>")


def coloured(json: str) -> Markup:
    """Formatted JSON as HTML. Without its tags, it is the same text."""
    parts, at = [], 0
    for token in _TOKEN.finditer(json):
        parts.append(escape(json[at : token.start()]))
        parts.append(Markup('<span class="json-{}">{}</span>').format(token.lastgroup, token.group()))
        at = token.end()
    parts.append(escape(json[at:]))
    return Markup().join(parts)


def folding(json: str) -> Markup:
    """The same, with objects and lists that fold to the line that opens them; all but the outermost."""
    return Markup().join(_folding(json))


def _folding(json: str) -> Iterator[Markup]:
    depth = 0
    for line in _LINE.findall(json):
        if _OPENS.search(line):
            depth += 1
            yield coloured(line) if depth == 1 else _FOLD + coloured(line) + _FOLDED
        else:
            yield coloured(line)
            if _CLOSES.match(line):
                depth -= 1
                if depth:
                    yield _END
