"""Makes the package's description of its README: links to files of the source lead to where that is published."""

import re
from pathlib import Path
from posixpath import join, normpath
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class Description(MetadataHookInterface):
    """`folder` of its table in pyproject.toml says where the README is in the source."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the description."""
        source, folder = metadata["urls"]["Source"], self.config["folder"]

        def absolute(link: re.Match[str]) -> str:
            return f"]({source}/{normpath(join(folder, link[1]))})"

        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        text = re.sub(r"\]\((?![a-z]+:|#)([^)]+)\)", absolute, text)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
