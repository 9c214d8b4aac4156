"""Charts as SVG, made by the server: a bar per minute, stacked by the outcomes of its attempts.

They carry no style of their own: classes give them their colours, and a sentence says what they show.
"""

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from signalpost.api.routing.shapes.deliveries import Attempt
from signalpost.api.routing.shapes.overview import StatsPoint
from signalpost.domain.timestamps import SECOND, parse_timestamp

MINUTES: Final = 60
_MINUTE: Final = 60 * SECOND
_TIMINGS_WIDTH: Final = 160
_KINDS: Final = ("failed", "retrying", "delivered")
"""What is stacked, from below: what needs attention stands on the line."""


def sparkline(points: Sequence[StatsPoint], now: int, scale: int) -> Markup:
    """The last hour of a subscription, without axes. `scale` is the most of a minute that any of those has which are
    shown together: they are drawn alike, so that they can be compared."""
    bars = last_hour(points, now)
    return Markup('<svg class="sparkline" viewBox="0 0 180 28" role="img" aria-label="{}">{}</svg>').format(
        _said(bars), _bars(bars, scale, width=3, height=28, base=28)
    )


def busiest(points: Sequence[StatsPoint], now: int) -> int:
    """The most attempts of a minute in the last hour."""
    return max(sum(bar) for bar in last_hour(points, now))


def chart(points: Sequence[StatsPoint], now: int) -> Markup:
    """The last hour of a tenant, with the most of a minute and the hour's times."""
    bars, most = last_hour(points, now), busiest(points, now)
    first = now // _MINUTE - MINUTES + 1
    times = Markup("").join(
        Markup('<text x="{}" y="134">{}</text>').format(
            minute * 10, _clock(first + minute) + ("" if minute else " UTC")
        )
        for minute in (0, 15, 30, 45)
    )
    return Markup(
        '<svg class="chart" viewBox="0 0 600 138" role="img" aria-label="{}"><text x="0" y="10">{} a minute</text>'
        '<line class="grid" x1="0" x2="600" y1="16" y2="16"/>{}<line class="grid" x1="0" x2="600" y1="118" y2="118"/>'
        '{}<text x="600" y="134" text-anchor="end">now</text></svg>'
    ).format(_said(bars), f"{most:,}", _bars(bars, most, width=10, height=102, base=118), times)


def timings(attempt: Attempt, longest: float) -> Markup:
    """How long each step of an attempt took, as parts of a bar: as long as the whole of it is to the longest attempt of
    those that are shown together."""
    exchange = attempt.exchange
    assert exchange is not None  # only what has an exchange has steps
    steps = (("name", exchange.name_ms), ("connect", exchange.connect_ms), ("tls", exchange.tls_ms))
    took = [(name, ms or 0.0) for name, ms in steps]
    took.append(("answer", max(0.0, attempt.duration_ms - sum(ms for _, ms in took))))
    scale, x, parts = max(longest, sum(ms for _, ms in took)) or 1.0, 0.0, Markup("")
    for name, ms in took:
        width = ms / scale * _TIMINGS_WIDTH
        parts += Markup('<rect class="fill-{}" x="{:.1f}" width="{:.1f}" height="8"/>').format(name, x, width)
        x += width
    return Markup('<svg class="timings" viewBox="0 0 {} 8" aria-hidden="true">{}</svg>').format(_TIMINGS_WIDTH, parts)


def last_hour(points: Sequence[StatsPoint], now: int) -> list[tuple[int, int, int]]:
    """For each of the last 60 minutes, the oldest first: how many attempts failed for good, failed and will be
    repeated, and delivered."""
    by_minute = {parse_timestamp(each.at) // _MINUTE: (each.failed, each.retried, each.delivered) for each in points}
    last = now // _MINUTE
    return [by_minute.get(minute, (0, 0, 0)) for minute in range(last - MINUTES + 1, last + 1)]


def _bars(bars: Sequence[tuple[int, int, int]], most: int, *, width: int, height: int, base: int) -> Markup:
    if not most:
        return Markup("")
    rectangles = Markup("")
    for minute, bar in enumerate(bars):
        y = float(base)
        for kind, count in zip(_KINDS, bar, strict=True):
            if count:
                # Every part that is not zero is visible, however small it is.
                tall = max(1.0, count / most * height)
                y -= tall
                rectangles += Markup('<rect class="fill-{}" x="{}" y="{:.1f}" width="{}" height="{:.1f}"/>').format(
                    kind, minute * width, y, width - 1, tall
                )
    return rectangles


def _said(bars: Sequence[tuple[int, int, int]]) -> str:
    failed, retried, delivered = (sum(column) for column in zip(*bars, strict=True))
    return f"Last hour: {delivered:,} delivered, {retried:,} to be retried, {failed:,} failed."


def _clock(minute: int) -> str:
    of_day = minute % (24 * 60)
    return f"{of_day // 60:02}:{of_day % 60:02}"
