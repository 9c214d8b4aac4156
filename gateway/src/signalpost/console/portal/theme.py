"""A link's theme as CSS: colours that were parsed and made readable, and numbers. Nothing in it is text of others."""

from typing import Final

from signalpost.domain.access.portal_link import Mode, Theme
from signalpost.domain.colours import mixed, readable

_LIGHT: Final = "#f1f1ed"
_DARK: Final = "#1b1c1a"
"""The grounds of the console's pages on which text is hardest to read."""
_SCHEMES: Final = {Mode.AUTO: "light dark", Mode.LIGHT: "light", Mode.DARK: "dark"}


def css(theme: Theme) -> str:
    on_light = readable(theme.accent, _LIGHT, "#000000")
    on_dark = readable(theme.accent, _DARK, "#ffffff")
    fill = readable(theme.accent, "#ffffff", "#000000")
    rules = {
        "color-scheme": _SCHEMES[theme.mode],
        "--accent": f"light-dark({on_light}, {on_dark})",
        "--fill": fill,
        "--soft": f"light-dark({mixed(theme.accent, _LIGHT, 0.9)}, {mixed(theme.accent, _DARK, 0.8)})",
        "--radius": f"{theme.radius}px",
        "--card-radius": f"{theme.radius * 5 // 3}px",
    }
    return ":root{" + "".join(f"{name}:{value};" for name, value in rules.items()) + "}"
