"""The site of the documentation: `make docs` makes it of docs/, in dist/site/.

Pages stay plain Markdown that reads on a code host. What the site needs beside it is added while it is built: where
links lead (`links.py`), what leads to each page (`navigation.py`), pictures of states (`drawings.py`), and what is
beside the pages (`companions.py`). Nothing of the site loads anything from elsewhere, and search needs no server.
"""

import os
import sys
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parent))

import companions
import drawings
import links
import navigation
import readable
from docutils import nodes
from pygments.lexers import find_lexer_class_by_name
from pygments.util import ClassNotFound
from sphinx.application import Sphinx

from signalpost import VERSION

SOURCE_URL: Final = os.environ.get("SOURCE_URL", "https://signalpost.example/source")
"""Where the source is shown: a path in the tree follows it."""

project = "Signalpost"
author = "The authors of Signalpost"
release = VERSION
root_doc = navigation.INDEX
extensions = ["myst_parser"]
exclude_patterns = ["**/*.patch"]
myst_heading_anchors = 4
myst_fence_as_directive: list[str] = []
smartquotes = False
suppress_warnings = ["misc.highlighting_failure"]  # an answer that is shown in part is no JSON, and may be shown
html_theme = "furo"
html_title = f"Signalpost {VERSION}"
html_static_path = ["static"]
templates_path = ["templates"]
html_css_files = ["signalpost.css"]
html_show_sourcelink = False
html_copy_source = False
html_use_index = False
html_theme_options: dict[str, Any] = {
    "light_css_variables": {"color-brand-primary": "#08734e", "color-brand-content": "#08734e"},
    "dark_css_variables": {"color-brand-primary": "#4cc795", "color-brand-content": "#4cc795"},
}
pygments_style = "a11y-light"
pygments_dark_style = "a11y-dark"

_API: Final = (
    f'\n<p><a href="{companions.API_PAGE}">Every call in full</a>, as <code>/docs</code> of a gateway shows it, and '
    '<a href="openapi.json">openapi.json</a>.</p>\n'
)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", _read)
    app.connect("doctree-read", _draw)
    app.connect("build-finished", _finish)
    return {"parallel_read_safe": True}


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    """Give a page what it needs on the site alone."""
    page = Path(app.env.doc2path(name))
    index = (links.PAGES / f"{navigation.INDEX}.md").read_text(encoding="utf-8")
    text = links.led(source[0], page, SOURCE_URL)
    if name == navigation.INDEX:
        text += navigation.of_index(index)
    elif name == "destinations/README":
        text += navigation.of_folder(name, app.env.found_docs, index)
    elif name == "api":
        text += _API
    elif name not in navigation.listed_pages(index) and not name.startswith("destinations/"):
        text = f"---\norphan: true\n---\n{text}"  # a decision: their list leads to it, and no page's side
    source[0] = text


def _finish(app: Sphinx, exception: Exception | None) -> None:
    if exception is None and app.builder.format == "html":
        readable.mend(Path(app.outdir))
        companions.write(Path(app.outdir), SOURCE_URL)


def _draw(_app: Sphinx, tree: nodes.document) -> None:
    """Replace what is drawn by its drawing, and show code of a language that Pygments does not know without colours."""
    for block in list(tree.findall(nodes.literal_block)):
        language = block.get("language", "")
        if language == "mermaid":
            section = next((each for each in _above(block) if isinstance(each, nodes.section)), None)
            title = section.next_node(nodes.title) if section is not None else None
            name = f"The states of: {title.astext()}" if title is not None else "States"
            picture = drawings.draw(drawings.read(block.astext()), name)
            block.replace_self(nodes.raw("", f'<div class="drawing" tabindex="0">{picture}</div>', format="html"))
        elif language and not _is_known(language):
            block["language"] = "text"


def _above(node: nodes.Node) -> Any:
    while node.parent is not None:
        node = node.parent
        yield node


def _is_known(language: str) -> bool:
    try:
        find_lexer_class_by_name(language)
    except ClassNotFound:
        return False
    return True
