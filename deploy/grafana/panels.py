"""What a dashboard for Grafana is made of, and how Grafana wants it written.

A dashboard is a title, rows, and panels in them; where each panel stands and everything that Grafana wants besides
follows from that. `$job` and `$instance` are chosen by who looks.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

SCHEMA = 39
"""The version of a dashboard's JSON that Grafana 10.4 writes; later ones read it."""
COLUMNS = 24
_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
OF = 'job="$job", instance=~"$instance"'


class Target(NamedTuple):
    expr: str
    legend: str = ""


class Panel(NamedTuple):
    title: str
    targets: tuple[Target, ...]
    unit: str = "short"
    about: str = ""
    """A sentence that Grafana shows beside the title."""
    kind: str = "timeseries"
    width: int = 8
    height: int = 8
    stacked: bool = False
    steps: tuple[tuple[float | None, str], ...] = ()
    """From which value on it has which colour."""


class Row(NamedTuple):
    title: str
    panels: tuple[Panel, ...]


class Dashboard(NamedTuple):
    file: str
    title: str
    about: str
    rows: tuple[Row, ...]


def line(title: str, expr: str, legend: str = "", *more: Target, **given: Any) -> Panel:
    return Panel(title, (Target(expr, legend), *more), **given)


def number(title: str, expr: str, **given: Any) -> Panel:
    """One number, as of now."""
    return Panel(title, (Target(expr),), kind="stat", width=4, height=4, **given)


def rate(metric: str, by: str, more: str = "") -> str:
    """How often something happens in a second."""
    return f"sum by ({by}) (rate({metric}{{{OF}{more}}}[$__rate_interval]))"


def increase(metric: str) -> str:
    """How often something happened since the point before."""
    return f"sum(increase({metric}{{{OF}}}[$__rate_interval]))"


def quantile(share: float, metric: str, by: str, more: str = "") -> str:
    return f"histogram_quantile({share}, {rate(f'{metric}_bucket', f'{by}, le' if by else 'le', more)})"


def quantiles(title: str, metric: str, by: str, more: str = "", **given: Any) -> Panel:
    """The median, and what the slowest hundredth exceeds."""
    legend = f"{{{{{by}}}}} " if by else ""
    median, slow = quantile(0.5, metric, by, more), quantile(0.99, metric, by, more)
    return line(title, median, f"{legend}p50", Target(slow, f"{legend}p99"), unit="s", **given)


# --- What Grafana wants -----------------------------------------------------------------------------------------------


def text(dashboard: Dashboard) -> str:
    return json.dumps(written(dashboard), indent=2) + "\n"


def written(dashboard: Dashboard) -> Mapping[str, Any]:
    return {
        "uid": f"signalpost-{dashboard.file.removesuffix('.json')}",
        "title": dashboard.title,
        "description": dashboard.about,
        "tags": ["signalpost"],
        "schemaVersion": SCHEMA,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "links": [
            {"type": "dashboards", "title": "Signalpost", "tags": ["signalpost"], "asDropdown": True, "keepTime": True}
        ],
        "templating": {"list": [*_variables()]},
        "annotations": {"list": []},
        "panels": [*_placed(dashboard.rows)],
    }


def _variables() -> Iterator[Mapping[str, Any]]:
    yield {"type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus"}
    yield _labels("job", "label_values(signalpost_build_info, job)")
    yield _labels("instance", 'label_values(signalpost_build_info{job="$job"}, instance)') | {
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _labels(name: str, query: str) -> dict[str, Any]:
    asked = {"query": query, "refId": name}
    return {"type": "query", "name": name, "datasource": _DATASOURCE, "query": asked, "refresh": 2, "sort": 1}


def _placed(rows: Sequence[Row]) -> Iterator[Mapping[str, Any]]:
    """The panels from left to right, in as many lines as they need, below the title of their row."""
    ids, top = iter(range(1, 1_000)), 0
    for row in rows:
        yield {
            "type": "row",
            "id": next(ids),
            "title": row.title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"x": 0, "y": top, "w": COLUMNS, "h": 1},
        }
        top, left, height = top + 1, 0, 0
        for panel in row.panels:
            if left + panel.width > COLUMNS:
                top, left, height = top + height, 0, 0
            place = {"x": left, "y": top, "w": panel.width, "h": panel.height}
            yield {"id": next(ids), "gridPos": place, **_panel(panel)}
            left, height = left + panel.width, max(height, panel.height)
        top += height


def _panel(panel: Panel) -> Mapping[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0}
    if panel.kind == "timeseries":
        mode = "normal" if panel.stacked else "none"
        defaults["custom"] = {"fillOpacity": 10, "showPoints": "never", "stacking": {"mode": mode, "group": "A"}}
    if panel.steps:
        defaults["thresholds"] = {
            "mode": "absolute",
            "steps": [{"value": value, "color": colour} for value, colour in panel.steps],
        }
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": _DATASOURCE,
        "targets": [*_targets(panel)],
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _OPTIONS[panel.kind],
    }


_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "area",
        "justifyMode": "auto",
        "orientation": "auto",
        "textMode": "auto",
    },
    "heatmap": {
        "calculate": False,
        "color": {"mode": "scheme", "scheme": "Blues", "steps": 64, "exponent": 0.5, "fill": "blue", "reverse": False},
        "cellGap": 1,
        "yAxis": {"unit": "s", "axisPlacement": "left"},
        "rowsFrame": {"layout": "auto"},
        "legend": {"show": True},
        "tooltip": {"mode": "single", "yHistogram": False},
        "filterValues": {"le": 1e-9},
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "showValue": "never",
    },
}


def _targets(panel: Panel) -> Iterable[Mapping[str, Any]]:
    for letter, target in zip("ABCDEFGH", panel.targets, strict=False):
        yield {
            "refId": letter,
            "datasource": _DATASOURCE,
            "expr": target.expr,
            "legendFormat": target.legend,
            "instant": panel.kind == "stat",
            "range": panel.kind != "stat",
            "format": "heatmap" if panel.kind == "heatmap" else "time_series",
        }
