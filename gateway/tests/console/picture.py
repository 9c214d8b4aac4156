"""The picture of the console that the README shows, in both themes: `make console-picture`.

It is made of the busy hour that `make console-shots` shows, too, and is small enough for a page: docs/console-light.png
and docs/console-dark.png.
"""

import sys
from pathlib import Path
from typing import Any

from gateway.tests.console.busy_hour import BusyHour, HourClock
from gateway.tests.console.shots import endpoints, gateway
from gateway.tests.console.test_browser import CHROMIUM, sign_in

OUT = Path("docs")
WINDOW: Any = {"width": 1200, "height": 640}


def main() -> int:
    from playwright.sync_api import sync_playwright

    clock, answers = HourClock(), dict[str, tuple[int, bytes]]()
    with sync_playwright() as started, endpoints(answers) as origin, gateway(origin, clock) as world:
        BusyHour(world, clock, origin, answers)
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for theme in ("light", "dark"):
            # Without a script, nothing is on its way while the picture is taken.
            window = browser.new_context(viewport=WINDOW, color_scheme=theme, java_script_enabled=False)
            page = window.new_page()
            sign_in(page, world)
            page.screenshot(path=OUT / f"console-{theme}.png")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
