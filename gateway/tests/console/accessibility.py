"""What keeps people from reading or using a page, as far as a machine can tell."""

from collections.abc import Iterable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
WINDOWS = (("light", 1440), ("dark", 390))
"""The themes and widths that pages are looked at in, in turns: to look takes longer than all else that a page is asked.
`make console-shots` looks at every page in both themes at both widths."""
_VIOLATIONS = """tags => axe.run({runOnly: {type: 'tag', values: tags}, resultTypes: ['violations'], selectors: false})
    .then(ran => ran.violations.flatMap(each => each.nodes.map(node => `${each.id}: ${node.html.slice(0, 120)}`)))"""
"""What axe finds, and no more: it would look up each element for which a rule holds, too, and send megabytes."""

_IS_SHOWN = """([theme, width]) => matchMedia(`(prefers-color-scheme: ${theme})`).matches && innerWidth === width"""
"""Whether a page has taken on a theme and a width. On a busy machine it is told of them before it has."""


def findings_of(page: Any) -> list[str]:
    """The findings of axe in a page that is open, and whether it is wider than its window. The page's window has to
    ignore its policy, or it would not let axe run."""
    _load_axe(page)
    return _findings(page)


def in_turns(pages: Iterable[str]) -> Iterator[tuple[str, tuple[str, int]]]:
    """Pages, each with the theme and the width that it is looked at in."""
    return zip(pages, cycle(WINDOWS), strict=False)


def findings_in(page: Any, windows: Iterable[tuple[str, int]]) -> list[str]:
    """The findings in a page that is open, in each of some themes and widths. The page is loaded once, since its style
    sheet alone is what differs between them. Its window has to ask for reduced motion too, or a colour would be on its
    way from one theme to the other."""
    _load_axe(page)
    found: list[str] = []
    for theme, width in windows:
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(_IS_SHOWN, arg=[theme, width])
        found += [f"{theme}, {width} px: {each}" for each in _findings(page)]
    return found


_AT_REST = "[aria-busy], .lost [data-fresh] { opacity: 1 !important; transition: none !important; }"
"""A region dims while it is fetched again. On a busy machine, that may be at any moment."""


def _load_axe(page: Any) -> None:
    import axe_playwright_python

    page.add_style_tag(content=_AT_REST)
    page.evaluate((Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))


def _findings(page: Any) -> list[str]:
    findings: list[str] = page.evaluate(_VIOLATIONS, [*TAGS])
    wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [*findings, f"{wider} px wider than its window"] if wider > 0 else findings
