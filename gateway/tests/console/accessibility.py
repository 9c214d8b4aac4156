"""What keeps people from reading or using a page, as far as a machine can tell."""

from pathlib import Path
from typing import Any

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


def findings_of(page: Any) -> list[str]:
    """The findings of axe in a page that is open, and whether it is wider than its window. The page's window has to
    ignore its policy, or it would not let axe run."""
    import axe_playwright_python

    page.evaluate((Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    ran = page.evaluate("tags => axe.run({runOnly: {type: 'tag', values: tags}})", [*TAGS])
    findings = [f"{each['id']}: {node['html'][:120]}" for each in ran["violations"] for node in each["nodes"]]
    wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [*findings, f"{wider} px wider than its window"] if wider > 0 else findings
