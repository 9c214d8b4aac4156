"""JSON in colours: names, texts, numbers, and the words `true`, `false` and `null`."""

import re
from typing import Final

from markupsafe import Markup, escape

_TOKEN: Final = re.compile(
    r'(?P<name>"(?:[^"\\]|\\.)*")(?=:)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<word>true|false|null)|(?P<number>-?\d[\d.eE+-]*)'
)


def coloured(json: str) -> Markup:
    """Formatted JSON as HTML. Without its tags, it is the same text."""
    parts, at = [], 0
    for token in _TOKEN.finditer(json):
        parts.append(escape(json[at : token.start()]))
        parts.append(Markup('<span class="json-{}">{}</span>').format(token.lastgroup, token.group()))
        at = token.end()
    parts.append(escape(json[at:]))
    return Markup().join(parts)
