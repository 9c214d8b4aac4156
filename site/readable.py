"""What the theme leaves out and people need who use a keyboard, or have a page read to them: names of its parts, and
places at which a wide block can be scrolled. A test has axe look at the pages.
"""

from pathlib import Path
from typing import Final

MENDED: Final = (
    ('<p class="caption" role="heading">', '<p class="caption">'),
    ('<aside class="sidebar-drawer">', '<aside class="sidebar-drawer" aria-label="All pages">'),
    ('<aside class="toc-drawer', '<aside aria-label="On this page" class="toc-drawer'),
    ('<th class="head"><p></p></th>', "<td></td>"),
    ("<pre>", '<pre tabindex="0">'),
    ('<div class="table-wrapper', '<div tabindex="0" class="table-wrapper'),
)


def mend(site: Path) -> None:
    """Mend each page in place."""
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for written, better in MENDED:
            text = text.replace(written, better)
        page.write_text(text, encoding="utf-8")
