"""Where the links of a page lead on the site: those that leave docs/ lead to the source, at `SOURCE_URL`.

Pages are written for a code host, where a link is a path in the tree. On the site only docs/ is there.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PAGES: Final = ROOT / "docs"

_FENCE: Final = re.compile(r"(^ *(?P<fence>```+|~~~+).*?^ *(?P=fence) *$)", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"(?P<text>!?\[[^\]]*\])\((?P<path>[^)\s#:]+)(?P<place>#[^)\s]*)?\)")


def led(text: str, page: Path, source_url: str) -> str:
    """The text of a page, with every link as the site needs it."""

    def lead(link: re.Match[str]) -> str:
        return f"{link['text']}({where(link['path'], page, source_url)}{link['place'] or ''})"

    return outside_fences(text, lambda part: _LINK.sub(lead, part))


def where(path: str, page: Path, source_url: str) -> str:
    """Where a link to this path leads from a page. A path that is not there stays as it is, and the build complains."""
    target = (page.parent / path).resolve()
    if not target.exists() or not target.is_relative_to(ROOT):
        return path
    if target.is_dir() and target.is_relative_to(PAGES) and (target / "README.md").exists():
        return f"{path.rstrip('/')}/README.md"
    if target.is_relative_to(PAGES) and target.suffix in (".md", ".png", ".svg"):
        return path
    return f"{source_url.rstrip('/')}/{target.relative_to(ROOT)}"


def outside_fences(text: str, change: Callable[[str], str]) -> str:
    """The text of a page with all but its blocks of code changed."""
    parts, end = [], 0
    for fence in _FENCE.finditer(text):
        parts += [change(text[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, change(text[end:])])
