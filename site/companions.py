"""What is beside the pages of the site: each page as Markdown, the API's own page and description, and two files for
programs that read: `llms.txt` names every page, and `llms-full.txt` has them all.
"""

from pathlib import Path
from typing import Final

import links
import msgspec
import navigation

API_PAGE: Final = "api-reference.html"


def write(site: Path, source_url: str) -> None:
    """Write the pages, the files for programs and the description of the API into the folder of the site."""
    index = (links.PAGES / f"{navigation.INDEX}.md").read_text(encoding="utf-8")
    names = (str(file.relative_to(links.PAGES).with_suffix("")) for file in links.PAGES.rglob("*.md"))
    whole = []
    for name in navigation.in_order(names, index):
        page = links.PAGES / f"{name}.md"
        text = links.led(page.read_text(encoding="utf-8"), page, source_url)
        file = site / f"{name}.md"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        whole.append(f"<!-- {name}.md -->\n\n{text}")
    (site / "llms.txt").write_text((site / f"{navigation.INDEX}.md").read_text(encoding="utf-8"), encoding="utf-8")
    (site / "llms-full.txt").write_text("\n".join(whole), encoding="utf-8")
    _describe_api(site)


def _describe_api(site: Path) -> None:
    """What a gateway answers at /docs and /openapi.json."""
    from signalpost.api.routes import HEALTH_ROUTES, METRICS_ROUTES, ROUTES
    from signalpost.api.routing.docs_page import render
    from signalpost.api.routing.openapi import describe

    openapi = describe(ROUTES, (*HEALTH_ROUTES, *METRICS_ROUTES))
    (site / "openapi.json").write_bytes(msgspec.json.encode(openapi))
    (site / API_PAGE).write_text(render(openapi), encoding="utf-8")
