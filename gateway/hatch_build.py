"""Puts the examples, which stand beside the gateway in the source, into its distributions."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Examples(BuildHookInterface[Any]):
    """In a source distribution they are a folder of the gateway, so that the wheel that is made of it has them, too."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Say where the examples go."""
        inside = Path(self.root, "examples")
        source = str(inside if inside.exists() else inside.parents[1] / "examples")
        if self.target_name == "sdist":
            build_data["force_include"][source] = "examples"
        else:
            build_data["shared_data"][source] = "share/signalpost/examples"
