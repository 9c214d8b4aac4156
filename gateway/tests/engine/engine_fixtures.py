"""Fixtures of the engine's own tests; they name this file as their plugin."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway.tests.captured_log import captured_log
from gateway.tests.engine.scripted_world import ScriptedWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ScriptedWorld]:
    """A world on a fresh database, that keeps what is logged."""
    with captured_log() as logs:
        yield ScriptedWorld(tmp_path / "signalpost.db", logs=logs)
