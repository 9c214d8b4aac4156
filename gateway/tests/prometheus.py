"""Prometheus and promtool, if this machine has them: on the PATH, or from Debian as `make .venv/prometheus` unpacks
them."""

import shutil
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
_UNPACKED: Final = ROOT / ".venv" / "prometheus" / "usr" / "bin"


def _find(program: str) -> str | None:
    return shutil.which(program) or shutil.which(program, path=str(_UNPACKED))


PROMETHEUS: Final = _find("prometheus")
PROMTOOL: Final = _find("promtool")
needs_prometheus: Final = pytest.mark.skipif(
    PROMETHEUS is None or PROMTOOL is None, reason="there is no Prometheus here (make .venv/prometheus)"
)
