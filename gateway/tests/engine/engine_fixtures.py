"""Fixtures of the engine's own tests; they name this file as their plugin."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway.tests.engine.scripted_world import ScriptedWorld
from structlog.testing import capture_logs


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ScriptedWorld]:
    """A world on a fresh database, that keeps what is logged."""
    with capture_logs() as logs:
        yield ScriptedWorld(tmp_path / "signalpost.db", logs=logs)
