"""Colours that a person chose, made so that they can be read (WCAG 2.2, relative luminance)."""

import re
from typing import Final

COLOUR: Final = re.compile("#[0-9a-f]{6}")
READABLE: Final = 4.5
"""The contrast that text of any size needs."""
_STEPS: Final = 64


def mixed(colour: str, other: str, share: float) -> str:
    """A colour with a share, from 0 to 1, of another one in it."""
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round(one + (two - one) * share):02x}" for one, two in pairs)


def readable(colour: str, on: str, towards: str) -> str:
    """The colour that is nearest to this one, on the way to another, and can be read on a ground. `towards` has to be
    readable there."""
    return next(
        mix for step in range(_STEPS + 1) if contrast(mix := mixed(colour, towards, step / _STEPS), on) >= READABLE
    )


def contrast(one: str, other: str) -> float:
    """From 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(channel / 255) for channel in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
