"""The site of the documentation: it is made without a warning, loads nothing from elsewhere, and everybody can read it.

`make test` reads every page and follows every link, and opens a page of each kind in a browser. `make docs-drill`
(`SITE=all`) opens every page.
"""

import functools
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from gateway.tests.console.accessibility import WINDOWS, findings_in, in_turns
from gateway.tests.patience import LONG_PATIENCE, PATIENCE

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
CHROMIUM: Final = shutil.which("chromium-headless-shell") or shutil.which("chromium")
SAMPLE: Final = ("index", "first-minute", "guides/proxy", "settings", "states", "decisions/README", "api-reference")
"""The pages that `make test` opens: one of each kind, one with drawings, and the one that is made by the gateway."""
ALL: Final = os.environ.get("SITE") == "all"
MADE: Final = ("api-reference", "search")
"""The pages that are not written by anybody."""
OPENED: Final = (
    [
        (name, WINDOWS)
        for name in (*sorted(str(file.relative_to(DOCS).with_suffix("")) for file in DOCS.rglob("*.md")), *MADE)
    ]
    if ALL
    else [(name, [window]) for name, window in in_turns(SAMPLE)]
)
"""What is opened, and in which themes and widths."""


class Reader(NamedTuple):
    """A person with a browser."""

    page: Any
    origin: str
    trouble: list[str]
    """What any page complained of, or asked for elsewhere."""


def in_chromium(test: Callable[..., None]) -> Callable[..., None]:
    missing = "SKIPPED: there is no Chromium here (apt-get install chromium-headless-shell)"
    for mark in (pytest.mark.skipif(CHROMIUM is None, reason=missing), pytest.mark.browser, pytest.mark.slow):
        test = mark(test)
    return test


def _of_site(name: str) -> Any:
    sys.path.insert(0, str(ROOT / "site"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.pop(0)


# --- Where links lead -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("link", "leads"),
    [
        ("guides/running.md", "guides/running.md"),
        ("decisions/", "decisions/README.md"),
        ("../README.md", "https://source.example/README.md"),
        ("../deploy/single/", "https://source.example/deploy/single"),
        ("make_api.py", "https://source.example/docs/make_api.py"),
        ("guides/no-such-page.md", "guides/no-such-page.md"),
        ("../../../etc/passwd", "../../../etc/passwd"),
    ],
)
def test_a_link_leads_to_a_page_or_to_the_source(link: str, leads: str) -> None:
    assert _of_site("links").where(link, DOCS / "api.md", "https://source.example/") == leads


def test_links_keep_their_place_in_a_page_and_code_is_left_alone() -> None:
    text = "[a\nb](../README.md#c) [d](e.md#f) [g](https://h.example/i)\n\n```sh\n[j](../README.md)\n```\n"
    led = _of_site("links").led(text, DOCS / "api.md", "https://source.example")
    assert led == text.replace("../README.md#c", "https://source.example/README.md#c")


def test_the_index_lists_every_page_once_with_a_line_about_it() -> None:
    navigation, index = _of_site("navigation"), (DOCS / "index.md").read_text(encoding="utf-8")
    listed = [entry.page for entries in navigation.listed(index).values() for entry in entries]
    folders = ("decisions", "destinations")
    pages = {str(file.relative_to(DOCS).with_suffix("")) for file in DOCS.rglob("*.md")}
    wanted = {page for page in pages if page.split("/")[0] not in folders} - {"index"}
    assert sorted(listed) == sorted(wanted | {f"{folder}/README" for folder in folders})
    assert len(re.findall(r"^- \[[^\]]+\]\([^)]+\): \S", index, re.MULTILINE)) == len(listed)


# --- Drawings ---------------------------------------------------------------------------------------------------------


def test_every_state_and_input_of_the_page_of_states_is_drawn() -> None:
    drawings = _of_site("drawings")
    blocks = re.findall(r"```mermaid\n(.*?)```", (DOCS / "states.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        diagram = drawings.read(block)
        texts = re.findall(r"<text [^>]*>([^<]+)</text>", drawings.draw(diagram, "x"))
        arrows = re.findall(r"^ *(\S+) --> \S+: (.+)$", block, re.MULTILINE)
        assert sorted(texts) == sorted([*diagram.states, *(by for _, by in arrows)])
        assert {source for source, _ in arrows} <= {*diagram.states}


def test_a_line_that_is_not_understood_is_refused_rather_than_left_out() -> None:
    drawings = _of_site("drawings")
    with pytest.raises(drawings.UnknownLineError, match="A ==> B"):
        drawings.read("stateDiagram-v2\n    A ==> B")


def test_a_drawing_shows_text_as_text() -> None:
    drawings = _of_site("drawings")
    drawn = drawings.draw(drawings.read("A --> B: <script>"), 'x" onload="alert(1)')
    assert "<script>" not in drawn
    assert ' onload="' not in drawn


# --- The whole --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, made as `make docs` makes it. Every page is read, and every link followed; only those of the sample are
    written, unless all are to be opened: that is two thirds of the work."""
    pytest.importorskip("sphinx", reason="SKIPPED: Sphinx is not installed (make test does)")
    made = tmp_path_factory.mktemp("site")
    build("-EW", "-b", "dummy", "-d", made / "trees", "docs", made / "nothing")
    pages = [] if ALL else [f"docs/{name}.md" for name in SAMPLE if name != "api-reference"]
    # Of some pages alone Sphinx warns that search will not find the others.
    build("-qW" if ALL else "-Q", "-b", "html", "-d", made / "trees", "docs", made / "html", *pages)
    return made / "html"


def build(*arguments: str | Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "sphinx-build", "-q", "--keep-going", "-c", "site", *arguments],
        cwd=ROOT, env={**os.environ, "SOURCE_URL": "https://source.example"}, capture_output=True, text=True,
        timeout=LONG_PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_page_has_its_markdown_beside_it_and_programs_find_every_page(site: Path) -> None:
    pages = {str(file.relative_to(DOCS)) for file in DOCS.rglob("*.md")}
    assert {str(file.relative_to(site)) for file in site.rglob("*.md")} == pages
    assert all((site / page).with_suffix(".html").exists() for page in pages if ALL or page[:-3] in SAMPLE)
    index, whole = (site / "llms.txt").read_text(), (site / "llms-full.txt").read_text()
    assert index.startswith("# Signalpost\n")
    assert all((site / link).exists() for link in re.findall(r"\]\(([^):]+\.md)\)", index))
    assert whole.count("<!-- ") >= len(pages)
    assert "](../" not in (site / "api.md").read_text()
    assert json.loads((site / "openapi.json").read_text())["openapi"] == "3.1.0"
    assert "https://source.example/examples/receiver.py" in (site / "first-minute.html").read_text()


@pytest.mark.slow
def test_search_finds_a_page_without_a_server(site: Path) -> None:
    assert '"guides/rehearse"' in (site / "searchindex.js").read_text() or not ALL
    assert (site / "search.html").exists()


@pytest.fixture(scope="module")
def origin(site: Path) -> Iterator[str]:
    """Where the site is served: by something that hands out files and nothing else."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def reader(origin: str) -> Iterator[Reader]:
    """In a browser that reaches nothing but the site."""
    playwright = pytest.importorskip("playwright.sync_api", reason="SKIPPED: playwright is not installed")
    trouble: list[str] = []

    def only_here(route: Any) -> None:
        if route.request.url.startswith((f"{origin}/", "data:")):
            route.continue_()
        else:
            trouble.append(f"asks {route.request.url}")
            route.abort()

    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=PATIENCE * 1000)
        page = browser.new_page(reduced_motion="reduce")
        page.set_default_timeout(PATIENCE * 1000)
        page.on("console", lambda said: trouble.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.route("**/*", only_here)
        yield Reader(page, origin, trouble)
        browser.close()


@in_chromium
@pytest.mark.parametrize(("name", "windows"), OPENED)
def test_a_page_loads_nothing_from_elsewhere_complains_of_nothing_and_can_be_read_by_everybody(
    reader: Reader, name: str, windows: Sequence[tuple[str, int]]
) -> None:
    assert reader.page.goto(f"{reader.origin}/{name}.html").ok
    found = [*findings_in(reader.page, windows), *reader.trouble]
    reader.trouble.clear()
    assert found == []


@in_chromium
def test_search_shows_what_it_finds(reader: Reader) -> None:
    reader.page.goto(f"{reader.origin}/search.html?q=caddy")
    reader.page.wait_for_selector("#search-results li")
    assert reader.trouble == []
