from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway.tests.world.folder import Folder


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where a world keeps its files."""
    with Folder() as made:
        yield made
